import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { OverlapPolicy } from '../entities/task.ts';
import { appendEvents } from '../events/log.ts';

/** A task's unfinished runs; read and used under the task's row lock. */
export interface OpenRuns {
  /** Running, sent, or waiting. */
  open: number;
  /** QUEUED without a job. */
  waiting: number;
}

export const NONE_OPEN: OpenRuns = { open: 0, waiting: 0 };

type OverlapDecision = 'SEND' | 'WAIT' | 'SKIP';

/**
 * What becomes of one more run of a task. `mayWait` is for runs that are never skipped: by request, and catching up.
 * A waiting run has no job; whoever settles the running one sends the oldest waiting one's.
 */
export function decideOverlap(
  policy: OverlapPolicy,
  { open, waiting }: OpenRuns,
  queueLimit: number,
  mayWait: boolean,
): OverlapDecision {
  if (policy === 'ALLOW' || open === 0) return 'SEND';
  if (policy === 'CANCEL_RUNNING') return 'WAIT';
  const room = waiting < queueLimit;
  return room && (policy === 'QUEUE' || mayWait) ? 'WAIT' : 'SKIP';
}

/** The unfinished runs of the tasks, which the caller has locked. Tasks without any are absent. */
export async function countOpenRuns(em: EntityManager, taskIds: readonly number[]): Promise<Map<number, OpenRuns>> {
  if (taskIds.length === 0) return new Map();
  const { rows } = await sql<OpenRuns & { task_id: number }>`
    select task_id, count(*)::int as open, count(*) filter (where job_id is null)::int as waiting
    from run where task_id = any(${taskIds}) and state in ('QUEUED', 'RUNNING') group by task_id
  `.execute(em.getKysely());
  return new Map(rows.map(({ task_id, open, waiting }) => [task_id, { open, waiting }]));
}

const SUPERSEDED = 'Cancelled: a newer run of the task is due.';

/**
 * Makes way for a newer run under the CANCEL_RUNNING policy: queued runs end at once, running ones are asked to. The
 * caller holds the tasks' row locks. A queued run that an executor takes at this moment is either cancelled here, and
 * the executor finds it so, or is seen as running by the second statement.
 */
export async function cancelOpenRuns(em: EntityManager, taskIds: readonly number[]): Promise<void> {
  if (taskIds.length === 0) return;
  await cancelQueuedRuns(em, taskIds, { message: SUPERSEDED });
  await sql`
    update run set cancel_requested_at = now()
    where task_id = any(${taskIds}) and state = 'RUNNING' and cancel_requested_at is null
  `.execute(em.getKysely());
}

/** Ends the queued runs of tasks whose row locks the caller holds. The actor is the run's requester by default. */
export async function cancelQueuedRuns(
  em: EntityManager,
  taskIds: readonly number[],
  { message, actorId }: { message: string; actorId?: number },
): Promise<void> {
  const { rows } = await sql<{ id: number; task_id: number; name: string; actor_id: number; attempt: number }>`
    update run set state = 'CANCELLED', finished_at = now(), job_id = null, next_attempt_at = null, checkpoint = null,
      message = ${message}
    from task
    where task.id = run.task_id and run.task_id = any(${taskIds}) and run.state = 'QUEUED'
    returning run.id, run.task_id, task.name, run.actor_id, run.attempt
  `.execute(em.getKysely());
  await appendEvents(
    em,
    rows.map((run) => ({
      type: 'CANCELLED' as const,
      taskId: run.task_id,
      taskName: run.name,
      actorId: actorId ?? run.actor_id,
      message,
      runId: run.id,
      runState: 'CANCELLED' as const,
      attempt: run.attempt,
    })),
  );
}
