import { MS_PER_DAY, MS_PER_MINUTE } from '../../calendar/repeat-rule.ts';
import {
  type BusyMinute,
  MAX_DAYS,
  MAX_STEPS,
  readSlotLoad,
  SLOT_STATES,
  type SlotBucket,
  type SlotGap,
  type SlotLoad,
  type SlotState,
} from '../../ledger/slot-load.ts';
import { badInput } from '../../lib/faults.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { checkRange, readMinute } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import { describedEnum, SkipReasonEnum } from '../enums.ts';
import { TaskRef } from '../refs.ts';

export const SlotStateEnum = describedEnum<SlotState>('SlotState', 'What became of a slot.', {
  SUCCEEDED: 'Its run is done.',
  FAILED: 'The last attempt of its run failed.',
  CANCELLED: 'Its run was cancelled.',
  SKIPPED: 'It was not run, for a recorded reason.',
  RUNNING: 'An attempt of its run is under way.',
  QUEUED: 'Its run waits.',
  PLANNED: 'It is to come, or is due and not fired yet.',
});

const BusyMinuteRef = builder.objectRef<BusyMinute>('BusyMinute').implement({
  description: 'A minute and how many slots it has.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'The minute.' }),
    count: t.exposeInt('count', { description: 'Its slots, whatever became of them.' }),
  }),
});

const COUNT_DESCRIPTIONS: Record<SlotState, string> = {
  SUCCEEDED: 'Slots whose run is done.',
  FAILED: 'Slots whose run failed.',
  CANCELLED: 'Slots whose run was cancelled.',
  SKIPPED: 'Slots that were not run, those in gaps counted one by one.',
  RUNNING: 'Slots whose run is under way.',
  QUEUED: 'Slots whose run waits.',
  PLANNED: 'Slots that are to come, or are due and not fired yet.',
};

const SlotBucketRef = builder.objectRef<SlotBucket>('SlotBucket').implement({
  description: 'The slots of one step, each counted once.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'Where the step begins.' }),
    ...Object.fromEntries(
      SLOT_STATES.map((state) => [
        state.toLowerCase(),
        t.int({ description: COUNT_DESCRIPTIONS[state], resolve: ({ counts }) => counts[state] }),
      ]),
    ),
    busiest: t.field({
      type: BusyMinuteRef,
      description: 'Its minute with the most slots, the first of several.',
      resolve: ({ busiest }) => busiest,
    }),
  }),
});

const SlotGapRef = builder.objectRef<SlotGap>('SlotGap').implement({
  description: 'Slots of one task that were skipped in a row, for one reason, in one record.',
  fields: (t) => ({
    task: t.field({ type: TaskRef, description: 'Whose they are.', resolve: ({ taskId }) => taskId }),
    from: t.expose('from', { type: 'DateTime', description: 'The first of them.' }),
    to: t.expose('to', { type: 'DateTime', description: 'The last of them.' }),
    skipReason: t.field({
      type: SkipReasonEnum,
      description: 'Why they were not run.',
      resolve: ({ reason }) => reason,
    }),
    count: t.exposeInt('count', { description: 'How many they are.' }),
  }),
});

const SlotLoadRef = builder.objectRef<SlotLoad>('SlotLoad').implement({
  description: 'The slots of a range in steps, past and to come.',
  fields: (t) => ({
    now: t.expose('now', { type: 'DateTime', description: 'The time of the database when it was read.' }),
    from: t.expose('from', {
      type: 'DateTime',
      description: 'Counted from here on: as asked, or from where the records begin that retention has left.',
    }),
    plannedUntil: t.expose('plannedUntil', {
      type: 'DateTime',
      description:
        'Before this instant all slots to come are counted. It is the end of the range, unless so many tasks have different schedules that of some only the next two slots were looked at.',
    }),
    buckets: t.field({
      type: [SlotBucketRef],
      description: 'The steps that have slots, in order.',
      complexity: { field: 1, multiplier: MAX_STEPS },
      resolve: ({ buckets }) => buckets,
    }),
    busiest: t.field({
      type: [BusyMinuteRef],
      description: 'The ten minutes of the range with the most slots, those with the most first.',
      resolve: ({ busiest }) => busiest,
    }),
    gaps: t.field({
      type: [SlotGapRef],
      description: 'The gaps that touch the range, the newest first, 100 at most.',
      complexity: { field: 1, multiplier: 100 },
      resolve: ({ gaps }) => gaps,
    }),
    gapsLeftOut: t.exposeInt('gapsLeftOut', {
      description: 'Gaps whose slots are too many to be counted one by one; they are in none of the steps.',
    }),
  }),
});

builder.queryField('slotLoad', (t) =>
  t.field({
    type: SlotLoadRef,
    description:
      'How many slots there are when, and what became of them: past ones as recorded, coming ones as planned.',
    complexity: 50,
    args: {
      from: t.arg({ type: 'DateTime', required: true, description: 'Slots at this minute or later.' }),
      to: t.arg({
        type: 'DateTime',
        required: true,
        description: `Slots before this minute; ${MAX_STEPS} steps and ${MAX_DAYS} days after from at most.`,
      }),
      stepMinutes: t.arg.int({ required: true, description: 'The minutes of a step; the first begins at from.' }),
      task: t.arg.id({ description: 'Of this task; of all of them unless given.' }),
    },
    resolve: (_root, { from, to, stepMinutes, task }, { em }) => {
      checkRange(readMinute(from, 'from'), readMinute(to, 'to'));
      checkSteps(from, to, stepMinutes);
      const taskId = task == null ? null : readGlobalId('Task', task, 'task');
      return readSlotLoad(em, { from, to, taskId }, stepMinutes);
    },
  }),
);

const MAX_STEP_MINUTES = 1_440;

function checkSteps(from: Date, to: Date, stepMinutes: number): void {
  if (stepMinutes < 1 || stepMinutes > MAX_STEP_MINUTES) {
    throw badInput('stepMinutes', `it is ${stepMinutes}; accepted are 1 to ${MAX_STEP_MINUTES}`);
  }
  const length = to.getTime() - from.getTime();
  if (length > MAX_DAYS * MS_PER_DAY) {
    throw badInput('to', `it is ${to.toISOString()}; accepted is up to ${MAX_DAYS} days after from`);
  }
  const steps = Math.ceil(length / (stepMinutes * MS_PER_MINUTE));
  if (steps > MAX_STEPS) throw badInput('stepMinutes', `it makes ${steps} steps; accepted are up to ${MAX_STEPS}`);
}
