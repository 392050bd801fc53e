// The policy of a task (overlap, catch-up, retries): as users give it, and as the table stores it.
import { type CatchUpPolicy, type OverlapPolicy, POLICY_BOUNDS } from '../entities/task.ts';
import { badInput } from '../lib/faults.ts';
import type { TaskDefaults } from '../task-classes/task-class.ts';

export interface RetryPolicy {
  /** Tries of one run, the first included. */
  attempts: number;
  delaySeconds: number;
  /** The factor by which each delay grows. */
  backoff: number;
  /** Up to this part of a delay is added to it at random, 0 to 1. */
  jitter: number;
}

export interface TaskPolicy {
  overlap: OverlapPolicy;
  queueLimit: number;
  catchUp: CatchUpPolicy;
  misfireGraceSeconds: number;
  /** null is no bound. */
  catchUpMaxAgeSeconds: number | null;
  retry: RetryPolicy;
  timeoutSeconds: number;
}

/** Fields that may be left out; null says the same, but where null is a value. */
type Optional<Fields> = { [Field in keyof Fields]?: Fields[Field] | null | undefined };

/** A policy as given. A field that is left out keeps its value. */
export interface PolicyChange extends Optional<Omit<TaskPolicy, 'retry'>> {
  retry?: Optional<RetryPolicy> | null | undefined;
}

/** The policy columns of a task. */
export interface PolicyColumns {
  overlap?: OverlapPolicy;
  queueLimit?: number;
  catchUp?: CatchUpPolicy;
  misfireGraceSeconds?: number;
  catchUpMaxAgeSeconds?: number | null;
  retryAttempts?: number;
  retryDelaySeconds?: number;
  retryBackoff?: number;
  retryJitter?: number;
  timeoutSeconds?: number;
}

/** The columns that a change sets. BAD_USER_INPUT at paths such as `policy.retry.attempts`. */
export function readPolicy(policy: PolicyChange): PolicyColumns {
  const bound = (column: keyof typeof POLICY_BOUNDS, value: number | null | undefined, ...inner: string[]) => {
    const [least, most] = POLICY_BOUNDS[column];
    if (value === null || value === undefined || (value >= least && value <= most)) return value ?? undefined;
    const path = inner.length === 0 ? [column] : inner;
    throw badInput(['policy', ...path], `must be ${least} to ${most}, got ${value}`);
  };
  const { retry, catchUpMaxAgeSeconds } = policy;
  return withoutUndefined({
    overlap: policy.overlap ?? undefined,
    queueLimit: bound('queueLimit', policy.queueLimit),
    catchUp: policy.catchUp ?? undefined,
    misfireGraceSeconds: bound('misfireGraceSeconds', policy.misfireGraceSeconds),
    catchUpMaxAgeSeconds: catchUpMaxAgeSeconds === null ? null : bound('catchUpMaxAgeSeconds', catchUpMaxAgeSeconds),
    retryAttempts: bound('retryAttempts', retry?.attempts, 'retry', 'attempts'),
    retryDelaySeconds: bound('retryDelaySeconds', retry?.delaySeconds, 'retry', 'delaySeconds'),
    retryBackoff: bound('retryBackoff', retry?.backoff, 'retry', 'backoff'),
    retryJitter: bound('retryJitter', retry?.jitter, 'retry', 'jitter'),
    timeoutSeconds: bound('timeoutSeconds', policy.timeoutSeconds),
  });
}

/** The columns that a class sets for a new task, unless the user sets them. */
export function policyOfClass({ timeoutSeconds, overlap, retry }: TaskDefaults): PolicyColumns {
  return withoutUndefined({
    timeoutSeconds,
    overlap,
    retryAttempts: retry?.attempts,
    retryDelaySeconds: retry?.delaySeconds,
    retryBackoff: retry?.backoff,
    retryJitter: retry?.jitter,
  });
}

export function policyOfColumns(columns: Required<PolicyColumns>): TaskPolicy {
  return {
    overlap: columns.overlap,
    queueLimit: columns.queueLimit,
    catchUp: columns.catchUp,
    misfireGraceSeconds: columns.misfireGraceSeconds,
    catchUpMaxAgeSeconds: columns.catchUpMaxAgeSeconds,
    retry: {
      attempts: columns.retryAttempts,
      delaySeconds: columns.retryDelaySeconds,
      backoff: columns.retryBackoff,
      jitter: columns.retryJitter,
    },
    timeoutSeconds: columns.timeoutSeconds,
  };
}

function withoutUndefined(columns: Record<string, unknown>): PolicyColumns {
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined)) as PolicyColumns;
}
