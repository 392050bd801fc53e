import { MAX_SCHEDULES, readUpcoming, type UpcomingSlot } from '../../ledger/upcoming.ts';
import { badInput } from '../../lib/faults.ts';
import { checkRange } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import { DEFAULT_PAGE, MAX_PAGE } from '../complexity.ts';
import { DstNoteEnum } from '../enums.ts';
import { formatLocal } from '../local-time.ts';
import { TaskRef } from '../refs.ts';

const UpcomingSlotRef = builder.objectRef<UpcomingSlot>('UpcomingSlot').implement({
  description: 'A future slot of a task.',
  fields: (t) => ({
    task: t.field({ type: TaskRef, description: 'The task.', resolve: ({ taskId }) => taskId }),
    at: t.expose('at', { type: 'DateTime', description: 'When the slot is due.' }),
    localTime: t.string({
      description: 'The same instant in the time zone of the task, with its offset: `2026-03-01T09:30:00+01:00`.',
      resolve: ({ at, timeZone }) => formatLocal(at, timeZone),
    }),
    dstNote: t.expose('dstNote', {
      type: DstNoteEnum,
      nullable: true,
      description: 'How a clock change affects the slot; null if it does not.',
    }),
  }),
});

builder.queryField('upcoming', (t) =>
  t.field({
    type: [UpcomingSlotRef],
    description: 'The upcoming slots of all tasks in a range, earliest first. Paused tasks have none.',
    complexity: ({ first }) => ({ field: 10, multiplier: Math.min(Math.max(first, 1), MAX_PAGE) }),
    args: {
      from: t.arg({ type: 'DateTime', required: true, description: 'Start of the range, inclusive.' }),
      to: t.arg({ type: 'DateTime', required: true, description: 'End of the range, exclusive.' }),
      first: t.arg.int({
        required: true,
        defaultValue: DEFAULT_PAGE,
        description: `Number of slots, at most ${MAX_PAGE}; ${DEFAULT_PAGE} by default.`,
      }),
    },
    resolve: async (_root, { from, to, first }, { em }) => {
      checkRange(from, to);
      if (first < 1 || first > MAX_PAGE) throw badInput('first', `must be 1 to ${MAX_PAGE}, got ${first}`);
      const slots = await readUpcoming(em, from, to, first);
      if (slots !== null) return slots;
      const many = `more than ${MAX_SCHEDULES} different schedules are due before it`;
      throw badInput('from', `must be earlier, or now, got ${from.toISOString()}: ${many}`);
    },
  }),
);
