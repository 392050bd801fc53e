// Reads pages of the log. Only sequenced events are visible, and a page's cursors are the log's own, so a client may go
// on from a page with the subscription.
import type { EntityManager } from '@mikro-orm/postgresql';
import { type SelectQueryBuilder, sql } from 'kysely';
import { type ReadTables, readRows } from '../../database/rows.ts';
import { decodeCursor, encodeCursor, headOf, type LogHead, type Position } from '../../events/cursor.ts';
import { checkPositions, sequenceEvents } from '../../events/log.ts';
import { type EventRow, loggedEvent } from '../../events/tail.ts';
import { fetchSize, type Page, type PageArgs, readPage, toConnection } from '../relay/connection.ts';
import { pagesOfParents } from '../relay/lateral.ts';

/** The selected events; `onlyHistory` if all selected types are spared by retention. */
export interface EventSelector {
  where: Conditions;
  onlyHistory: boolean;
}

type EventQuery = SelectQueryBuilder<ReadTables, 'event', EventRow>;
type Conditions = (query: EventQuery) => EventQuery;

/** One page of the events that meet the conditions. */
export async function readEvents(em: EntityManager, args: PageArgs, { where, onlyHistory }: EventSelector) {
  const page = readPage(args);
  const part = partOf(await sequenceEvents(em), page, onlyHistory);
  const rows = await pageQuery(em, part, page, where).execute();
  await checkWhole(em, part);
  return eventConnection(rows, part.log, page);
}

/** The part of the log that a page may be of. */
interface Part {
  log: LogHead;
  after: Position | null;
  before: Position | null;
  onlyHistory: boolean;
}

function partOf(head: LogHead, { after, before }: Page, onlyHistory: boolean): Part {
  const log = onlyHistory ? { ...head, floor: head.historyFloor } : head;
  const decode = (cursor: string | null) => (cursor === null ? null : decodeCursor(cursor, log));
  return { log, after: decode(after), before: decode(before), onlyHistory };
}

/**
 * A page that has been read never leaves out what retention has removed in silence. One without a cursor begins where the
 * log does at that moment.
 */
function checkWhole(em: EntityManager, { log, after, before, onlyHistory }: Part): Promise<void> {
  const positions = [after, before].filter((position) => position !== null);
  return checkPositions(em, log.logId, positions, onlyHistory);
}

/** A page for each of the parents, which `parent` names in the event; one query for all. */
export async function readEventsOfEach(
  em: EntityManager,
  parent: 'task_id' | 'run_id',
  parentIds: readonly number[],
  args: PageArgs,
  { where, onlyHistory }: EventSelector,
) {
  const page = readPage(args);
  const part = partOf(await sequenceEvents(em), page, onlyHistory);
  const pages = await pagesOfParents(
    em,
    parentIds,
    (id) => pageQuery(em, part, page, (query) => where(query.where(`event.${parent}`, '=', id))),
    { parent, order: 'seq', ascending: !page.backward },
  );
  await checkWhole(em, part);
  return pages.map((rows) => eventConnection(rows, part.log, page));
}

function pageQuery(em: EntityManager, part: Part, page: Page, where: Conditions): EventQuery {
  const { log, after, before, onlyHistory } = part;
  const floor = sql<number>`(select ${sql.ref(onlyHistory ? 'history_floor' : 'floor')} from event_log)`;
  const events = readRows(em).selectFrom('event').selectAll().$narrowType<{ seq: number }>();
  let query = where(events)
    .where('event.seq', '>', after?.seq ?? floor)
    .where('event.seq', '<=', log.head);
  if (before !== null) query = query.where('event.seq', '<', before.seq);
  return query.orderBy('event.seq', page.backward ? 'desc' : 'asc').limit(fetchSize(page));
}

function eventConnection(rows: readonly EventRow[], log: LogHead, page: Page) {
  const events = rows.map((row) => loggedEvent(log.logId, row));
  const connection = toConnection(events, page, ({ cursor }) => cursor);
  const { pageInfo } = connection;
  // Where nothing follows, the log has been read up to its head: from there a subscription misses nothing.
  const atHead = events.length === 0 && page.before === null && page.size > 0;
  return atHead
    ? { ...connection, pageInfo: { ...pageInfo, endCursor: encodeCursor(log.logId, headOf(log)) } }
    : connection;
}
