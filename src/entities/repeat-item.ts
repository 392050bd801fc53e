import { defineEntity, p } from '@mikro-orm/core';
import type { RepeatRule } from '../calendar/schedule.ts';
import { Task } from './task.ts';

const between = (column: string, low: number, high: number) => ({
  name: `repeat_item_${column}`,
  expression: `${column} between ${low} and ${high}`,
});

const RepeatItemSchema = defineEntity({
  name: 'RepeatItem',
  tableName: 'repeat_item',
  properties: {
    id: p.integer().primary().autoincrement(),
    task: () => p.manyToOne(Task).ref().index().deleteRule('cascade'),
    /** First and last day, `YYYY-MM-DD` in the task's zone, both inclusive. */
    startDate: p.date().nullable(),
    endDate: p.date().nullable(),
    /** Every this many days from `startDate`; the calendar fields below are then ignored. */
    intervalDays: p.integer().nullable(),
    year: p.integer().nullable(),
    month: p.integer().nullable(),
    dayOfMonth: p.integer().nullable(),
    weekOfMonth: p.integer().nullable(),
    /** 0 is Sunday. */
    dayOfWeek: p.integer().nullable(),
    hour: p.integer().nullable(),
    minute: p.integer().nullable(),
  },
  checks: [
    { name: 'repeat_item_dates', expression: 'end_date >= start_date' },
    { name: 'repeat_item_interval', expression: 'interval_days is null or start_date is not null' },
    between('interval_days', 1, 36_500),
    between('year', 1000, 9999),
    between('month', 1, 12),
    between('day_of_month', 1, 31),
    between('week_of_month', 1, 5),
    between('day_of_week', 0, 6),
    between('hour', 0, 23),
    between('minute', 0, 59),
  ],
});

/** One recurrence rule of a task. A null calendar field means every. */
export class RepeatItem extends RepeatItemSchema.class {}
RepeatItemSchema.setClass(RepeatItem);

export { RepeatItemSchema };

/** The columns that hold `rule`, in the entity's words. */
export function columnsOfRule({ start, end, ...rest }: RepeatRule) {
  return { startDate: start, endDate: end, ...rest };
}
