import { builder } from '../builder.ts';
import { CatchUpPolicyEnum, OverlapPolicyEnum } from '../enums.ts';

const RetryPolicyInput = builder.inputType('RetryPolicyInput', {
  description: 'How a failed attempt is tried again. A field left out stays as it is.',
  fields: (t) => ({
    attempts: t.int({ description: 'Tries of one run, the first included, 1 to 100; 1 unless given.' }),
    delaySeconds: t.int({ description: 'Seconds before the second try, 0 to 86400; 30 unless given.' }),
    backoff: t.float({ description: 'Each further delay is this many times the one before, 1 to 10; 2 unless given.' }),
    jitter: t.float({ description: 'Up to this part of a delay is added to it at random, 0 to 1; 0 unless given.' }),
  }),
});

export const TaskPolicyInput = builder.inputType('TaskPolicyInput', {
  description: 'What happens when things do not go to plan. A field left out stays as it is.',
  fields: (t) => ({
    overlap: t.field({
      type: OverlapPolicyEnum,
      description: 'What a slot does to an unfinished run; SKIP unless given.',
    }),
    queueLimit: t.int({ description: 'How many runs may wait, 1 to 10000; 100 unless given.' }),
    catchUp: t.field({ type: CatchUpPolicyEnum, description: 'Which missed slots are run; LATEST unless given.' }),
    misfireGraceSeconds: t.int({
      description: 'A slot is missed once it is so many seconds late, 1 to 86400; 60 unless given.',
    }),
    catchUpMaxAgeSeconds: t.int({
      description: 'A missed slot older than so many seconds is never run, 0 and up; null for no bound.',
    }),
    retry: t.field({ type: RetryPolicyInput, description: 'How a failed attempt is tried again.' }),
    timeoutSeconds: t.int({ description: 'Seconds that one attempt may take, 1 to 82800; 900 unless given.' }),
  }),
});
