import type { EntityManager } from '@mikro-orm/postgresql';
import { withIdempotencyKey } from '../../database/idempotency.ts';
import { badInput } from '../../lib/faults.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { waitForRun } from '../../scheduling/wait-for-run.ts';
import { cancelRun, executeTask, retryRun } from '../../tasks/run-requests.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { RunRef } from '../refs.ts';
import { readTaskBy } from '../tasks/task-by.ts';
import { CancelRunInput, ExecuteTaskInput, MAX_WAIT_SECONDS, RetryRunInput } from './run-mutation-inputs.ts';

function runPayload(name: string, description: string) {
  return builder.objectRef<{ runId: number }>(name).implement({
    description,
    fields: (t) => ({
      run: t.field({ type: RunRef, nullable: true, description: 'The run.', resolve: ({ runId }) => runId }),
    }),
  });
}

const ExecuteTaskPayload = runPayload('ExecuteTaskPayload', 'The new run, in its state at the end of the wait.');
const CancelRunPayload = runPayload('CancelRunPayload', 'The run. If it was running, it has yet to stop.');
const RetryRunPayload = runPayload('RetryRunPayload', 'The new run.');

function readWait(waitSeconds: number | null | undefined): number {
  const seconds = waitSeconds ?? 0;
  if (seconds >= 0 && seconds <= MAX_WAIT_SECONDS) return seconds;
  throw badInput('waitSeconds', `must be 0 to ${MAX_WAIT_SECONDS}, got ${seconds}`);
}

/** Does the work once, tells the other processes after the commit, and waits as long as the caller wants. */
async function request(
  context: Context,
  mutation: string,
  input: { idempotencyKey?: string | null | undefined; waitSeconds?: number | null | undefined },
  work: (em: EntityManager) => Promise<number>,
): Promise<{ runId: number }> {
  const waitSeconds = readWait(input.waitSeconds);
  const runId = await withIdempotencyKey(context, mutation, input, work);
  context.notifications.notify('slotkeeper_jobs', 'slotkeeper_events', 'slotkeeper_cancel');
  if (waitSeconds > 0) await waitForRun(context.em, context.tail, runId, waitSeconds);
  return { runId };
}

const operator = { operator: true };

builder.mutationFields((t) => ({
  executeTask: t.field({
    type: ExecuteTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Runs a task now. If the overlap policy allows one run at a time, the run waits its turn.',
    args: { input: t.arg({ type: ExecuteTaskInput, required: true }) },
    resolve: (_root, { input }, context) =>
      request(context, 'executeTask', input, (em) => executeTask(context, em, readTaskBy(input.task, 'task'), input)),
  }),
  cancelRun: t.field({
    type: CancelRunPayload,
    nullable: true,
    authScopes: operator,
    description: 'Cancels a run: a queued one at once, a running one by asking its runner to stop it.',
    args: { input: t.arg({ type: CancelRunInput, required: true }) },
    resolve: (_root, { input }, context) => {
      const id = readGlobalId('Run', input.run, 'run');
      return request(context, 'cancelRun', input, (em) => cancelRun(context, em, id));
    },
  }),
  retryRun: t.field({
    type: RetryRunPayload,
    nullable: true,
    authScopes: operator,
    description: 'Runs a finished run again, with the same data and slot. The new run refers to it in `retryOf`.',
    args: { input: t.arg({ type: RetryRunInput, required: true }) },
    resolve: (_root, { input }, context) => {
      const id = readGlobalId('Run', input.run, 'run');
      return request(context, 'retryRun', input, (em) => retryRun(context, em, id));
    },
  }),
}));
