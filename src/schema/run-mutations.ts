import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { withIdempotencyKey } from '../database/idempotency.ts';
import { badInput, conflict, notFound } from '../lib/faults.ts';
import { readGlobalId } from '../lib/global-id.ts';
import { cancelRun, requestRun } from '../runner/requests.ts';
import { waitForRun } from '../runner/wait-for-run.ts';
import { lockForChange } from '../tasks/update-task.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { IDEMPOTENCY_KEY } from './idempotency-key.ts';
import { RunRef } from './refs.ts';
import { TaskByInput } from './task-by.ts';
import { checkData, readData } from './task-input.ts';

const MAX_WAIT_SECONDS = 600;
const WAIT = `Answer only when the run is finished, or after so many seconds, 0 to ${MAX_WAIT_SECONDS}; 0 unless given.`;

const ExecuteTaskInput = builder.inputType('ExecuteTaskInput', {
  description: 'Which task to run now.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, required: true, description: 'Which task; a paused one runs too.' }),
    data: t.field({ type: 'JSON', description: "Handed to the task class instead of the task's own data." }),
    dataText: t.string({ description: '`data` as JSON text; instead of `data`.' }),
    waitSeconds: t.int({ description: WAIT }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

const CancelRunInput = builder.inputType('CancelRunInput', {
  description: 'Which run to cancel.',
  fields: (t) => ({
    run: t.id({ required: true, description: 'Its id.' }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

const RetryRunInput = builder.inputType('RetryRunInput', {
  description: 'Which finished run to do again.',
  fields: (t) => ({
    run: t.id({ required: true, description: 'Its id.' }),
    waitSeconds: t.int({ description: WAIT }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

function runPayload(name: string, description: string) {
  return builder.objectRef<{ runId: number }>(name).implement({
    description,
    fields: (t) => ({
      run: t.field({ type: RunRef, nullable: true, description: 'The run.', resolve: ({ runId }) => runId }),
    }),
  });
}

const ExecuteTaskPayload = runPayload('ExecuteTaskPayload', 'The run that was made, as it is at the end of the wait.');
const CancelRunPayload = runPayload('CancelRunPayload', 'The run; one that was running is still to stop.');
const RetryRunPayload = runPayload('RetryRunPayload', 'The new run.');

function readWait(waitSeconds: number | null | undefined): number {
  const seconds = waitSeconds ?? 0;
  if (seconds >= 0 && seconds <= MAX_WAIT_SECONDS) return seconds;
  throw badInput('input.waitSeconds', `it is ${seconds}; accepted is 0 to ${MAX_WAIT_SECONDS}`);
}

interface StoredRun {
  task_id: number;
  slot: string | null;
  data: string | null;
  state: string;
  skip_reason: string | null;
}

async function findRun(em: EntityManager, id: number): Promise<StoredRun> {
  const { rows } = await sql<StoredRun>`
    select task_id, slot, data, state, skip_reason from run where id = ${id}
  `.execute(em.getKysely());
  const run = rows[0];
  if (run === undefined) throw notFound(`there is no run ${id}`, 'input.run');
  return run;
}

async function executeTask(context: Context, em: EntityManager, input: typeof ExecuteTaskInput.$inferInput) {
  const { task } = await lockForChange(context, em, input.task);
  const data = readData(input, 'input') ?? null;
  if (data !== null) checkData(await context.taskClasses.named(em, task.className), data, 'input');
  return requestRun(em, context.jobs, task, { trigger: 'MANUAL', actor: context.viewer, data, span: context.span });
}

async function retryRun(context: Context, em: EntityManager, id: number): Promise<number> {
  const { task_id: legacyId } = await findRun(em, id);
  const { task } = await lockForChange(context, em, { legacyId });
  const run = await findRun(em, id);
  if (run.state === 'QUEUED' || run.state === 'RUNNING') throw conflict(`the run is ${run.state}`, 'input.run');
  const { slot, data } = run;
  const { viewer: actor, span } = context;
  return requestRun(em, context.jobs, task, { trigger: 'RETRY', actor, data, slot, retryOf: id, span });
}

async function cancel(context: Context, em: EntityManager, id: number): Promise<number> {
  const { task_id: legacyId } = await findRun(em, id);
  // What a deleted task still runs can be cancelled too.
  const { task } = await lockForChange(context, em, { legacyId }, { orDeleted: true });
  await cancelRun(em, context.jobs, task, id, context.viewer);
  return id;
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
const argument = { required: true, description: 'All of it.' } as const;

builder.mutationFields((t) => ({
  executeTask: t.field({
    type: ExecuteTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Runs a task now. Where the overlap policy runs one at a time, the run waits for its turn.',
    args: { input: t.arg({ type: ExecuteTaskInput, ...argument }) },
    resolve: (_root, { input }, context) =>
      request(context, 'executeTask', input, (em) => executeTask(context, em, input)),
  }),
  cancelRun: t.field({
    type: CancelRunPayload,
    nullable: true,
    authScopes: operator,
    description: 'Cancels a run: at once while it is queued, by asking its runner while it is running.',
    args: { input: t.arg({ type: CancelRunInput, ...argument }) },
    resolve: (_root, { input }, context) => {
      const id = readGlobalId('Run', input.run, 'input.run');
      return request(context, 'cancelRun', input, (em) => cancel(context, em, id));
    },
  }),
  retryRun: t.field({
    type: RetryRunPayload,
    nullable: true,
    authScopes: operator,
    description: 'Does a finished run again, with its data and its slot; the new run names it in `retryOf`.',
    args: { input: t.arg({ type: RetryRunInput, ...argument }) },
    resolve: (_root, { input }, context) => {
      const id = readGlobalId('Run', input.run, 'input.run');
      return request(context, 'retryRun', input, (em) => retryRun(context, em, id));
    },
  }),
}));
