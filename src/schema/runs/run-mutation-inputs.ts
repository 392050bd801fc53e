// The inputs of the mutations that ask for runs.
import { builder } from '../builder.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { TaskByInput } from '../tasks/task-by.ts';

export const MAX_WAIT_SECONDS = 600;
const WAIT = `Seconds to wait for the run to finish before responding, 0 to ${MAX_WAIT_SECONDS}; 0 by default.`;

export const ExecuteTaskInput = builder.inputType('ExecuteTaskInput', {
  description: 'The task to run now.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, required: true, description: 'The task; it may be paused.' }),
    data: t.field({ type: 'JSON', description: "Data for the task class, instead of the task's own." }),
    dataText: t.string({ description: '`data` as JSON text. Use instead of `data`.' }),
    waitSeconds: t.int({ description: WAIT }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

export const CancelRunInput = builder.inputType('CancelRunInput', {
  description: 'The run to cancel.',
  fields: (t) => ({
    run: t.id({ required: true, description: 'The id of the run.' }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

export const RetryRunInput = builder.inputType('RetryRunInput', {
  description: 'The finished run to retry.',
  fields: (t) => ({
    run: t.id({ required: true, description: 'The id of the run.' }),
    waitSeconds: t.int({ description: WAIT }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});
