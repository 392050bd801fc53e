// Settles ended attempts. Locks are taken in the order task (in id order), job, run; taking attempts locks no task.
// Jobs and runs are locked in no order, so two transactions may deadlock: PostgreSQL then aborts one, and
// `inTransaction` retries it.

import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { PREPARED } from '../database/prepared.ts';
import { inTransaction } from '../database/transaction.ts';
import type { EventType } from '../entities/event.ts';
import type { RunState } from '../entities/run.ts';
import { insertEvents, type NewEvent } from '../events/log.ts';
import type { Jobs, NewJob } from '../scheduling/jobs.ts';
import { releaseWaiting } from '../scheduling/release.ts';
import { type Attempt, type EndedAttempt, eventOf } from './attempt.ts';

interface TaskPolicy {
  id: number;
  retry_attempts: number;
  retry_delay_seconds: number;
  retry_backoff: number;
  retry_jitter: number;
  timeout_seconds: number;
  class_name: string;
  is_deleted: boolean;
}

const MAX_RETRY_DELAY_SECONDS = 86_400;

/** Locks the tasks in id order, so that one process at a time decides whether a waiting run is next. */
export async function lockTasks(em: EntityManager, taskIds: readonly number[]): Promise<Map<number, TaskPolicy>> {
  const { rows } = await sql<TaskPolicy>`${PREPARED}
    select id, retry_attempts, retry_delay_seconds, retry_backoff, retry_jitter, timeout_seconds, class_name,
      deleted_at is not null as is_deleted
    from task where id = any(${taskIds}) order by id for no key update
  `.execute(em.getKysely());
  return new Map(rows.map((row) => [row.id, row]));
}

/** The outcome of an ended attempt for its run: finished in a state, or retried with the next job. */
type Settlement =
  | { state: Extract<RunState, 'SUCCEEDED' | 'FAILED' | 'CANCELLED'>; message: string; next: null }
  | { state: 'FAILED' | 'HANDED_BACK'; message: string; next: NewJob };

function settlementOf({ attempt, outcome }: EndedAttempt, policy: TaskPolicy, cancelled: boolean): Settlement {
  const { state, message, permanent = false } = outcome;
  const isRetried = state === 'FAILED' && !permanent && attempt.attempt < policy.retry_attempts;
  if (state !== 'HANDED_BACK' && !isRetried) {
    return { state, message, next: null };
  }
  // Whoever asked while it ran that it be cancelled, or deleted its task, sees no further attempt.
  const why = cancelled ? 'Cancelled on request.' : policy.is_deleted ? 'Cancelled: its task was deleted.' : null;
  if (why !== null) return { state: 'CANCELLED', message: `${why} The last attempt: ${message}`, next: null };
  return { state, message, next: nextJob(attempt, state, policy) };
}

function nextJob({ runId, attempt }: Attempt, state: 'FAILED' | 'HANDED_BACK', policy: TaskPolicy): NewJob {
  const job = { id: randomUUID(), runId, timeoutSeconds: policy.timeout_seconds, className: policy.class_name };
  if (state === 'HANDED_BACK') return { ...job, attempt, delaySeconds: 0 };
  const delay =
    policy.retry_delay_seconds * policy.retry_backoff ** (attempt - 1) * (1 + policy.retry_jitter * Math.random());
  return { ...job, attempt: attempt + 1, delaySeconds: Math.round(Math.min(delay, MAX_RETRY_DELAY_SECONDS)) };
}

/**
 * The runs of `ended` with a cancellation request; requests are made under the task's row lock, which the caller holds.
 */
async function findCancelled(em: EntityManager, ended: readonly EndedAttempt[]): Promise<Set<number>> {
  const runIds = ended.filter(({ outcome }) => outcome.state !== 'SUCCEEDED').map(({ attempt }) => attempt.runId);
  if (runIds.length === 0) return new Set();
  const { rows } = await sql<{ id: number }>`
    select id from run where id = any(${runIds}) and cancel_requested_at is not null
  `.execute(em.getKysely());
  return new Set(rows.map(({ id }) => id));
}

/** What settling left to do. */
export interface Settled {
  /** Attempts that others have taken over. */
  lost: Attempt[];
  /** Whether jobs were sent, for further attempts or for runs that waited. */
  sent: boolean;
}

/**
 * Settles attempts that ended together: the jobs, the runs, their events and the tasks' last run commit together.
 * Attempts whose job this worker no longer holds are left alone and returned; whoever took them over settles them.
 */
export function settleAttempts(em: EntityManager, jobs: Jobs, ended: readonly EndedAttempt[]): Promise<Settled> {
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
    const sent = await writeSettlements(transaction, jobs, ours, policies);
    return { sent, lost: ended.filter(({ attempt }) => !held.has(attempt.job.id)).map(({ attempt }) => attempt) };
  });
}

/**
 * Writes how attempts ended; the caller holds the tasks' row locks and has ended the jobs. Says whether jobs were sent.
 */
export async function writeSettlements(
  em: EntityManager,
  jobs: Jobs,
  ended: readonly EndedAttempt[],
  policies: ReadonlyMap<number, TaskPolicy>,
): Promise<boolean> {
  if (ended.length === 0) return false;
  const cancelled = await findCancelled(em, ended);
  const settlements = ended.map((each) => {
    const policy = policies.get(each.attempt.taskId);
    if (policy === undefined) throw new Error(`task ${each.attempt.taskId} is not locked`);
    return { ...each, ...settlementOf(each, policy, cancelled.has(each.attempt.runId)) };
  });
  const taskIds = [...policies.keys()];
  const hasWaiting = await updateRuns(em, settlements, taskIds);
  const next = settlements.flatMap((settlement) => settlement.next ?? []);
  await jobs.send(em, next);
  const released = hasWaiting ? await releaseWaiting(em, jobs, taskIds) : 0;
  return next.length + released > 0;
}

type Settling = EndedAttempt & Settlement;

function eventsOf({ attempt, log, state, message, next }: Settling): NewEvent[] {
  const end: NewEvent =
    next === null
      ? { ...eventOf(attempt, state as RunState), type: state as EventType, message }
      : { ...eventOf(attempt, 'QUEUED'), type: 'RETRYING', message };
  return [...log.events, end];
}

/**
 * The runs, their events and the tasks' last run in one statement. Throws, and so rolls everything back, unless each run
 * is still the one that its worker started. Says whether a run of the tasks waits for its turn: what was made to wait by
 * those who held the tasks' locks before can be seen, since this statement began after the caller got them.
 */
async function updateRuns(em: EntityManager, settling: readonly Settling[], taskIds: readonly number[]) {
  const runs = settling.map(({ attempt }) => attempt);
  const succeeded = settling.filter(({ state }) => state === 'SUCCEEDED').map(({ attempt }) => attempt.taskId);
  const { rows } = await sql<{ count: number; waiting: boolean }>`${PREPARED}
    with settled as (
      update run set state = s.state, message = s.message, job_id = s.next_job,
        progress = coalesce(s.progress, run.progress),
        finished_at = case when s.next_job is null then now() end,
        checkpoint = case when s.next_job is not null then run.checkpoint end,
        next_attempt_at = now() + make_interval(secs => s.delay), traceparent = s.traceparent
      from unnest(${runs.map(({ runId }) => runId)}::bigint[], ${runs.map(({ job }) => job.id)}::uuid[],
        ${settling.map(({ state, next }) => (next === null ? state : 'QUEUED'))}::text[],
        ${settling.map(({ message }) => message)}::text[], ${settling.map(({ log }) => log.progress)}::float8[],
        ${settling.map(({ next }) => next?.id ?? null)}::uuid[],
        ${settling.map(({ next }) => next?.delaySeconds ?? null)}::int[],
        ${runs.map(({ runTraceparent }) => runTraceparent)}::text[]
      ) as s (run, held_job, state, message, progress, next_job, delay, traceparent)
      where run.id = s.run and run.job_id = s.held_job and run.state = 'RUNNING'
      returning run.id
    ), told as (${insertEvents(settling.flatMap(eventsOf))}),
    succeeded as (update task set last_run_at = now() where id = any(${succeeded}::int[]))
    select (select count(*) from settled) as count, exists (
      select from run where task_id = any(${[...taskIds]}::int[]) and state = 'QUEUED' and job_id is null) as waiting
  `.execute(em.getKysely());
  const { count = 0, waiting = false } = rows[0] ?? {};
  if (count !== settling.length) throw new Error(`${settling.length} runs were to be settled and ${count} could be`);
  return waiting;
}
