import type { RunState, Trigger } from '../entities/run.ts';
import type { NewEvent } from '../events/log.ts';
import type { HeldJob } from '../scheduling/jobs.ts';

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
  /** Where traces are on: its own place in its trace. */
  traceparent?: string;
  /** The trace that all attempts of the run continue. */
  runTraceparent: string | null;
}

/** How an attempt ended. One that its runner gives up, HANDED_BACK, is made again by another, under the same number. */
export interface Outcome {
  state: Extract<RunState, 'SUCCEEDED' | 'FAILED' | 'CANCELLED'> | 'HANDED_BACK';
  message: string;
  /** A failure that no further attempt would mend. */
  permanent?: boolean;
}

/** What an attempt logged last. */
export interface UnwrittenLog {
  events: NewEvent[];
  progress: number | null;
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
  traceparent: string | null;
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
    runTraceparent: row.traceparent,
  };
}

/** The parts that every event of an attempt has. */
export function eventOf(attempt: Attempt, runState: RunState) {
  const { taskId, taskName, actorId, runId } = attempt;
  return { taskId, taskName, actorId, runId, attempt: attempt.attempt, runState };
}
