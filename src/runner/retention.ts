// Removes runs and events that are past their age. In small batches, each a transaction under the lock of the one row of
// `retention`, so that one process at a time removes and one that is killed leaves a whole record behind. What is about to
// go is announced before it goes: the ledger's beginning and the log's floors move first, or in the same transaction.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { inTransaction } from '../database/transaction.ts';
import { HISTORY_EVENT_TYPES } from '../entities/event.ts';
import { sequenceEvents } from '../events/log.ts';

export interface RetentionRule {
  /** Runs that ended, and events, older than this are removed; 0 keeps them for ever. */
  days: number;
  /** The same for events that the history of the old API shows. */
  historyDays: number;
}

const BATCH = 1_000;

/** The result of a batch if nothing is left to do, or another process is doing it. */
const DONE = null;

/** Removes everything past its retention. Returns early once `isStopped`, or if another process is doing it. */
export async function removeOld(em: EntityManager, rule: RetentionRule, isStopped: () => boolean): Promise<void> {
  if (rule.days === 0) return;
  const ledgerFrom = await moveLedger(em, rule.days);
  if (ledgerFrom === DONE) return;
  for (let last: number | null = 0; last !== DONE && !isStopped(); ) last = await removeRuns(em, ledgerFrom, last);
  while (!isStopped() && (await removeOfSchedules(em, ledgerFrom)) !== DONE);
  // Events are removed in the order of the log; unsequenced events have no position yet.
  if (!isStopped()) await sequenceEvents(em);
  while (!isStopped() && (await removeEvents(em, rule.days)) !== DONE);
  if (rule.historyDays === 0) return;
  while (!isStopped() && (await removeHistory(em, rule.historyDays)) !== DONE);
  while (!isStopped() && (await removeImported(em, rule.historyDays)) !== DONE);
}

/** Runs a batch in a transaction of its own, alone among all processes. */
function alone<Result>(
  em: EntityManager,
  batch: (em: EntityManager) => Promise<Result>,
): Promise<Result | typeof DONE> {
  return inTransaction(em, async (transaction) => {
    const { rows } = await sql`select from retention for update skip locked`.execute(transaction.getKysely());
    return rows.length === 0 ? DONE : batch(transaction);
  });
}

/** Records of slots before the returned instant are no longer expected from now on. It never moves back. */
function moveLedger(em: EntityManager, days: number): Promise<string | typeof DONE> {
  return alone(em, async (transaction) => {
    const { rows } = await sql<{ ledger_from: string }>`
      update retention
      set ledger_from = greatest(ledger_from, date_trunc('minute', now() - make_interval(days => ${days}), 'UTC'))
      returning ledger_from
    `.execute(transaction.getKysely());
    return rows[0]?.ledger_from ?? DONE;
  });
}

/**
 * Looks at the next runs in id order, which is about the order of recording, until all are younger than the limit.
 * Keeps runs of slots that the ledger still covers, unfinished runs, and the newest run of each task. Returns the id to
 * continue from.
 */
function removeRuns(em: EntityManager, ledgerFrom: string, after: number): Promise<number | typeof DONE> {
  return alone(em, async (transaction) => {
    const { rows } = await sql<{ last: number | null; is_young: boolean | null }>`
      with page as (
        select id, queued_at, finished_at, slot from run where id > ${after} order by id limit ${BATCH}
      ), removed as (
        delete from run using page
        where run.id = page.id and page.finished_at < ${ledgerFrom}::timestamptz
          and (page.slot is null or page.slot < ${ledgerFrom}::timestamptz)
          and exists (select from run newer where newer.task_id = run.task_id and newer.id > run.id)
      )
      select max(id) as last, bool_and(queued_at >= ${ledgerFrom}::timestamptz) as is_young from page
    `.execute(transaction.getKysely());
    const { last, is_young } = rows[0] ?? { last: null, is_young: true };
    return is_young === false ? last : DONE;
  });
}

/** Gaps and versions of schedules that ended before the ledger begins. */
function removeOfSchedules(em: EntityManager, ledgerFrom: string): Promise<number | typeof DONE> {
  return alone(em, async (transaction) => {
    const database = transaction.getKysely();
    const { rows: gaps } = await sql`
      delete from slot_gap where id = any(array(
        select id from slot_gap where to_slot < ${ledgerFrom}::timestamptz order by to_slot limit ${BATCH})) returning 1
    `.execute(database);
    const { rows: versions } = await sql`
      delete from schedule_version where id = any(array(
        select id from schedule_version where valid_to < ${ledgerFrom}::timestamptz order by valid_to limit ${BATCH})) returning 1
    `.execute(database);
    const removed = gaps.length + versions.length;
    return removed === 0 ? DONE : removed;
  });
}

/** Events above the floor, in the order of the log, up to the first one that is young enough. */
function removeEvents(em: EntityManager, days: number): Promise<number | typeof DONE> {
  const isRemoved = sql`type <> all(${[...HISTORY_EVENT_TYPES]}::text[])`;
  return alone(em, (transaction) => raiseFloor(transaction, 'floor', sql`log.head`, days, isRemoved));
}

/** The same for events that were spared. */
function removeHistory(em: EntityManager, days: number): Promise<number | typeof DONE> {
  return alone(em, (transaction) => raiseFloor(transaction, 'history_floor', sql`log.floor`, days, sql`true`));
}

/** Removes the imported history of tasks that is past its retention. */
function removeImported(em: EntityManager, days: number): Promise<number | typeof DONE> {
  return alone(em, async (transaction) => {
    const { rows } = await sql`
      delete from imported_log where (task_id, id) in (
        select task_id, id from imported_log where at < now() - make_interval(days => ${days}) order by at limit ${BATCH})
      returning 1
    `.execute(transaction.getKysely());
    return rows.length === 0 ? DONE : rows.length;
  });
}

async function raiseFloor(
  em: EntityManager,
  column: 'floor' | 'history_floor',
  upTo: ReturnType<typeof sql>,
  days: number,
  isRemoved: ReturnType<typeof sql>,
): Promise<number | typeof DONE> {
  const database = em.getKysely();
  // Readers check the floor in the statement that reads the events or in a later one, so no reader misses events
  // unnoticed.
  const { rows } = await sql<{ passed: number }>`
    with page as (
      select event.id, event.seq, event.at, event.type from event_log as log
      join lateral (
        select * from event where event.seq > log.${sql.ref(column)} and event.seq <= ${upTo} order by event.seq limit ${BATCH}
      ) as event on true
    ), young as (
      select min(seq) as seq from page where at >= now() - make_interval(days => ${days})
    ), old as (
      select page.id, page.seq, page.type from page, young where young.seq is null or page.seq < young.seq
    ), removed as (
      delete from event where id in (select id from old where ${isRemoved})
    ), raised as (
      update event_log set ${sql.ref(column)} = (select max(seq) from old) where exists (select from old)
    )
    select count(*) as passed from old
  `.execute(database);
  const passed = rows[0]?.passed ?? 0;
  return passed === 0 ? DONE : passed;
}
