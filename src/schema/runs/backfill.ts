import { withIdempotencyKey } from '../../database/idempotency.ts';
import { inTransaction } from '../../database/transaction.ts';
import { type Backfill, backfillTask, MAX_SLOTS, planBackfill, readBackfill } from '../../tasks/backfill.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { RunRef } from '../refs.ts';
import { readTaskBy, TaskByInput } from '../tasks/task-by.ts';

const BackfillTaskInput = builder.inputType('BackfillTaskInput', {
  description: 'The past slots to run.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, required: true, description: 'The task; it may be paused.' }),
    from: t.field({ type: 'DateTime', required: true, description: 'Start of the range, inclusive.' }),
    to: t.field({
      type: 'DateTime',
      required: true,
      description: 'End of the range, exclusive; must not be in the future.',
    }),
    includeSucceeded: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Whether to run slots again that have a successful or unfinished run; false by default.',
    }),
    dryRun: t.boolean({
      required: true,
      defaultValue: false,
      description: 'true only returns the slots, without running them; false by default.',
    }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

const BackfillTaskPayload = builder.objectRef<Backfill>('BackfillTaskPayload').implement({
  description: 'The slots of the backfill and their runs.',
  fields: (t) => ({
    slots: t.expose('slots', { type: ['DateTime'], description: 'The slots, earliest first.' }),
    runs: t.field({
      type: [RunRef],
      description: 'The new runs of the slots, in the same order; empty for a dry run.',
      resolve: ({ runIds }) => runIds,
    }),
  }),
});

/** If no run was created, there is none to store with the idempotency key. */
const NOTHING = 0;

async function backfill(context: Context, input: typeof BackfillTaskInput.$inferInput): Promise<Backfill> {
  const wake = () => context.notifications.notify('slotkeeper_jobs', 'slotkeeper_events', 'slotkeeper_schedule');
  if (input.dryRun) {
    const slots = await inTransaction(context.em, (em) =>
      planBackfill(context, em, readTaskBy(input.task, 'task'), input),
    );
    wake();
    return { slots, runIds: [] };
  }
  const firstRunId = await withIdempotencyKey(
    context,
    'backfillTask',
    input,
    async (em) => (await backfillTask(context, em, readTaskBy(input.task, 'task'), input)) ?? NOTHING,
  );
  wake();
  return firstRunId === NOTHING ? { slots: [], runIds: [] } : readBackfill(context.em, firstRunId);
}

builder.mutationField('backfillTask', (t) =>
  t.field({
    type: BackfillTaskPayload,
    nullable: true,
    authScopes: { operator: true },
    description: `Runs past slots, at most ${MAX_SLOTS}, according to the current rules of the task.`,
    args: { input: t.arg({ type: BackfillTaskInput, required: true }) },
    resolve: (_root, { input }, context) => backfill(context, input),
  }),
);
