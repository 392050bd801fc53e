// The policy of a task in its form: overlap, catch-up, retries and timeout.
import type { CatchUpPolicy, EditedTaskQuery, OverlapPolicy, TaskClassesQuery } from '../operations.ts';

export type EditedTask = NonNullable<EditedTaskQuery['task']>;
export type TaskClass = TaskClassesQuery['taskClasses'][number];

interface PolicyField {
  label: string;
  hint: string;
  /** Its choices, or the kind of its number. */
  accepts: 'whole' | 'number' | readonly (readonly [value: string, words: string])[];
}

const OVERLAPS: readonly (readonly [OverlapPolicy, string])[] = [
  ['SKIP', 'Skip the slot'],
  ['QUEUE', 'Wait for the earlier run'],
  ['ALLOW', 'Run concurrently'],
  ['CANCEL_RUNNING', 'Cancel the earlier run'],
];
const CATCH_UPS: readonly (readonly [CatchUpPolicy, string])[] = [
  ['LATEST', 'Run only the latest'],
  ['ALL', 'Run all'],
  ['NONE', 'Run none'],
];

/** By their path in the policy input. */
export const POLICY = {
  overlap: { label: 'Overlap', hint: 'What happens to a slot while an earlier run has not ended.', accepts: OVERLAPS },
  queueLimit: { label: 'Queue limit', hint: 'Maximum number of waiting runs, 1 to 10000.', accepts: 'whole' },
  catchUp: { label: 'Catch-up', hint: 'Which of the slots missed in an outage are run.', accepts: CATCH_UPS },
  catchUpMaxAgeSeconds: {
    label: 'Catch-up max age, seconds',
    hint: 'Missed slots that are older are never run. Empty: no limit.',
    accepts: 'whole',
  },
  misfireGraceSeconds: {
    label: 'Misfire grace, seconds',
    hint: 'A slot that is later than this counts as missed, 1 to 86400.',
    accepts: 'whole',
  },
  'retry.attempts': { label: 'Attempts', hint: 'Attempts per run, including the first, 1 to 100.', accepts: 'whole' },
  'retry.delaySeconds': {
    label: 'Retry delay, seconds',
    hint: 'Delay before the second attempt, 0 to 86400.',
    accepts: 'whole',
  },
  'retry.backoff': {
    label: 'Backoff',
    hint: 'Factor between one delay and the next, 1 to 10.',
    accepts: 'number',
  },
  'retry.jitter': {
    label: 'Jitter',
    hint: 'Up to this fraction of a delay is added at random, 0 to 1.',
    accepts: 'number',
  },
  timeoutSeconds: { label: 'Timeout, seconds', hint: 'Maximum duration of one attempt, 1 to 82800.', accepts: 'whole' },
} as const satisfies Record<string, PolicyField>;
export type PolicyName = keyof typeof POLICY;
export const POLICY_NAMES = Object.keys(POLICY) as PolicyName[];

export type PolicyValue = string | number | null;
export type Policy = Record<PolicyName, PolicyValue>;

/** The default policy of a new task, unless its class or its creator sets another. */
export const PRODUCT_POLICY: Policy = {
  overlap: 'SKIP',
  queueLimit: 100,
  catchUp: 'LATEST',
  catchUpMaxAgeSeconds: null,
  misfireGraceSeconds: 60,
  'retry.attempts': 1,
  'retry.delaySeconds': 30,
  'retry.backoff': 2,
  'retry.jitter': 0,
  timeoutSeconds: 900,
};

/** The default policy of a new task of the class. */
export function defaultPolicy(taskClass: TaskClass | undefined): Policy {
  const { overlap, timeoutSeconds, retry } = taskClass?.defaults ?? {};
  const { attempts, delaySeconds, backoff, jitter } = retry ?? {};
  return {
    ...PRODUCT_POLICY,
    overlap: overlap ?? PRODUCT_POLICY.overlap,
    timeoutSeconds: timeoutSeconds ?? PRODUCT_POLICY.timeoutSeconds,
    'retry.attempts': attempts ?? PRODUCT_POLICY['retry.attempts'],
    'retry.delaySeconds': delaySeconds ?? PRODUCT_POLICY['retry.delaySeconds'],
    'retry.backoff': backoff ?? PRODUCT_POLICY['retry.backoff'],
    'retry.jitter': jitter ?? PRODUCT_POLICY['retry.jitter'],
  };
}

export function policyOf(task: EditedTask): Policy {
  const { overlap, queueLimit, catchUp, catchUpMaxAgeSeconds, misfireGraceSeconds, retry, timeoutSeconds } = task;
  return {
    overlap,
    queueLimit,
    catchUp,
    catchUpMaxAgeSeconds,
    misfireGraceSeconds,
    'retry.attempts': retry.attempts,
    'retry.delaySeconds': retry.delaySeconds,
    'retry.backoff': retry.backoff,
    'retry.jitter': retry.jitter,
    timeoutSeconds,
  };
}
