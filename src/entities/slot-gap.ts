import { defineEntity, p } from '@mikro-orm/core';
import { SKIP_REASONS } from './run.ts';
import { Task } from './task.ts';

const SlotGapSchema = defineEntity({
  name: 'SlotGap',
  tableName: 'slot_gap',
  properties: {
    id: p.bigint('number').primary().autoincrement(),
    task: () => p.manyToOne(Task).ref(),
    /** The first and the last slot of the gap, both in it. */
    fromSlot: p.datetime(),
    toSlot: p.datetime(),
    reason: p.enum(SKIP_REASONS),
    count: p.integer(),
    recordedAt: p.datetime().defaultRaw('now()'),
  },
  checks: [
    { name: 'slot_gap_order', expression: 'to_slot >= from_slot' },
    { name: 'slot_gap_count', expression: 'count > 0' },
  ],
  // The planner moves a task's pointer over a gap once; a second record of it is refused.
  uniques: [{ name: 'slot_gap_once', properties: ['task', 'fromSlot'] }],
  // Read by retention.
  indexes: [{ name: 'slot_gap_ended', properties: ['toSlot'] }],
});

/** Many consecutive slots that did not run for the same reason, in one row instead of thousands. */
export class SlotGap extends SlotGapSchema.class {}
SlotGapSchema.setClass(SlotGap);

export { SlotGapSchema };
