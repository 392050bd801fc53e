import { builder } from '../builder.ts';
import { CatchUpPolicyEnum, OverlapPolicyEnum } from '../enums.ts';

const RetryPolicyInput = builder.inputType('RetryPolicyInput', {
  description: 'How failed attempts are retried. A field left out keeps its value, or its default in a new task.',
  fields: (t) => ({
    attempts: t.int({ description: 'Attempts a run may take, including the first, 1 to 100; 1 by default.' }),
    delaySeconds: t.int({ description: 'Seconds before the second attempt, 0 to 86400; 30 by default.' }),
    backoff: t.float({ description: 'Factor by which each further delay grows, 1 to 10; 2 by default.' }),
    jitter: t.float({
      description: 'Up to this fraction of each delay is added to it at random, 0 to 1; 0 by default.',
    }),
  }),
});

export const TaskPolicyInput = builder.inputType('TaskPolicyInput', {
  description: 'Overlap, catch-up, retry and timeout. A field left out keeps its value, or its default in a new task.',
  fields: (t) => ({
    overlap: t.field({
      type: OverlapPolicyEnum,
      description: 'What happens when a slot is due while a run is unfinished; SKIP by default.',
    }),
    queueLimit: t.int({
      description: 'Runs that may wait under the overlap policy QUEUE, 1 to 10000; 100 by default.',
    }),
    catchUp: t.field({ type: CatchUpPolicyEnum, description: 'Which missed slots run; LATEST by default.' }),
    misfireGraceSeconds: t.int({
      description: 'Seconds after which a late slot counts as missed, 1 to 86400; 60 by default.',
    }),
    catchUpMaxAgeSeconds: t.int({
      description: 'Missed slots older than this many seconds never run, 0 or more; null for no limit.',
    }),
    retry: t.field({ type: RetryPolicyInput, description: 'How failed attempts are retried.' }),
    timeoutSeconds: t.int({ description: 'Seconds an attempt may take, 1 to 82800; 900 by default.' }),
  }),
});
