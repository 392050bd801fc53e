// The inputs of the mutations that ask for runs.
import { builder } from '../builder.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { TaskByInput } from '../tasks/task-by.ts';

export const MAX_WAIT_SECONDS = 600;
const WAIT = `Answer only when the run is finished, or after so many seconds, 0 to ${MAX_WAIT_SECONDS}; 0 unless given.`;

export const ExecuteTaskInput = builder.inputType('ExecuteTaskInput', {
  description: 'Which task to run now.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, required: true, description: 'Which task; a paused one runs too.' }),
    data: t.field({ type: 'JSON', description: "Handed to the task class instead of the task's own data." }),
    dataText: t.string({ description: '`data` as JSON text; instead of `data`.' }),
    waitSeconds: t.int({ description: WAIT }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

export const CancelRunInput = builder.inputType('CancelRunInput', {
  description: 'Which run to cancel.',
  fields: (t) => ({
    run: t.id({ required: true, description: 'Its id.' }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

export const RetryRunInput = builder.inputType('RetryRunInput', {
  description: 'Which finished run to do again.',
  fields: (t) => ({
    run: t.id({ required: true, description: 'Its id.' }),
    waitSeconds: t.int({ description: WAIT }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});
