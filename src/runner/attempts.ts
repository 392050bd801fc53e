// How attempts are taken and settled in the database. Locks are taken in the order task,
// job, run everywhere but in `takeAttempts`, which locks no task; so no two of these wait for each other in a circle.
import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Job } from 'pg-boss';
import { inTransaction } from '../database/transaction.ts';
import type { EventType } from '../entities/event.ts';
import type { RunState } from '../entities/run.ts';
import { appendEvents } from '../events/log.ts';
import type { UnwrittenLog } from './attempt-log.ts';
import type { AttemptJob, HeldJob, Jobs } from './jobs.ts';
import { releaseWaiting } from './release.ts';

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
  timeoutSeconds: number;
}

/** How an attempt ended. */
export interface Outcome {
  state: Extract<RunState, 'SUCCEEDED' | 'FAILED' | 'CANCELLED'>;
  message: string;
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
  timeout_seconds: number;
}

/**
 * Takes up to `count` attempts: the jobs, the runs' state and the STARTED events commit together, so a process killed
 * before has taken nothing. A job whose run is no longer QUEUED for it (cancelled meanwhile) is ended on the spot.
 */
export function takeAttempts(
  em: EntityManager,
  jobs: Jobs,
  count: number,
): Promise<{ fetched: number; attempts: Attempt[] }> {
  return inTransaction(em, async (transaction) => {
    const fetched = await jobs.fetch(transaction, count);
    if (fetched.length === 0) return { fetched: 0, attempts: [] };
    const wanted = fetched.map(({ id, data }) => ({ id, run: data.runId, attempt: data.attempt }));
    const { rows } = await sql<TakenRow>`
      update run set state = 'RUNNING', attempt = j.attempt, next_attempt_at = null,
        started_at = coalesce(run.started_at, now())
      from json_to_recordset(${JSON.stringify(wanted)}::json) as j (id uuid, run bigint, attempt int), task
      where run.id = j.run and run.job_id = j.id and run.state = 'QUEUED' and task.id = run.task_id
      returning run.job_id, run.id as run_id, run.task_id, task.name as task_name, task.class_name,
        coalesce(run.data, task.data) as data, run.actor_id, run.attempt, task.timeout_seconds
    `.execute(transaction.getKysely());
    const byJob = new Map(rows.map((row) => [row.job_id, row]));
    const attempts: Attempt[] = [];
    const stale: Job<AttemptJob>[] = [];
    for (const job of fetched) {
      const row = byJob.get(job.id);
      if (row === undefined) stale.push(job);
      else attempts.push(attemptOf(job, row));
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
    timeoutSeconds: row.timeout_seconds,
  };
}

/** The parts that every event of an attempt has. */
export function eventOf(attempt: Attempt, runState: RunState) {
  const { taskId, taskName, actorId, runId } = attempt;
  return { taskId, taskName, actorId, runId, attempt: attempt.attempt, runState };
}

interface TaskPolicy {
  id: number;
  retry_attempts: number;
  retry_delay_seconds: number;
  retry_backoff: number;
  timeout_seconds: number;
}

const MAX_RETRY_DELAY_SECONDS = 86_400;

/** Locks the tasks in id order, so that whether a waiting run goes next is decided by one process at a time. */
export async function lockTasks(em: EntityManager, taskIds: readonly number[]): Promise<Map<number, TaskPolicy>> {
  const { rows } = await sql<TaskPolicy>`
    select id, retry_attempts, retry_delay_seconds, retry_backoff, timeout_seconds
    from task where id = any(${taskIds}) order by id for no key update
  `.execute(em.getKysely());
  return new Map(rows.map((row) => [row.id, row]));
}

/** What a settled attempt makes of its run. */
interface Settlement {
  runId: number;
  /** The job that the run still carries: the fence. */
  heldJobId: string;
  state: RunState;
  message: string;
  nextJobId: string | null;
  delaySeconds: number | null;
  /** Null leaves it as it is. */
  progress: number | null;
}

function settlementOf({ attempt, outcome, log }: EndedAttempt, policy: TaskPolicy | undefined): Settlement {
  const common = { runId: attempt.runId, heldJobId: attempt.job.id, message: outcome.message, progress: log.progress };
  const again = outcome.state === 'FAILED' && policy !== undefined && attempt.attempt < policy.retry_attempts;
  if (!again) return { ...common, state: outcome.state, nextJobId: null, delaySeconds: null };
  const delay = policy.retry_delay_seconds * policy.retry_backoff ** (attempt.attempt - 1);
  const delaySeconds = Math.round(Math.min(delay, MAX_RETRY_DELAY_SECONDS));
  return { ...common, state: 'QUEUED', nextJobId: randomUUID(), delaySeconds };
}

/**
 * Settles attempts that ended together: the jobs, the runs, their events and the tasks' last run commit together.
 * Attempts whose job this worker no longer holds are left alone and returned; whoever took them over settles them.
 */
export function settleAttempts(em: EntityManager, jobs: Jobs, ended: readonly EndedAttempt[]): Promise<Attempt[]> {
  return inTransaction(em, async (transaction) => {
    const policies = await lockTasks(
      transaction,
      ended.map(({ attempt }) => attempt.taskId),
    );
    const held = await jobs.complete(
      transaction,
      ended.map(({ attempt }) => attempt.job),
    );
    const ours = ended.filter(({ attempt }) => held.has(attempt.job.id));
    await writeSettlements(transaction, jobs, ours, policies);
    return ended.filter(({ attempt }) => !held.has(attempt.job.id)).map(({ attempt }) => attempt);
  });
}

/** Writes how attempts ended; the caller holds the tasks' row locks and has ended the jobs. */
export async function writeSettlements(
  em: EntityManager,
  jobs: Jobs,
  ended: readonly EndedAttempt[],
  policies: ReadonlyMap<number, TaskPolicy>,
): Promise<void> {
  if (ended.length === 0) return;
  const settlements = ended.map((each) => settlementOf(each, policies.get(each.attempt.taskId)));
  await updateRuns(em, settlements);
  await jobs.send(
    em,
    settlements.flatMap(({ nextJobId, delaySeconds }, index) => {
      const attempt = ended[index]?.attempt;
      if (nextJobId === null || attempt === undefined) return [];
      const timeoutSeconds = policies.get(attempt.taskId)?.timeout_seconds ?? attempt.timeoutSeconds;
      const next = attempt.attempt + 1;
      return [{ id: nextJobId, runId: attempt.runId, attempt: next, timeoutSeconds, delaySeconds: delaySeconds ?? 0 }];
    }),
  );
  await appendEvents(
    em,
    ended.flatMap(({ attempt, outcome, log }, index) => {
      const state = settlements[index]?.state ?? outcome.state;
      const type: EventType = state === 'QUEUED' ? 'RETRYING' : outcome.state;
      return [...log.events, { ...eventOf(attempt, state), type, message: outcome.message }];
    }),
  );
  const taskIds = ended.map(({ attempt }) => attempt.taskId);
  const succeeded = ended.filter(({ outcome }) => outcome.state === 'SUCCEEDED').map(({ attempt }) => attempt.taskId);
  if (succeeded.length > 0) {
    await sql`update task set last_run_at = now() where id = any(${succeeded})`.execute(em.getKysely());
  }
  await releaseWaiting(em, jobs, taskIds);
}

/** Throws, and so rolls everything back, unless each run is still the one that its worker started. */
export async function updateRuns(em: EntityManager, settlements: readonly Settlement[]): Promise<void> {
  const { rows } = await sql`
    update run set state = s.state, message = s.message, job_id = s."nextJobId",
      progress = coalesce(s.progress, run.progress),
      finished_at = case when s."nextJobId" is null then now() end,
      next_attempt_at = now() + make_interval(secs => s."delaySeconds")
    from json_to_recordset(${JSON.stringify(settlements)}::json) as s (
      "runId" bigint, "heldJobId" uuid, state text, message text, "nextJobId" uuid, "delaySeconds" int, progress float8)
    where run.id = s."runId" and run.job_id = s."heldJobId" and run.state = 'RUNNING'
    returning run.id
  `.execute(em.getKysely());
  if (rows.length !== settlements.length) {
    throw new Error(`${settlements.length} runs were to be settled and ${rows.length} could be`);
  }
}
