import { withIdempotencyKey } from '../../database/idempotency.ts';
import { inTransaction } from '../../database/transaction.ts';
import { type Backfill, backfillTask, MAX_SLOTS, planBackfill, readBackfill } from '../../tasks/backfill.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { RunRef } from '../refs.ts';
import { readTaskBy, TaskByInput } from '../tasks/task-by.ts';

const BackfillTaskInput = builder.inputType('BackfillTaskInput', {
  description: 'Which slots of the past to run.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, required: true, description: 'Which task; a paused one too.' }),
    from: t.field({ type: 'DateTime', required: true, description: 'Start of the range, inclusive.' }),
    to: t.field({ type: 'DateTime', required: true, description: 'Slots before this instant, which is not to come.' }),
    includeSucceeded: t.boolean({
      required: true,
      defaultValue: false,
      description: 'Whether slots with a run that succeeded, or has not ended yet, are run again.',
    }),
    dryRun: t.boolean({ required: true, defaultValue: false, description: 'Only says which slots it would be.' }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

const BackfillTaskPayload = builder.objectRef<Backfill>('BackfillTaskPayload').implement({
  description: 'What was made.',
  fields: (t) => ({
    slots: t.expose('slots', { type: ['DateTime'], description: 'The slots, earliest first.' }),
    runs: t.field({
      type: [RunRef],
      description: 'Their new runs, in the same order; none of a dry run.',
      resolve: ({ runIds }) => runIds,
    }),
  }),
});

/** Where nothing was made there is no run to remember a repeated call by. */
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
    description: `Runs slots of the past, ${MAX_SLOTS} at most, as the task's present rules have them.`,
    args: { input: t.arg({ type: BackfillTaskInput, required: true, description: 'All of it.' }) },
    resolve: (_root, { input }, context) => backfill(context, input),
  }),
);
