import { HOLDING } from './app.ts';
import type { TestDatabase } from './database.ts';
import { rows } from './races.ts';

/** Daily tasks, spread over the minutes of a day, none of them due in the next hours, of user 1, whom there must be. */
export async function addDailyTasks({ orm: { em } }: TestDatabase, count: number): Promise<void> {
  await rows(
    em,
    `with slots as (
       select n, date_trunc('minute', now() at time zone 'UTC') + make_interval(hours => 2, mins => n % 1200) as slot
       from generate_series(1, ?) as n
     ), added as (
       insert into task (id, name, class_name, active, owner_id, time_zone, next_run_at, following_of, following_run_at,
         created_at, updated_at)
       select n, 'Task ' || n, ?, true, 1, 'UTC', slot at time zone 'UTC', slot at time zone 'UTC',
         slot at time zone 'UTC' + interval '1 day', now(), now()
       from slots
     )
     insert into schedule_version (task_id, rules, time_zone, active, valid_from)
     select n, jsonb_build_array(jsonb_build_object('start', null, 'end', null, 'intervalDays', null, 'year', null,
       'month', null, 'dayOfMonth', null, 'weekOfMonth', null, 'dayOfWeek', null,
       'hour', extract(hour from slot)::int, 'minute', extract(minute from slot)::int)), 'UTC', true, now()
     from slots`,
    [count, HOLDING],
  );
  await rows(em, "select setval(pg_get_serial_sequence('task', 'id'), ?)", [count]);
  await rows(em, 'vacuum analyze task');
  await rows(em, 'vacuum analyze schedule_version');
}
