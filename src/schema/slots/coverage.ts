import { type Coverage, MAX_EXPECTED, readCoverage } from '../../ledger/coverage.ts';
import { badInput } from '../../lib/faults.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { checkRange } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import { TaskRef } from '../refs.ts';

const UnaccountedSlotRef = builder.objectRef<Coverage['missing'][number]>('UnaccountedSlot').implement({
  description: 'A slot that was due and has no record.',
  fields: (t) => ({
    task: t.field({
      type: TaskRef,
      description: 'The task that the slot belongs to.',
      resolve: ({ taskId }) => taskId,
    }),
    slot: t.expose('slot', { type: 'DateTime', description: 'When the slot was due.' }),
  }),
});

const CoverageRef = builder.objectRef<Coverage>('Coverage').implement({
  description: 'Outcomes of the slots in a range: expected = ran + skipped + pending + unaccounted.',
  fields: (t) => ({
    from: t.expose('from', {
      type: 'DateTime',
      description: 'Start of the counted range: the requested start, or later if retention has removed older records.',
    }),
    expected: t.exposeInt('expected', { description: 'Slots of the schedules that were valid at the time.' }),
    ran: t.exposeInt('ran', { description: 'Slots with a finished run: succeeded, failed or cancelled.' }),
    skipped: t.exposeInt('skipped', {
      description: 'Slots skipped for a recorded reason; slots in gaps are counted one by one.',
    }),
    pending: t.exposeInt('pending', { description: 'Slots whose run is unfinished, and slots in the future.' }),
    unaccounted: t.exposeInt('unaccounted', {
      description: 'Slots without a record. More than 0 means a bug in this product.',
    }),
    missing: t.field({
      type: [UnaccountedSlotRef],
      description: 'The first 100 unaccounted slots.',
      resolve: ({ missing }) => missing,
    }),
  }),
});

builder.queryField('coverage', (t) =>
  t.field({
    type: CoverageRef,
    description: 'Whether every slot is accounted for: compares the schedules with the recorded runs.',
    complexity: 50,
    args: {
      from: t.arg({ type: 'DateTime', required: true, description: 'Start of the range, inclusive.' }),
      to: t.arg({ type: 'DateTime', required: true, description: 'End of the range, exclusive.' }),
      task: t.arg.id({ description: 'Only this task; all tasks by default.' }),
    },
    resolve: async (_root, { from, to, task }, { em }) => {
      checkRange(from, to);
      const taskId = task == null ? null : readGlobalId('Task', task, 'task');
      const coverage = await readCoverage(em, from, to, taskId);
      if (coverage !== null) return coverage;
      throw badInput(
        'to',
        `must leave at most ${MAX_EXPECTED} slots in the range: ask for a shorter range, or for one task`,
      );
    },
  }),
);
