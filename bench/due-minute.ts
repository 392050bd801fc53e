// How soon after their minute many tasks are planned, and when all of them have run: one process of the product with its
// own PostgreSQL, which writes to disk as it does for a user. `npm run bench:due -- TASKS ROUNDS`
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startEmbedded } from '../src/database/embedded.ts';
import nothing from './nothing-class.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const CLASS_FILE = fileURLToPath(new URL('./nothing-class.ts', import.meta.url));
const LOOK_MS = 25;
const DRAIN_WITHIN_MS = 180_000;
const MINUTE = 60_000;

const tasks = Number(process.argv[2] ?? 10_000);
const rounds = Number(process.argv[3] ?? 3);

/** Milliseconds after the minute. */
interface Round {
  plannedP50: number;
  plannedP99: number;
  plannedLast: number;
  drained: number;
}

/** The product goes on meanwhile; where each waits for the other, the truncation is what gives way. */
async function emptied(client: pg.Client): Promise<void> {
  for (;;) {
    try {
      await client.query('truncate event, run, schedule_version, task restart identity cascade');
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== '40P01') throw error;
    }
  }
}

/** Tasks that are due once an hour, at that minute. */
async function addTasks(client: pg.Client, slot: Date): Promise<void> {
  await emptied(client);
  await client.query(
    `with added as (
       insert into task (name, class_name, active, owner_id, time_zone, next_run_at, created_at, updated_at)
       select 'Task ' || n, $1, true, 1, 'UTC', $2, now(), now() from generate_series(1, $3::int) as n returning id
     )
     insert into schedule_version (task_id, rules, time_zone, active, valid_from)
     select id, jsonb_build_array(jsonb_build_object('start', null, 'end', null, 'intervalDays', null, 'year', null,
       'month', null, 'dayOfMonth', null, 'weekOfMonth', null, 'dayOfWeek', null, 'hour', null,
       'minute', $4::int)), 'UTC', true, now()
     from added`,
    [nothing.name, slot, tasks, slot.getUTCMinutes()],
  );
  await client.query('analyze task');
  await client.query(`select pg_notify('slotkeeper_schedule', '')`);
}

/** The slots after the next ones are computed before the minute, as they are between any two minutes. */
async function waitUntilReady(client: pg.Client): Promise<void> {
  const pending = 'select 1 from task where following_of is distinct from next_run_at limit 1';
  while ((await client.query(pending)).rows.length > 0) await pause(200);
}

/** When so many runs could be seen by another connection, in milliseconds after the slot. */
async function watchPlanning(client: pg.Client, slot: Date): Promise<(share: number) => number> {
  const seen: { at: number; runs: number }[] = [];
  while ((seen.at(-1)?.runs ?? 0) < tasks) {
    const { rows } = await client.query<{ at: Date; runs: number }>(
      'select count(*)::int as runs, clock_timestamp() as at from run',
    );
    for (const { at, runs } of rows) seen.push({ at: at.getTime() - slot.getTime(), runs });
    await pause(LOOK_MS);
  }
  return (share) => seen.find(({ runs }) => runs >= tasks * share)?.at ?? Number.NaN;
}

async function watchDraining(client: pg.Client, slot: Date): Promise<number> {
  const deadline = Date.now() + DRAIN_WITHIN_MS;
  const left = `select 1 from run where state in ('QUEUED', 'RUNNING') limit 1`;
  while ((await client.query(left)).rows.length > 0) {
    if (Date.now() > deadline) throw new Error('the runs did not end in time');
    await pause(LOOK_MS);
  }
  const { rows } = await client.query<{ last: Date; succeeded: number }>(
    `select max(finished_at) as last, count(*) filter (where state = 'SUCCEEDED')::int as succeeded from run`,
  );
  if (rows[0]?.succeeded !== tasks) throw new Error(`${rows[0]?.succeeded} of ${tasks} runs succeeded`);
  return rows[0].last.getTime() - slot.getTime();
}

async function measure(client: pg.Client): Promise<Round> {
  // Time enough to add the tasks and to compute what follows.
  const slot = new Date(Math.ceil((Date.now() + 20_000) / MINUTE) * MINUTE);
  await addTasks(client, slot);
  await waitUntilReady(client);
  const early = slot.getTime() - Date.now();
  if (early < 0) throw new Error('the minute came before all was ready; try again with fewer tasks');
  await pause(early - 500);
  const planned = await watchPlanning(client, slot);
  const drained = await watchDraining(client, slot);
  return { plannedP50: planned(0.5), plannedP99: planned(0.99), plannedLast: planned(1), drained };
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const dataDir = await mkdtemp(join(tmpdir(), 'slotkeeper-bench-'));
const server = await startEmbedded({ dataDir, log: () => undefined });
const app = spawn(process.execPath, [MAIN], {
  env: {
    PATH: process.env.PATH,
    DATABASE_URL: server.url,
    DATA_DIR: dataDir,
    PORT: '0',
    LOG_LEVEL: 'warn',
    TASK_MODULES: CLASS_FILE,
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  await once(app.stdout, 'data');
  const client = new pg.Client(server.url);
  // A server that goes away fails the query that is under way; between two there is none to fail.
  client.on('error', () => undefined);
  await client.connect();
  const results: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const result = await measure(client);
    results.push(result);
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
  await client.end();
  const of = (key: keyof Round) => Math.round(median(results.map((result) => result[key])));
  process.stdout.write(
    [
      `${tasks} tasks due at one minute, milliseconds after it, medians of ${rounds} rounds:`,
      '',
      '| planned p50 | planned p99 | planned, the last | all have run |',
      '|---|---|---|---|',
      `| ${of('plannedP50')} | ${of('plannedP99')} | ${of('plannedLast')} | ${of('drained')} |`,
      '',
    ].join('\n'),
  );
} finally {
  const gone = once(app, 'exit');
  app.kill('SIGTERM');
  await gone;
  await server.release();
  await rm(dataDir, { recursive: true, force: true });
}
