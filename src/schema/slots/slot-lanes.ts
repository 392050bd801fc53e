import { MS_PER_MINUTE } from '../../calendar/repeat-rule.ts';
import {
  type LaneSlot,
  MAX_LANE_MINUTES,
  MAX_LANE_SCHEDULES,
  readLanes,
  type SlotLane,
} from '../../ledger/slot-lanes.ts';
import { badInput } from '../../lib/faults.ts';
import { checkRange } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import { SkipReasonEnum } from '../enums.ts';
import { RunRef, TaskRef } from '../refs.ts';
import { fetchSize, readPage } from '../relay/connection.ts';
import { decodePosition, keysetConnection, type Ordering } from '../relay/keyset.ts';
import { SlotStateEnum } from './slot-load.ts';

const ORDERING: Ordering = { field: 'TASK', direction: 'ASC', by: null };
/** What a page of lanes counts as: few tasks have a slot every minute. */
const USUAL_SLOTS = 30;

const LaneSlotRef = builder.objectRef<LaneSlot>('LaneSlot').implement({
  description: 'A slot of a task, and its outcome.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When the slot is due.' }),
    state: t.expose('state', { type: SlotStateEnum, description: 'The outcome of the slot.' }),
    skipReason: t.expose('skipReason', {
      type: SkipReasonEnum,
      nullable: true,
      description: 'Why the slot was skipped; null unless the state is SKIPPED.',
    }),
    run: t.field({
      type: RunRef,
      nullable: true,
      description: 'The run of the slot; null for a future slot and for one skipped in a gap.',
      resolve: ({ runId }) => runId,
    }),
  }),
});

const SlotLaneRef = builder.objectRef<SlotLane>('SlotLane').implement({
  description: 'A task and its slots in a range.',
  fields: (t) => ({
    task: t.field({ type: TaskRef, description: 'The task.', resolve: ({ id }) => id }),
    slots: t.field({
      type: [LaneSlotRef],
      description: 'The slots of the task in the range, in order.',
      complexity: { field: 1, multiplier: USUAL_SLOTS },
      resolve: ({ slots }) => slots,
    }),
  }),
});

const SlotLaneConnection = builder.connectionObject(
  { type: SlotLaneRef, name: 'SlotLaneConnection', description: 'A page of tasks with their slots in a range.' },
  { name: 'SlotLaneEdge', description: 'A task in a page.' },
);

builder.queryField('slotLanes', (t) =>
  t.connection(
    {
      type: SlotLaneRef,
      description:
        'The tasks that have slots in a range, including deleted ones, in the order in which they were added.',
      args: {
        from: t.arg({ type: 'DateTime', required: true, description: 'Start of the range, inclusive.' }),
        to: t.arg({
          type: 'DateTime',
          required: true,
          description: `End of the range, exclusive; at most ${MAX_LANE_MINUTES} minutes after \`from\`.`,
        }),
      },
      resolve: async (_root, { from, to, ...args }, { em }) => {
        checkRange(from, to);
        if (to.getTime() - from.getTime() > MAX_LANE_MINUTES * MS_PER_MINUTE) {
          throw badInput('to', `must be at most ${MAX_LANE_MINUTES} minutes after from, got ${to.toISOString()}`);
        }
        const page = readPage(args);
        const idOf = (side: 'after' | 'before') =>
          page[side] === null ? null : decodePosition(page[side], ORDERING, side).id;
        const ids = { after: idOf('after'), before: idOf('before') };
        const lanes = await readLanes(em, { from, to }, { ...ids, limit: fetchSize(page), backward: page.backward });
        if (lanes !== null) return keysetConnection(lanes, ORDERING, page);
        const many = `more than ${MAX_LANE_SCHEDULES} different schedules are due before it or had gaps then`;
        throw badInput('from', `must be closer to now, got ${from.toISOString()}: ${many}`);
      },
    },
    SlotLaneConnection,
  ),
);
