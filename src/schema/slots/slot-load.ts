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

export const SlotStateEnum = describedEnum<SlotState>('SlotState', 'The outcome of a slot.', {
  SUCCEEDED: 'The run succeeded.',
  FAILED: 'The last attempt of the run failed.',
  CANCELLED: 'The run was cancelled.',
  SKIPPED: 'The slot was skipped for a recorded reason.',
  RUNNING: 'An attempt of the run is running.',
  QUEUED: 'The run is waiting.',
  PLANNED: 'The slot is in the future, or due and not fired yet.',
});

const BusyMinuteRef = builder.objectRef<BusyMinute>('BusyMinute').implement({
  description: 'A minute and its number of slots.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'The minute.' }),
    count: t.exposeInt('count', { description: 'Number of slots, whatever their outcome.' }),
  }),
});

const COUNT_DESCRIPTIONS: Record<SlotState, string> = {
  SUCCEEDED: 'Slots whose run succeeded.',
  FAILED: 'Slots whose run failed.',
  CANCELLED: 'Slots whose run was cancelled.',
  SKIPPED: 'Slots that were skipped; slots in gaps are counted one by one.',
  RUNNING: 'Slots whose run is running.',
  QUEUED: 'Slots whose run is waiting.',
  PLANNED: 'Slots in the future, or due and not fired yet.',
};

const SlotBucketRef = builder.objectRef<SlotBucket>('SlotBucket').implement({
  description: 'The slots of one step. Each is counted once.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'Start of the step.' }),
    ...Object.fromEntries(
      SLOT_STATES.map((state) => [
        state.toLowerCase(),
        t.int({ description: COUNT_DESCRIPTIONS[state], resolve: ({ counts }) => counts[state] }),
      ]),
    ),
    busiest: t.field({
      type: BusyMinuteRef,
      description: 'The minute of the step with the most slots; the first of several.',
      resolve: ({ busiest }) => busiest,
    }),
  }),
});

const SlotGapRef = builder.objectRef<SlotGap>('SlotGap').implement({
  description: 'A gap: consecutive slots of one task, skipped for one reason and stored in one record.',
  fields: (t) => ({
    task: t.field({
      type: TaskRef,
      description: 'The task that the slots belong to.',
      resolve: ({ taskId }) => taskId,
    }),
    from: t.expose('from', { type: 'DateTime', description: 'The first of the slots.' }),
    to: t.expose('to', { type: 'DateTime', description: 'The last of the slots.' }),
    skipReason: t.field({
      type: SkipReasonEnum,
      description: 'Why the slots were skipped.',
      resolve: ({ reason }) => reason,
    }),
    count: t.exposeInt('count', { description: 'Number of slots.' }),
  }),
});

const SlotLoadRef = builder.objectRef<SlotLoad>('SlotLoad').implement({
  description: 'The slots of a range, past and future, counted by steps.',
  fields: (t) => ({
    now: t.expose('now', { type: 'DateTime', description: 'The time of the database when the data was read.' }),
    from: t.expose('from', {
      type: 'DateTime',
      description: 'Start of the counted range: the requested start, or later if retention has removed older records.',
    }),
    plannedUntil: t.expose('plannedUntil', {
      type: 'DateTime',
      description:
        'Future slots are complete up to this instant. This is the end of the range, unless there are too many different schedules: then only the next two slots of some were considered.',
    }),
    buckets: t.field({
      type: [SlotBucketRef],
      description: 'The steps that have slots, in order.',
      complexity: { field: 1, multiplier: MAX_STEPS },
      resolve: ({ buckets }) => buckets,
    }),
    busiest: t.field({
      type: [BusyMinuteRef],
      description: 'The ten busiest minutes of the range, busiest first.',
      resolve: ({ busiest }) => busiest,
    }),
    gaps: t.field({
      type: [SlotGapRef],
      description: 'The gaps that overlap the range, newest first, at most 100.',
      complexity: { field: 1, multiplier: 100 },
      resolve: ({ gaps }) => gaps,
    }),
    gapsLeftOut: t.exposeInt('gapsLeftOut', {
      description: 'Number of gaps with too many slots to count one by one; no step includes them.',
    }),
  }),
});

builder.queryField('slotLoad', (t) =>
  t.field({
    type: SlotLoadRef,
    description: 'The number of slots over time and their outcomes: past slots as recorded, future ones as planned.',
    complexity: 50,
    args: {
      from: t.arg({ type: 'DateTime', required: true, description: 'Start of the range, a minute, inclusive.' }),
      to: t.arg({
        type: 'DateTime',
        required: true,
        description: `End of the range, a minute, exclusive; at most ${MAX_STEPS} steps and ${MAX_DAYS} days after \`from\`.`,
      }),
      stepMinutes: t.arg.int({ required: true, description: 'Minutes in a step; the first step begins at `from`.' }),
      task: t.arg.id({ description: 'Only this task; all tasks by default.' }),
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
    throw badInput('stepMinutes', `must be 1 to ${MAX_STEP_MINUTES}, got ${stepMinutes}`);
  }
  const length = to.getTime() - from.getTime();
  if (length > MAX_DAYS * MS_PER_DAY) {
    throw badInput('to', `must be at most ${MAX_DAYS} days after from, got ${to.toISOString()}`);
  }
  const steps = Math.ceil(length / (stepMinutes * MS_PER_MINUTE));
  if (steps > MAX_STEPS) throw badInput('stepMinutes', `must make at most ${MAX_STEPS} steps, got ${steps}`);
}
