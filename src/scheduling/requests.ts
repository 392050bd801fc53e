// Runs on request, and cancellation. All of it under the task's row lock, which the caller holds.
import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Task } from '../entities/index.ts';
import type { RunState, Trigger } from '../entities/run.ts';
import { appendEvents } from '../events/log.ts';
import { conflict } from '../lib/faults.ts';
import { toGlobalId } from '../lib/global-id.ts';
import type { Attributes, Span } from '../tracing/tracing.ts';
import type { Jobs } from './jobs.ts';
import { cancelOpenRuns, countOpenRuns, decideOverlap, NONE_OPEN } from './overlap.ts';
import { releaseWaiting } from './release.ts';

/** The requesting user. */
type Asking = { id: number };

interface RunRequest {
  trigger: Extract<Trigger, 'MANUAL' | 'RETRY'>;
  actor: Asking;
  /** Data for this run alone, JSON text. */
  data?: string | null;
  /** The slot and the run that a retry repeats. */
  slot?: string | null;
  retryOf?: number | null;
  /** The span of the request; null if tracing is off. */
  span?: Span | null;
}

/**
 * Makes a run of a task and sends its job, or lets it wait where the overlap policy runs one at a time: a run by
 * request is never skipped. CONFLICT when as many wait as the task's queue limit allows. Returns the run's id.
 */
export async function requestRun(em: EntityManager, jobs: Jobs, task: Task, request: RunRequest): Promise<number> {
  if (task.overlap === 'CANCEL_RUNNING') await cancelOpenRuns(em, [task.id]);
  const open = task.overlap === 'ALLOW' ? undefined : (await countOpenRuns(em, [task.id])).get(task.id);
  const decision = decideOverlap(task.overlap, open ?? NONE_OPEN, task.queueLimit, true);
  if (decision === 'SKIP') throw conflict(`the task already has ${open?.waiting} waiting runs, the most allowed`);
  const jobId = decision === 'SEND' ? randomUUID() : null;
  const put = request.span?.put('queue run', traced(task, request.trigger));
  const { rows } = await sql<{ id: number }>`
    with queued as (
      insert into run (task_id, slot, trigger, state, retry_of_id, actor_id, data, job_id, queued_at, traceparent)
      values (${task.id}, ${request.slot ?? null}, ${request.trigger}, 'QUEUED', ${request.retryOf ?? null},
        ${request.actor.id}, ${request.data ?? null}, ${jobId}, now(), ${put?.traceparent ?? null})
      returning *
    ), told as (
      insert into event (type, task_id, task_name, actor_id, run_id, run_state, attempt)
      select state, task_id, ${task.name}, actor_id, id, state, attempt from queued
    )
    select id from queued
  `.execute(em.getKysely());
  const runId = rows[0]?.id;
  if (runId === undefined) throw new Error('the run was not inserted');
  if (jobId !== null) {
    const { timeoutSeconds, className } = task;
    await jobs.send(em, [{ id: jobId, runId, attempt: 1, timeoutSeconds, className }]);
  }
  put?.set({ 'slotkeeper.run.id': toGlobalId('Run', runId) });
  put?.end();
  return runId;
}

/** What a trace shows of putting runs of a task into the queue. */
function traced(task: Task, trigger: Trigger): Attributes {
  return {
    'slotkeeper.task.id': toGlobalId('Task', task.id),
    'slotkeeper.task.class': task.className,
    'slotkeeper.run.trigger': trigger,
  };
}

/** The requester of a backfill. */
interface BackfillRequest {
  actor: Asking;
  /** The span of the request; null if tracing is off. */
  span: Span | null;
}

/**
 * Creates a run of each slot, in order. Like other requested runs they are never skipped. If the overlap policy allows
 * one run at a time, they wait for each other and for the running one, which CANCEL_RUNNING does not cancel for them.
 * Returns the id of the first; all have the same `queued_at`, the time of the transaction. There must be at least one
 * slot.
 */
export async function backfillSlots(
  em: EntityManager,
  jobs: Jobs,
  task: Task,
  slots: readonly Date[],
  { actor, span }: BackfillRequest,
): Promise<number> {
  const put = span?.put('queue runs', { ...traced(task, 'BACKFILL'), 'slotkeeper.runs': slots.length });
  const { rows } = await sql<{ id: number }>`
    insert into run (task_id, slot, trigger, state, actor_id, queued_at, traceparent)
    select ${task.id}, slot, 'BACKFILL', 'QUEUED', ${actor.id}, now(), ${put?.traceparent ?? null}
    from unnest(${slots}::timestamptz[]) with ordinality as s (slot, position) order by position
    returning id
  `.execute(em.getKysely());
  const event = { taskId: task.id, taskName: task.name, actorId: actor.id, attempt: 0 };
  await appendEvents(
    em,
    rows.map(({ id }) => ({ ...event, type: 'QUEUED', runId: id, runState: 'QUEUED' })),
  );
  await releaseWaiting(em, jobs, [task.id]);
  put?.end();
  const [first] = rows;
  if (first === undefined) throw new Error('no run was inserted');
  return first.id;
}

const CANCELLED = 'Cancelled on request.';

/**
 * Cancels a run: at once while it is queued, by asking its runner while it is running. CONFLICT for one that is
 * finished. An executor that takes the run at this moment either finds it cancelled, or is seen as running here, since
 * both update the run's row.
 */
export async function cancelRun(
  em: EntityManager,
  jobs: Jobs,
  task: Task,
  runId: number,
  actor: Asking,
): Promise<void> {
  const database = em.getKysely();
  const { rows: cancelled } = await sql<{ attempt: number }>`
    update run set state = 'CANCELLED', finished_at = now(), job_id = null, next_attempt_at = null, checkpoint = null,
      message = ${CANCELLED}
    where id = ${runId} and state = 'QUEUED' returning attempt
  `.execute(database);
  const queued = cancelled[0];
  if (queued !== undefined) {
    const event = { taskId: task.id, taskName: task.name, actorId: actor.id, runId, attempt: queued.attempt };
    await appendEvents(em, [{ ...event, type: 'CANCELLED', message: CANCELLED, runState: 'CANCELLED' }]);
    await releaseWaiting(em, jobs, [task.id]);
    return;
  }
  const { rows } = await sql<{ state: RunState }>`
    update run set cancel_requested_at = case when state = 'RUNNING' then coalesce(cancel_requested_at, now()) end
    where id = ${runId} returning state
  `.execute(database);
  if (rows[0]?.state !== 'RUNNING') throw conflict(`the run is already ${rows[0]?.state}`, 'run');
}
