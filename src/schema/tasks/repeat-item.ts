import { toGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { RepeatItemRef } from '../refs.ts';

const FIELDS = {
  start: 'First day, inclusive, in the time zone of the task.',
  end: 'Last day, inclusive, in the time zone of the task.',
  intervalDays:
    'Repeats every N days from `start` at `hour` and `minute`, 1 to 36500. The other fields are then ignored.',
  year: 'The year, 1000 to 9999.',
  month: 'The month, 1 to 12.',
  dayOfMonth: 'The day of the month, 1 to 31.',
  weekOfMonth:
    'The week of the month, 1 to 5: week n is days 7n-6 to 7n. With `dayOfWeek`, the n-th such weekday; 5 matches only months that have five.',
  dayOfWeek: 'The day of the week, 0 (Sunday) to 6.',
  hour: 'The hour, 0 to 23.',
  minute: 'The minute, 0 to 59.',
};

RepeatItemRef.implement({
  description: 'A recurrence rule of a task. A null field matches every value; a null `start` or `end` means no bound.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, unique across all types.', resolve: ({ id }) => toGlobalId('RepeatItem', id) }),
    legacyId: t.exposeInt('id', { description: 'The id in the old API.' }),
    start: t.expose('start_date', { type: 'Date', nullable: true, description: FIELDS.start }),
    end: t.expose('end_date', { type: 'Date', nullable: true, description: FIELDS.end }),
    intervalDays: t.exposeInt('interval_days', { nullable: true, description: FIELDS.intervalDays }),
    year: t.exposeInt('year', { nullable: true, description: FIELDS.year }),
    month: t.exposeInt('month', { nullable: true, description: FIELDS.month }),
    dayOfMonth: t.exposeInt('day_of_month', { nullable: true, description: FIELDS.dayOfMonth }),
    weekOfMonth: t.exposeInt('week_of_month', { nullable: true, description: FIELDS.weekOfMonth }),
    dayOfWeek: t.exposeInt('day_of_week', { nullable: true, description: FIELDS.dayOfWeek }),
    hour: t.exposeInt('hour', { nullable: true, description: FIELDS.hour }),
    minute: t.exposeInt('minute', { nullable: true, description: FIELDS.minute }),
  }),
});

export const RepeatItemInput = builder.inputType('RepeatItemInput', {
  description:
    'A recurrence rule. A field that is null or left out matches every value, except that `minute` is 0 if left out.',
  fields: (t) => ({
    start: t.field({ type: 'Date', description: FIELDS.start }),
    end: t.field({ type: 'Date', description: FIELDS.end }),
    intervalDays: t.int({ description: FIELDS.intervalDays }),
    year: t.int({ description: FIELDS.year }),
    month: t.int({ description: FIELDS.month }),
    dayOfMonth: t.int({ description: FIELDS.dayOfMonth }),
    weekOfMonth: t.int({ description: FIELDS.weekOfMonth }),
    dayOfWeek: t.int({ description: FIELDS.dayOfWeek }),
    hour: t.int({ description: FIELDS.hour }),
    minute: t.int({ defaultValue: 0, description: `${FIELDS.minute} 0 by default; null matches every minute.` }),
  }),
});
