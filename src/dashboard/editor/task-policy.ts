// What happens to a task's runs when things do not go to plan, as its form has it.
import type { CatchUpPolicy, EditedTaskQuery, OverlapPolicy, TaskClassesQuery } from '../operations.ts';

export type EditedTask = NonNullable<EditedTaskQuery['task']>;
export type TaskClass = TaskClassesQuery['taskClasses'][number];

interface PolicyField {
  label: string;
  hint: string;
  /** Choices, or which numbers it takes. */
  accepts: 'whole' | 'number' | readonly (readonly [value: string, words: string])[];
}

const OVERLAPS: readonly (readonly [OverlapPolicy, string])[] = [
  ['SKIP', 'Skip the slot'],
  ['QUEUE', 'Wait for it to end'],
  ['ALLOW', 'Run beside it'],
  ['CANCEL_RUNNING', 'Cancel it'],
];
const CATCH_UPS: readonly (readonly [CatchUpPolicy, string])[] = [
  ['LATEST', 'Run the newest alone'],
  ['ALL', 'Run every one'],
  ['NONE', 'Run none'],
];

/** By their path in the policy input. */
export const POLICY = {
  overlap: { label: 'Overlap', hint: 'What a slot does while an earlier run has not ended.', accepts: OVERLAPS },
  queueLimit: { label: 'Queue limit', hint: 'How many runs may wait, 1 to 10000.', accepts: 'whole' },
  catchUp: { label: 'Catch-up', hint: 'Which slots are run that were missed in an outage.', accepts: CATCH_UPS },
  catchUpMaxAgeSeconds: {
    label: 'Catch-up max age, seconds',
    hint: 'A missed slot that is older is never run. No bound where it is empty.',
    accepts: 'whole',
  },
  misfireGraceSeconds: {
    label: 'Misfire grace, seconds',
    hint: 'A slot that is so late is missed, 1 to 86400.',
    accepts: 'whole',
  },
  'retry.attempts': { label: 'Attempts', hint: 'Tries of one run, the first included, 1 to 100.', accepts: 'whole' },
  'retry.delaySeconds': {
    label: 'Retry delay, seconds',
    hint: 'Before the second try, 0 to 86400.',
    accepts: 'whole',
  },
  'retry.backoff': {
    label: 'Backoff',
    hint: 'Each further delay is so many times the one before, 1 to 10.',
    accepts: 'number',
  },
  'retry.jitter': {
    label: 'Jitter',
    hint: 'Up to this part of a delay is added at random, 0 to 1.',
    accepts: 'number',
  },
  timeoutSeconds: { label: 'Timeout, seconds', hint: 'What one attempt may take, 1 to 82800.', accepts: 'whole' },
} as const satisfies Record<string, PolicyField>;
export type PolicyName = keyof typeof POLICY;
export const POLICY_NAMES = Object.keys(POLICY) as PolicyName[];

export type PolicyValue = string | number | null;
export type Policy = Record<PolicyName, PolicyValue>;

/** What a new task has where neither its class nor whoever adds it says otherwise. */
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

/** The policy of a new task of the class where whoever adds it does not say. */
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
