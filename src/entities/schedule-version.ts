import { defineEntity, p } from '@mikro-orm/core';
import type { RepeatRule } from '../calendar/schedule.ts';
import { Task } from './task.ts';

const ScheduleVersionSchema = defineEntity({
  name: 'ScheduleVersion',
  tableName: 'schedule_version',
  properties: {
    id: p.integer().primary().autoincrement(),
    task: () => p.manyToOne(Task).ref().deleteRule('cascade'),
    rules: p.json<RepeatRule[]>().columnType('jsonb'),
    timeZone: p.text(),
    active: p.boolean(),
    /** Slots after `validFrom` and up to `validTo` (null: still valid) were due under these rules. */
    validFrom: p.datetime(),
    validTo: p.datetime().nullable(),
  },
  checks: [{ name: 'schedule_version_order', expression: 'valid_to >= valid_from' }],
  indexes: [
    { name: 'schedule_version_task_from', properties: ['task', 'validFrom'] },
    // Read by retention.
    { name: 'schedule_version_ended', properties: ['validTo'], where: 'valid_to is not null' },
  ],
  uniques: [{ name: 'schedule_version_current', properties: ['task'], where: 'valid_to is null' }],
});

/** A task's rules, zone and active flag with the time they were valid, kept so that the past can be explained. */
export class ScheduleVersion extends ScheduleVersionSchema.class {}
ScheduleVersionSchema.setClass(ScheduleVersion);

export { ScheduleVersionSchema };
