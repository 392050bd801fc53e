// Reads pages of the log. Only sequenced events are visible, and a page's cursors are the log's own, so a client may go
// on from a page with the subscription.
import type { EntityManager } from '@mikro-orm/postgresql';
import type { SelectQueryBuilder } from 'kysely';
import type { Tables } from '../entities/index.ts';
import { decodeCursor, encodeCursor, type LogHead } from '../events/cursor.ts';
import { sequenceEvents } from '../events/log.ts';
import { type EventRow, loggedEvent } from '../events/tail.ts';
import { fetchSize, type Page, type PageArgs, readPage, toConnection } from './connection.ts';
import { pagesOfParents } from './lateral.ts';

/** Which events; `onlyHistory` where all that are asked for are of types that retention spares. */
export interface EventSelector {
  where: Conditions;
  onlyHistory: boolean;
}

type EventQuery = SelectQueryBuilder<Tables, 'event', EventRow>;
type Conditions = (query: EventQuery) => EventQuery;

/** One page of the events that meet the conditions. */
export async function readEvents(em: EntityManager, args: PageArgs, { where, onlyHistory }: EventSelector) {
  const page = readPage(args);
  const log = readable(await sequenceEvents(em), onlyHistory);
  return eventConnection(await pageQuery(em, log, page, where).execute(), log, page);
}

/** The part of the log that is whole for what is asked: a page never leaves out what retention has removed in silence. */
function readable(log: LogHead, onlyHistory: boolean): LogHead {
  return onlyHistory ? { ...log, floor: log.historyFloor } : log;
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
  const log = readable(await sequenceEvents(em), onlyHistory);
  const pages = await pagesOfParents(
    em,
    parentIds,
    (id) => pageQuery(em, log, page, (query) => where(query.where(`event.${parent}`, '=', id))),
    { parent, order: 'seq', ascending: !page.backward },
  );
  return pages.map((rows) => eventConnection(rows, log, page));
}

function pageQuery(em: EntityManager, log: LogHead, page: Page, where: Conditions): EventQuery {
  const after = page.after === null ? log.floor : decodeCursor(page.after, log);
  const events = em.getKysely<Tables>().selectFrom('event').selectAll().$narrowType<{ seq: number }>();
  let query = where(events).where('event.seq', '>', after).where('event.seq', '<=', log.head);
  if (page.before !== null) query = query.where('event.seq', '<', decodeCursor(page.before, log));
  return query.orderBy('event.seq', page.backward ? 'desc' : 'asc').limit(fetchSize(page));
}

function eventConnection(rows: readonly EventRow[], log: LogHead, page: Page) {
  const events = rows.map((row) => loggedEvent(log.logId, row));
  const connection = toConnection(events, page, ({ cursor }) => cursor);
  const { pageInfo } = connection;
  // Where nothing follows, the log has been read up to its head: from there a subscription misses nothing.
  const atHead = events.length === 0 && page.before === null && page.size > 0;
  return atHead
    ? { ...connection, pageInfo: { ...pageInfo, endCursor: encodeCursor(log.logId, log.head) } }
    : connection;
}
