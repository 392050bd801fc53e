// The durable event log. Events are inserted by the transaction of the change that they tell of, without a position;
// they are numbered (sequenced) before they are read. Serial ids are not in commit order, so a reader that asked for
// `id > cursor` would lose the events of a transaction that began earlier and committed later.
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { EventType } from '../entities/event.ts';
import type { Tables } from '../entities/index.ts';
import type { RunState } from '../entities/run.ts';
import { cursorExpired } from '../lib/faults.ts';
import { checkNotRemoved, checkSame, type LogHead, type Position } from './cursor.ts';

/** An event to append. Times are the database's. */
export interface NewEvent {
  type: EventType;
  taskId: number;
  taskName: string;
  actorId: number;
  message?: string | null;
  /** JSON text. */
  data?: string | null;
  runId?: number | string;
  runState?: RunState;
  attempt?: number;
}

/** How many events one sequencing transaction numbers at most; the next call numbers the rest. */
const SEQUENCE_BATCH = 10_000;

/** Appends in the order given, in the transaction of `em`: the events exist if and only if the change does. */
export async function appendEvents(em: EntityManager, events: readonly NewEvent[]): Promise<void> {
  if (events.length > 0) await insertEvents(events).execute(em.getKysely());
}

/** The SQL that appends the events, as a statement or as part of one. */
export function insertEvents(events: readonly NewEvent[]): RawBuilder<unknown> {
  return sql`
    insert into event (type, task_id, task_name, actor_id, message, data, run_id, run_state, attempt)
    select type, "taskId", "taskName", "actorId", message, data, "runId", "runState", attempt
    from json_to_recordset(${JSON.stringify(events)}::json) as e (
      type text, "taskId" int, "taskName" text, "actorId" int, message text, data text,
      "runId" bigint, "runState" text, attempt int)`;
}

/**
 * Numbers every event committed so far and says how far the log goes; call it before a read, outside a transaction.
 *
 * Safe with any number of callers: the single `event_log` row is locked by a statement of its own, so the numbering
 * statement's snapshot is taken after the lock and sees all that earlier holders committed. Numbers follow commit
 * visibility: an event that becomes visible later gets a higher one, hence a reader at `head` has missed nothing. A
 * process killed in between leaves the events unnumbered for the next caller.
 */
export async function sequenceEvents(em: EntityManager): Promise<LogHead> {
  const database = em.fork().getKysely<Tables>();
  const { pending, log } = await readHead(database);
  if (!pending) return log;
  for (;;) {
    // A batch that is not full held all that was visible, hence all that was committed before this call; what writers
    // add meanwhile is left to the next caller, or this one would not return while they are busy.
    const { numbered, ...head } = await database.transaction().execute(numberPending);
    if (numbered < SEQUENCE_BATCH) return head;
  }
}

/**
 * Throws CURSOR_EXPIRED if the positions are not of the current log, or if events after one of them may have been
 * removed; with `onlyHistory`, events that retention spares. Call it after the events were read: an event that one
 * statement no longer found is announced by the floor that a later statement reads.
 */
export async function checkPositions(
  em: EntityManager,
  logId: string,
  positions: readonly Position[],
  onlyHistory = false,
): Promise<void> {
  if (positions.length === 0) return;
  const { rows } = await sql<Position & { logId: string; floor: number }>`
    select log_id as "logId", ${sql.ref(onlyHistory ? 'history_floor' : 'floor')} as floor, position.seq,
      (select ${MARK} from event where event.seq = position.seq) as mark
    from event_log cross join unnest(${positions.map(({ seq }) => seq)}::bigint[]) as position (seq)
  `.execute(em.getKysely());
  for (const found of rows) {
    if (found.logId !== logId) throw cursorExpired('the event log became another one');
    checkNotRemoved(found.seq, found.floor);
    for (const position of positions) checkSame(position, found);
  }
}

/**
 * The server that the log is on, as one writes to it: the timeline changes with a fail-over, the database's own number
 * with a copy, and the cluster's identifier with everything else.
 */
const TIMELINE = sql<number>`('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int`;
const DATABASE = sql<number>`(select oid::bigint from pg_database where datname = current_database())`;

/** The mark of an event, as `markOf` makes it. */
export const MARK = sql`to_hex(event.id) || '-' || to_hex((extract(epoch from event.at) * 1000000)::bigint)`;

async function readHead(database: Kysely<Tables>): Promise<{ pending: boolean; log: LogHead }> {
  for (;;) {
    const { rows } = await sql<LogHead & { pending: boolean; moved: boolean }>`
      select log_id as "logId", head, floor, history_floor as "historyFloor",
        (select ${MARK} from event where seq = head) as mark,
        exists (select from event where seq is null) as pending,
        (timeline, database_oid) is distinct from (${TIMELINE}, ${DATABASE}) as moved
      from event_log
    `.execute(database);
    const row = rows[0];
    if (row === undefined) throw new Error('the event log has lost its row');
    const { pending, moved, ...log } = row;
    if (!moved) return { pending, log };
    await renew(database);
  }
}

async function numberPending(transaction: Kysely<Tables>): Promise<LogHead & { numbered: number }> {
  await sql`select from event_log for update`.execute(transaction);
  const { rows } = await sql<LogHead & { numbered: number }>`
    with pending as (
      select id, row_number() over (order by id) as position
      from (select id from event where seq is null order by id limit ${SEQUENCE_BATCH}) as unsequenced
    ), numbered as (
      update event set seq = log.head + pending.position
      from pending, event_log as log
      where event.id = pending.id
      returning event.seq, ${MARK} as mark
    )
    update event_log set head = coalesce((select max(seq) from numbered), head)
    returning log_id as "logId", head, floor, history_floor as "historyFloor",
      coalesce(
        (select mark from numbered order by seq desc limit 1), (select ${MARK} from event where seq = head)) as mark,
      (select count(*) from numbered) as numbered
  `.execute(transaction);
  if (rows[0] === undefined) throw new Error('the event log has lost its row');
  return rows[0];
}

/**
 * Gives the log a new id when the server is not the one last seen (a restored backup, a copy, another timeline): cursors
 * handed out before might otherwise name other events.
 */
export async function renewLogId(em: EntityManager): Promise<void> {
  await renew(em.getKysely<Tables>());
}

async function renew(database: Kysely<Tables>): Promise<void> {
  await sql`
    update event_log set system_identifier = here.system, timeline = here.timeline, database_oid = here.database,
      log_id = case when event_log.database_oid is null and (event_log.system_identifier, event_log.timeline)
        is not distinct from (here.system, here.timeline) then log_id else gen_random_uuid() end
    from (
      select system_identifier::text as system, ${TIMELINE} as timeline, ${DATABASE} as database from pg_control_system()
    ) as here
    where (event_log.system_identifier, event_log.timeline, event_log.database_oid)
      is distinct from (here.system, here.timeline, here.database)
  `.execute(database);
}
