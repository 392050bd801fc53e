// Finds what is due and fires it. Everything works under the tasks' row locks (FOR NO KEY UPDATE), in one transaction
// with the jobs and the events: a process killed before the commit has fired nothing, after it everything.
import type { EntityManager } from '@mikro-orm/postgresql';
import { type RawBuilder, sql } from 'kysely';
import { compileSchedule, type RepeatRule } from '../calendar/schedule.ts';
import { isRefused } from '../database/refused.ts';
import { millisecondsOf } from '../database/timestamp.ts';
import { inTransaction } from '../database/transaction.ts';
import type { DueTask } from './due-task.ts';
import type { Jobs } from './jobs.ts';
import { hasRunner } from './live-runners.ts';
import type { ScheduleFaults } from './schedule-faults.ts';
import { type SettleOptions, settleDueSlots } from './settle-slots.ts';

/** The most tasks that one transaction fires. */
export const BATCH = 1_000;
/** Tasks whose next slots are computed in one batch, which blocks the event loop for some 20 ms. */
const FOLLOWING_BATCH = 250;

/** Who fires. */
export interface Planner {
  /** The classes that this process runs; those of other live runners are in the database. */
  ownClasses: readonly string[];
  /** Tasks that this process skips. */
  faults: ScheduleFaults;
}

/** The columns of a `DueTask`, `now` being the instant that counts as now. */
function dueColumns(now: RawBuilder<unknown>, ownClasses: readonly string[] = []) {
  return sql`id, name, class_name, ${hasRunner('class_name', ownClasses)} as has_runner, owner_id, time_zone, overlap, queue_limit, catch_up, misfire_grace_seconds,
    catch_up_max_age_seconds, timeout_seconds, ${millisecondsOf('next_run_at')} as next_run_at,
    ${millisecondsOf('following_run_at')} as following_run_at, ${millisecondsOf('following_of')} as following_of,
    (extract(epoch from ${now}) * 1000)::float8 as now`;
}

/** Locks and returns due tasks, those of `only` where it is not null. */
type Take = (transaction: EntityManager, only: readonly number[] | null) => Promise<DueTask[]>;

/**
 * Settles in one transaction what `take` takes, and returns it, and how many of the last of these it left for the next one.
 * Where one of the tasks makes PostgreSQL refuse that, all others are settled without it.
 */
async function settleTaken(
  em: EntityManager,
  jobs: Jobs,
  take: Take,
  options: SettleOptions & { faults: ScheduleFaults },
): Promise<{ taken: DueTask[]; left: number }> {
  let taken: DueTask[] = [];
  const settle = (only: readonly number[] | null) =>
    inTransaction(em, async (transaction) => {
      const due = await take(transaction, only);
      if (only === null) taken = due;
      return settleDueSlots(transaction, jobs, due, options);
    });
  try {
    return { left: await settle(null), taken };
  } catch (error) {
    if (!isRefused(error)) throw error;
    await options.faults.sparing(taken, (part) => settle(part.map(({ id }) => id)));
    return { left: 0, taken };
  }
}

/**
 * Fires up to `limit` due tasks that a live process can run and that no other process is firing, and returns how many
 * it looked at. Any number of processes may call it at once: SKIP LOCKED divides the tasks, and the unique index
 * `run_ledger` allows one run per slot. The clock of the database decides what is due.
 */
export async function fireDue(
  em: EntityManager,
  jobs: Jobs,
  { ownClasses, faults }: Planner,
  { limit = BATCH }: { limit?: number } = {},
): Promise<number> {
  const take: Take = async (transaction, only) => {
    const { rows } = await sql<DueTask>`
      select ${dueColumns(sql`now()`, ownClasses)} from task
      where next_run_at <= now() and ${isAmong(only)} and id <> all(${faults.taskIds})
        and ${hasRunner('class_name', ownClasses)}
      order by id limit ${limit} for no key update skip locked
    `.execute(transaction.getKysely());
    return rows;
  };
  return (await settleTaken(em, jobs, take, { faults })).taken.length;
}

function isAmong(only: readonly number[] | null): RawBuilder<unknown> {
  return only === null ? sql`true` : sql`id = any(${only}::int[])`;
}

/**
 * Records the skipped slots of tasks that no live process can run, by the catch-up policy as in an outage; slots that
 * it would run stay due until a runner has the class. The conditions select tasks that certainly have a slot to skip.
 */
export async function skipUnserved(em: EntityManager, jobs: Jobs, { ownClasses, faults }: Planner): Promise<void> {
  const before = (column: string) => sql`now() - make_interval(secs => ${sql.ref(column)})`;
  for (let last = 0; ; ) {
    const take: Take = async (transaction, only) => {
      const { rows } = await sql<DueTask>`
        select ${dueColumns(sql`now()`, ownClasses)} from task
        where next_run_at <= now() and id > ${last} and ${isAmong(only)} and id <> all(${faults.taskIds})
          and not ${hasRunner('class_name', ownClasses)} and next_run_at <= ${before('misfire_grace_seconds')}
          and (catch_up = 'NONE' or next_run_at < ${before('catch_up_max_age_seconds')} or (catch_up = 'LATEST'
            and following_of = next_run_at and following_run_at <= ${before('misfire_grace_seconds')}))
        order by id limit ${BATCH} for no key update skip locked
      `.execute(transaction.getKysely());
      return rows;
    };
    const { taken, left } = await settleTaken(em, jobs, take, { faults, hold: true });
    last = taken[taken.length - left - 1]?.id ?? last;
    if (taken.length < BATCH && left === 0) return;
  }
}

/**
 * Locks one task and settles its slots up to now under the schedule that it has, as every change of a schedule must
 * before it switches: an edit while due loses nothing. Returns the database's time of that.
 */
export async function lockAndSettle(em: EntityManager, jobs: Jobs, taskId: number): Promise<Date> {
  await sql`select from task where id = ${taskId} for no key update`.execute(em.getKysely());
  // The clock is read after the lock is taken: slots that became due while waiting for it belong to the old schedule.
  const first = await readDueTask(em, taskId, null);
  const now = new Date(first.clock);
  // A plan has a limit; if more is due, the pointer stays at the rest.
  for (let row = first; row.id !== null; row = await readDueTask(em, taskId, now))
    await settleDueSlots(em, jobs, [row]);
  return now;
}

/** The task if it is due `at` an instant, null for the database's clock; and that instant, in milliseconds. */
async function readDueTask(em: EntityManager, taskId: number, at: Date | null) {
  const { rows } = await sql<{ clock: number } & (DueTask | { id: null })>`
    select ${millisecondsOf('clock.at')} as clock, ${dueColumns(sql`clock.at`)}
    from (select coalesce(${at}::timestamptz, clock_timestamp()) as at) as clock
      left join task on task.id = ${taskId} and task.next_run_at <= clock.at
  `.execute(em.getKysely());
  if (rows[0] === undefined) throw new Error('the clock was not read');
  return rows[0];
}

/** Whether any task is due at this moment that can be fired. */
export async function anyDue(em: EntityManager, { ownClasses, faults }: Planner): Promise<boolean> {
  const { rows } = await sql<{ due: boolean }>`
    select exists (
      select from task
      where next_run_at <= now() and id <> all(${faults.taskIds}) and ${hasRunner('class_name', ownClasses)}) as due
  `.execute(em.getKysely());
  return rows[0]?.due ?? false;
}

/**
 * Computes the unknown following slots of some hundred tasks, and returns how many there were. It takes no lock: the
 * update changes a task only if its pointer and its schedule are still those of the computation.
 */
export async function computeFollowing(em: EntityManager, faults: ScheduleFaults): Promise<number> {
  const database = em.getKysely();
  const { rows } = await sql<{ id: number; version_id: number; rules: RepeatRule[]; time_zone: string; next: number }>`
    select task.id, v.id as version_id, v.rules, v.time_zone, ${millisecondsOf('task.next_run_at')} as next
    from (
      select id, next_run_at from task
      where next_run_at is not null and following_of is distinct from next_run_at and id <> all(${faults.taskIds})
      order by id limit ${FOLLOWING_BATCH}
    ) as task
    -- One by one; otherwise the query planner may read all versions.
    cross join lateral (
      select * from schedule_version where task_id = task.id and valid_to is null limit 1
    ) as v
  `.execute(database);
  if (rows.length === 0) return 0;
  const computed = rows.flatMap(({ id, version_id, rules, time_zone, next }) => {
    const of = new Date(next);
    const following = faults.try(id, () => compileSchedule(rules, time_zone).next(of));
    return following === undefined ? [] : [{ id, version: version_id, of, following }];
  });
  await faults.sparing(computed, (part) =>
    sql`
      update task set following_run_at = c.following, following_of = c."of"
      from json_to_recordset(${JSON.stringify(part)}::json) as c (
        id int, version int, "of" timestamptz, following timestamptz)
      where task.id = c.id and task.next_run_at = c."of" and task.following_of is distinct from task.next_run_at
        and exists (select from schedule_version v where v.id = c.version and v.valid_to is null)
    `.execute(database),
  );
  return rows.length;
}
