// What an attempt is, and how it is taken.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Job } from 'pg-boss';
import { inTransaction } from '../database/transaction.ts';
import type { RunState, Trigger } from '../entities/run.ts';
import { appendEvents } from '../events/log.ts';
import type { UnwrittenLog } from './attempt-log.ts';
import { type ForeignClasses, ForeignJobs } from './foreign-classes.ts';
import { type AttemptJob, type HeldJob, type Jobs, timeLimitOf } from './jobs.ts';

/** An attempt that this process has taken. */
export interface Attempt {
  job: HeldJob;
  runId: number;
  taskId: number;
  taskName: string;
  className: string;
  /** JSON text. */
  data: string | null;
  actorId: number;
  attempt: number;
  trigger: Trigger;
  slot: Date | null;
  /** JSON text. */
  checkpoint: string | null;
  timeoutSeconds: number;
}

/** How an attempt ended. One that its runner gives up, HANDED_BACK, is made again by another, under the same number. */
export interface Outcome {
  state: Extract<RunState, 'SUCCEEDED' | 'FAILED' | 'CANCELLED'> | 'HANDED_BACK';
  message: string;
  /** A failure that no further attempt would mend. */
  permanent?: boolean;
}

export interface EndedAttempt {
  attempt: Attempt;
  outcome: Outcome;
  log: UnwrittenLog;
}

export interface TakenRow {
  job_id: string;
  run_id: number;
  task_id: number;
  task_name: string;
  class_name: string;
  data: string | null;
  actor_id: number;
  attempt: number;
  trigger: Trigger;
  slot: string | null;
  checkpoint: string | null;
  timeout_seconds: number;
}

/** What was taken: how many jobs, and the attempts that they are for. */
export interface Taken {
  fetched: number;
  attempts: Attempt[];
}

/**
 * Takes up to `count` attempts: the jobs, the runs' state and the STARTED events commit together, so a process killed
 * before has taken nothing. A job whose run is no longer QUEUED for it (cancelled meanwhile) is ended on the spot. Jobs
 * of classes that this process does not have stay where they are.
 */
export async function takeAttempts(
  em: EntityManager,
  jobs: Jobs,
  count: number,
  foreign: ForeignClasses,
): Promise<Taken> {
  for (;;) {
    try {
      return await takeOnce(em, jobs, count, foreign);
    } catch (error) {
      // Each turn learns of a class at least, and leaves it out in the next.
      if (!(error instanceof ForeignJobs)) throw error;
    }
  }
}

function takeOnce(em: EntityManager, jobs: Jobs, count: number, foreign: ForeignClasses): Promise<Taken> {
  return inTransaction(em, async (transaction) => {
    const fetched = await jobs.fetch(transaction, count, foreign.names);
    if (fetched.length === 0) return { fetched: 0, attempts: [] };
    foreign.refuse(fetched);
    const wanted = fetched.map(({ id, data }) => ({ id, run: data.runId, attempt: data.attempt }));
    const { rows } = await sql<TakenRow>`
      update run set state = 'RUNNING', attempt = j.attempt, next_attempt_at = null,
        started_at = coalesce(run.started_at, now())
      from json_to_recordset(${JSON.stringify(wanted)}::json) as j (id uuid, run bigint, attempt int), task
      where run.id = j.run and run.job_id = j.id and run.state = 'QUEUED' and task.id = run.task_id
      returning run.job_id, run.id as run_id, run.task_id, task.name as task_name, task.class_name,
        coalesce(run.data, task.data) as data, run.actor_id, run.attempt, run.trigger, run.slot, run.checkpoint, task.timeout_seconds
    `.execute(transaction.getKysely());
    const byJob = new Map(rows.map((row) => [row.job_id, row]));
    const attempts: Attempt[] = [];
    const stale: Job<AttemptJob>[] = [];
    for (const job of fetched) {
      const row = byJob.get(job.id);
      if (row === undefined) stale.push(job);
      else attempts.push({ ...attemptOf(job, row), timeoutSeconds: Math.min(row.timeout_seconds, timeLimitOf(job)) });
    }
    await jobs.complete(transaction, stale);
    await appendEvents(
      transaction,
      attempts.map((attempt) => ({ ...eventOf(attempt, 'RUNNING'), type: 'STARTED' })),
    );
    return { fetched: fetched.length, attempts };
  });
}

export function attemptOf({ id, retryCount = 0 }: Partial<HeldJob> & { id: string }, row: TakenRow): Attempt {
  return {
    job: { id, retryCount },
    runId: row.run_id,
    taskId: row.task_id,
    taskName: row.task_name,
    className: row.class_name,
    data: row.data,
    actorId: row.actor_id,
    attempt: row.attempt,
    trigger: row.trigger,
    slot: row.slot === null ? null : new Date(row.slot),
    checkpoint: row.checkpoint,
    timeoutSeconds: row.timeout_seconds,
  };
}

/** The parts that every event of an attempt has. */
export function eventOf(attempt: Attempt, runState: RunState) {
  const { taskId, taskName, actorId, runId } = attempt;
  return { taskId, taskName, actorId, runId, attempt: attempt.attempt, runState };
}
