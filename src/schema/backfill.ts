import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { withIdempotencyKey } from '../database/idempotency.ts';
import { readRows } from '../database/rows.ts';
import { toText } from '../database/timestamp.ts';
import { inTransaction } from '../database/transaction.ts';
import { badInput } from '../lib/faults.ts';
import { compileSchedule } from '../runner/calendar.ts';
import { backfillSlots } from '../runner/requests.ts';
import { readLedgerFrom } from '../runner/retention.ts';
import { currentRules } from '../runner/schedule-change.ts';
import { lockForChange } from '../tasks/update-task.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { IDEMPOTENCY_KEY } from './idempotency-key.ts';
import { checkRange } from './instant.ts';
import { RunRef } from './refs.ts';
import { TaskByInput } from './task-by.ts';

const MAX_SLOTS = 500;

const BackfillTaskInput = builder.inputType('BackfillTaskInput', {
  description: 'Which slots of the past to run.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, required: true, description: 'Which task; a paused one too.' }),
    from: t.field({ type: 'DateTime', required: true, description: 'Slots at this instant or later.' }),
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

interface Backfill {
  slots: Date[];
  runIds: number[];
}

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

type Input = typeof BackfillTaskInput.$inferInput;

/** The slots that the task's present rules have in the range, whether or not they were its rules then. */
async function findSlots(context: Context, em: EntityManager, input: Input) {
  const { task, now } = await lockForChange(context, em, input.task);
  checkRange(input.from, input.to);
  if (input.to > now) {
    throw badInput('input.to', `it is ${input.to.toISOString()}, which is to come; accepted is up to now`);
  }
  const schedule = compileSchedule(await currentRules(em, task), task.timeZone);
  const [after, until] = [new Date(input.from.getTime() - 1), new Date(input.to.getTime() - 1)];
  const slots = schedule.slots(after, until, MAX_SLOTS + 1);
  if (slots.length > MAX_SLOTS) {
    throw badInput('input.to', `there are more than ${MAX_SLOTS} slots; accepted is a shorter range`);
  }
  if (input.includeSucceeded) return { task, slots };
  const ledgerFrom = await readLedgerFrom(readRows(em));
  if (ledgerFrom !== null && input.from < ledgerFrom) {
    const accepted = `accepted is ${ledgerFrom.toISOString()} or later, or includeSucceeded`;
    throw badInput(
      'input.from',
      `which slots before ${ledgerFrom.toISOString()} succeeded is no longer known; ${accepted}`,
    );
  }
  return { task, slots: await withoutDone(em, task.id, slots) };
}

async function withoutDone(em: EntityManager, taskId: number, slots: readonly Date[]): Promise<Date[]> {
  const { rows } = await sql<{ at: number }>`
    select distinct (extract(epoch from slot) * 1000)::float8 as at from run
    where task_id = ${taskId} and slot = any(${slots.map(toText)}::timestamptz[])
      and state in ('SUCCEEDED', 'QUEUED', 'RUNNING')
  `.execute(em.getKysely());
  const done = new Set(rows.map(({ at }) => at));
  return slots.filter((slot) => !done.has(slot.getTime()));
}

/** The runs that were made together with the first one: by this call, or by an earlier one with the same key. */
async function readBackfill({ em }: Context, firstRunId: number): Promise<Backfill> {
  const { rows } = await sql<{ id: number; at: number }>`
    select run.id, (extract(epoch from run.slot) * 1000)::float8 as at
    from run join run first on first.id = ${firstRunId}
    where run.task_id = first.task_id and run.trigger = 'BACKFILL' and run.queued_at = first.queued_at
    order by run.slot
  `.execute(readRows(em));
  return { slots: rows.map(({ at }) => new Date(at)), runIds: rows.map(({ id }) => id) };
}

/** Where nothing was made there is no run to remember a repeated call by. */
const NOTHING = 0;

async function backfill(context: Context, input: Input): Promise<Backfill> {
  const wake = () => context.notifications.notify('slotkeeper_jobs', 'slotkeeper_events', 'slotkeeper_schedule');
  if (input.dryRun) {
    const { slots } = await inTransaction(context.em, (em) => findSlots(context, em, input));
    wake();
    return { slots, runIds: [] };
  }
  const firstRunId = await withIdempotencyKey(context, 'backfillTask', input, async (em) => {
    const { task, slots } = await findSlots(context, em, input);
    const { viewer: actor, span } = context;
    return slots.length === 0 ? NOTHING : backfillSlots(em, context.jobs, task, slots, { actor, span });
  });
  wake();
  return firstRunId === NOTHING ? { slots: [], runIds: [] } : readBackfill(context, firstRunId);
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
