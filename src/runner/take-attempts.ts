// How attempts are taken.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Job } from 'pg-boss';
import { PREPARED } from '../database/prepared.ts';
import { inTransaction } from '../database/transaction.ts';
import { type AttemptJob, classOf, type Jobs, timeLimitOf } from '../scheduling/jobs.ts';
import { type QueuedRun, sendNextAttempts } from '../scheduling/release.ts';
import { type Attempt, attemptOf, type TakenRow } from './attempt.ts';
import { type ExclusiveClasses, isExclusiveConflict, RetryWithFewer } from './exclusive-classes.ts';
import { type UnsupportedClasses, UnsupportedJobs } from './unsupported-classes.ts';

/** What was taken. */
export interface Taken {
  attempts: Attempt[];
  /** Whether there may be more jobs to take. */
  more: boolean;
}

/** The process that takes jobs, and the rules for which. */
export interface Taker {
  /** The id of its registration; null if it is not registered. */
  runnerId: string | null;
  unsupported: UnsupportedClasses;
  exclusive: ExclusiveClasses;
}

/**
 * Takes up to `count` attempts: the jobs, the runs' state and the STARTED events commit together, so a process that is
 * killed before has taken nothing. A job whose run is no longer QUEUED for it (because it was cancelled) is ended at
 * once. Jobs of classes that this process does not have are left alone.
 */
export async function takeAttempts(em: EntityManager, jobs: Jobs, count: number, taker: Taker): Promise<Taken> {
  let fewer = count;
  const without = new Set<string>();
  for (;;) {
    try {
      const { fetched, attempts } = await inTransaction(em, (transaction) =>
        takeIn(transaction, jobs, fewer, taker, without),
      );
      return { attempts, more: fetched === fewer };
    } catch (error) {
      // Each turn learns of a class at least, and leaves it out in the next, or takes fewer.
      if (error instanceof RetryWithFewer) {
        fewer = error.count;
        for (const name of error.without) without.add(name);
      } else if (!(error instanceof UnsupportedJobs || isExclusiveConflict(error))) throw error;
    }
  }
}

/** One try, in the transaction of `em`; throws if the transaction must be rolled back. */
export async function takeIn(
  em: EntityManager,
  jobs: Jobs,
  count: number,
  { runnerId, unsupported, exclusive }: Taker,
  without: ReadonlySet<string> = new Set(),
): Promise<{ fetched: number; attempts: Attempt[] }> {
  const left = [...unsupported.names, ...(await exclusive.busy(em)), ...without];
  const fetched = await jobs.fetch(em, count, left);
  if (fetched.length === 0) return { fetched: 0, attempts: [] };
  unsupported.refuse(fetched);
  await exclusive.refuse(em, fetched);
  const byJob = await startRuns(em, fetched, runnerId, exclusive.names);
  const attempts: Attempt[] = [];
  const stale: Job<AttemptJob>[] = [];
  for (const job of fetched) {
    const row = byJob.get(job.id);
    if (row === undefined) stale.push(job);
    else {
      attempts.push({ ...attemptOf(job, row), timeoutSeconds: Math.min(row.timeout_seconds, timeLimitOf(job)) });
    }
  }
  await jobs.complete(em, stale);
  await sendForOtherClass(em, jobs, stale);
  return { fetched: fetched.length, attempts };
}

/** The runs that were still QUEUED for these jobs, by job id: they are RUNNING now, with an event. */
async function startRuns(
  em: EntityManager,
  jobs: readonly Job<AttemptJob>[],
  runnerId: string | null,
  exclusiveNames: readonly string[],
) {
  // Arrays, since their lengths tell PostgreSQL how many rows to plan for; of JSON it expects a hundred, and reads all tasks.
  const { rows } = await sql<TakenRow>`${PREPARED}
    with started as (
      update run set state = 'RUNNING', attempt = j.attempt, next_attempt_at = null,
        started_at = coalesce(run.started_at, now()), runner_id = ${runnerId}::uuid,
        exclusive_class = case when task.class_name = any(${[...exclusiveNames]}::text[]) then task.class_name end
      from unnest(${jobs.map(({ id }) => id)}::uuid[], ${jobs.map(({ data }) => data.runId)}::bigint[],
        ${jobs.map(({ data }) => data.attempt)}::int[], ${jobs.map(classOf)}::text[]) as j (id, run, attempt, class), task
      where run.id = j.run and run.job_id = j.id and run.state = 'QUEUED' and task.id = run.task_id
        and task.class_name = j.class
      returning run.job_id, run.id as run_id, run.task_id, task.name as task_name, task.class_name,
        coalesce(run.data, task.data) as data, run.actor_id, run.attempt, run.trigger, run.slot, run.checkpoint,
        task.timeout_seconds, run.traceparent
    ), told as (
      insert into event (type, task_id, task_name, actor_id, run_id, run_state, attempt)
      select 'STARTED', task_id, task_name, actor_id, run_id, 'RUNNING', attempt from started
    )
    select * from started
  `.execute(em.getKysely());
  return new Map(rows.map((row) => [row.job_id, row]));
}

/** Runs whose task has got another class since their jobs were sent: a job for that one goes to a runner that has it. */
async function sendForOtherClass(em: EntityManager, jobs: Jobs, stale: readonly Job<AttemptJob>[]): Promise<void> {
  if (stale.length === 0) return;
  const attempts = new Map(stale.map(({ id, data }) => [id, data.attempt]));
  const { rows } = await sql<QueuedRun & { job_id: string }>`
    select run.id, run.attempt, run.job_id, task.timeout_seconds, task.class_name
    from run join task on task.id = run.task_id
    where run.job_id = any(${stale.map(({ id }) => id)}::uuid[]) and run.state = 'QUEUED' for no key update of run
  `.execute(em.getKysely());
  // An attempt that was handed back is made again under its number.
  const last = rows.map((run) => ({ ...run, attempt: (attempts.get(run.job_id) ?? run.attempt + 1) - 1 }));
  await sendNextAttempts(em, jobs, last);
}
