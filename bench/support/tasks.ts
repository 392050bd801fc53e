// Tasks by the thousand, as the product's tables hold them. They are written by SQL, since adding them one by one would take longer than what is measured.
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import { pino } from 'pino';
import { openOrm } from '../../src/database/orm.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { fireDue } from '../../src/scheduling/planner.ts';
import { ScheduleFaults } from '../../src/scheduling/schedule-faults.ts';
import { connect } from './database.ts';
import nothing from './nothing-class.ts';
import { startProduct } from './programs.ts';

const HOUR_MS = 3_600_000;

export const NOTHING_CLASS_FILE = fileURLToPath(new URL('./nothing-class.ts', import.meta.url));

const RULE = `jsonb_build_array(jsonb_build_object('start', null, 'end', null, 'intervalDays', null, 'year', null,
  'month', null, 'dayOfMonth', null, 'weekOfMonth', null, 'dayOfWeek', null, 'hour', null, 'minute', $4::int))`;

/** Tasks of the first user that are due once an hour, next at that minute. */
export async function addHourlyTasks(client: pg.Client, count: number, slot: Date): Promise<void> {
  await client.query(
    `with added as (
       insert into task (name, class_name, active, owner_id, time_zone, next_run_at, created_at, updated_at)
       select 'Task ' || n, $1, true, 1, 'UTC', $2, now(), now() from generate_series(1, $3::int) as n returning id
     )
     insert into schedule_version (task_id, rules, time_zone, active, valid_from)
     select id, ${RULE}, 'UTC', true, now() - interval '1 day' from added`,
    [nothing.name, slot, count, slot.getUTCMinutes()],
  );
  await client.query('analyze task');
  await client.query(`select pg_notify('slotkeeper_schedule', '')`);
}

/** The slots after the next ones are computed before the minute, as they are between any two minutes. */
export async function waitUntilForeseen(client: pg.Client): Promise<void> {
  const pending = 'select 1 from task where following_of is distinct from next_run_at limit 1';
  while ((await client.query(pending)).rows.length > 0) await pause(200);
}

/** Fires what is due, as the planner does, while no runner is there to run it. */
export async function fireAll(databaseUrl: string): Promise<void> {
  const log = pino({ level: 'silent' });
  const orm = await openOrm(databaseUrl);
  const jobs = new Jobs(databaseUrl, log, false);
  await jobs.start();
  const planner = { ownClasses: [nothing.name], faults: new ScheduleFaults(log) };
  while ((await fireDue(orm.em, jobs, planner)) > 0);
  await jobs.stop();
  await orm.close();
}

/** The product's tables, with runs that wait for somebody to take them. */
export async function queueRuns(databaseUrl: string, count: number): Promise<void> {
  await (await startProduct(databaseUrl, { TASK_MODULES: NOTHING_CLASS_FILE, ROLE: 'gateway' })).stop();
  const client = await connect(databaseUrl);
  await addHourlyTasks(client, count, new Date(Math.floor((Date.now() - HOUR_MS / 2) / 60_000) * 60_000));
  await fireAll(databaseUrl);
  await client.end();
}

/** From the begin of the first run to the end of the last. */
export async function secondsOfRuns(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ seconds: number }>(
    'select extract(epoch from max(finished_at) - min(started_at))::float8 as seconds from run',
  );
  return rows[0]?.seconds ?? Number.NaN;
}

/** All runs are finished, and have succeeded. */
export async function waitUntilRun(client: pg.Client, count: number, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  const find = `select count(*)::int as runs, count(*) filter (where state = 'SUCCEEDED')::int as succeeded from run`;
  for (;;) {
    const { rows } = await client.query<{ runs: number; succeeded: number }>(find);
    if (rows[0]?.succeeded === count) return;
    if (Date.now() > deadline) throw new Error(`${rows[0]?.succeeded} of ${count} runs succeeded in time`);
    await pause(250);
  }
}

/** Tasks with four rules each, or with one to four. */
export async function addTasksWithRules(client: pg.Client, count: number, fewer = false): Promise<void> {
  await client.query(
    `insert into task (name, class_name, active, owner_id, time_zone, data, next_run_at, created_at, updated_at)
     select 'Task ' || n, $1, true, 1, 'UTC', '{"holding_days":7}', date_trunc('minute', now() + interval '30 days'), now(), now()
     from generate_series(1, $2::int) as n`,
    [nothing.name, count],
  );
  await client.query(
    `insert into repeat_item (task_id, start_date, day_of_week, hour, minute)
     select task.id, '2026-05-06', 3 + n, 20, 0 from task, generate_series(0, 3) as n
     where not $1 or n <= task.id % 4 order by task.id, n`,
    [fewer],
  );
  await client.query('vacuum analyze task, repeat_item');
}
