// 100,000 tasks that are not due: what a start and an idle minute cost must not grow with them, nor what is asked often.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { addDailyTasks } from '../support/daily-tasks.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type AppProcess, residentMiB, startProcess } from '../support/process.ts';
import { rows } from '../support/races.ts';
import { overWebSocketStream } from '../support/streams.ts';

const FEW = 1_000;
const MANY = 100_000;
const DAY = 86_400_000;
/** How long a process is left alone while it is watched. */
const IDLE_MS = 30_000;
/** The server counts what a connection did ten seconds after it at the latest. */
const COUNTED_MS = 11_000;

/** One for all tests: filling it takes longer than what they do. */
let large: TestDatabase;
const processes: AppProcess[] = [];

async function databaseWith(tasks: number): Promise<TestDatabase> {
  const database = await testDatabase();
  // The very first start makes the admin, whose tasks they are.
  await (await startProcess(database.url)).stop();
  await addDailyTasks(database, tasks);
  return database;
}

beforeAll(async () => {
  large = await databaseWith(MANY);
});

afterEach(async () => {
  await Promise.all(processes.splice(0).map(({ stop }) => stop()));
});

afterAll(() => large?.close());

interface Work {
  transactions: number;
  /** Rows that scans of our tables, and of their indexes, returned. */
  rowsRead: number;
}

async function readWork({ orm: { em } }: TestDatabase): Promise<Work> {
  // Not the catalogue's: a round of the job engine's upkeep, which may fall into one window and not the other, reads it.
  const [work] = await rows<Work>(
    em,
    `select (xact_commit + xact_rollback)::int as transactions,
       ((select sum(seq_tup_read) from pg_stat_user_tables) + (select sum(idx_tup_read) from pg_stat_user_indexes))::float8
         as "rowsRead"
     from pg_stat_database where datname = current_database()`,
  );
  if (work === undefined) throw new Error('the server does not count this database');
  return work;
}

interface Cost {
  start: Work;
  idle: Work;
  mib: number;
}

async function costOf(database: TestDatabase): Promise<Cost> {
  const before = await readWork(database);
  const app = await startProcess(database.url);
  processes.push(app);
  await pause(COUNTED_MS);
  const started = await readWork(database);
  await pause(IDLE_MS);
  const ended = await readWork(database);
  const between = (from: Work, to: Work) => ({
    transactions: to.transactions - from.transactions,
    rowsRead: to.rowsRead - from.rowsRead,
  });
  return { start: between(before, started), idle: between(started, ended), mib: await residentMiB(app.child.pid) };
}

test('100,000 tasks cost no more at a start and while nothing is due than 1,000', async () => {
  const small = await databaseWith(FEW);
  await pause(COUNTED_MS);
  const [few, many] = await Promise.all([costOf(small), costOf(large)]);
  await Promise.all(processes.splice(0).map(({ stop }) => stop()));
  await small.close();
  process.stdout.write(`${FEW} tasks: ${JSON.stringify(few)}\n${MANY} tasks: ${JSON.stringify(many)}\n`);
  // Polls fall on one side of the window's edges or the other.
  expect(many.idle.transactions).toBeLessThan(few.idle.transactions * 1.2 + 20);
  expect(many.start.transactions).toBeLessThan(few.start.transactions * 1.2 + 20);
  // A look at every task would read as many rows as there are.
  expect(many.idle.rowsRead - few.idle.rowsRead).toBeLessThan(MANY / 10);
  expect(many.start.rowsRead - few.start.rowsRead).toBeLessThan(MANY / 10);
  expect(many.mib).toBeLessThan(few.mib * 1.2);
});

test('a feed of 100,000 tasks comes in pages, and then reports the one that changed', async () => {
  const app = await startProcess(large.url);
  processes.push(app);
  const before = await residentMiB(app.child.pid);
  const stream = await overWebSocketStream(app, {
    query: `subscription { taskFeed { ... on TaskFeedSnapshot { isLast tasks { legacyId } }
      ... on TaskFeedChanged { task { legacyId name } } } }`,
  });
  interface Page {
    isLast?: boolean;
    tasks?: { legacyId: number }[];
    task?: { legacyId: number; name: string };
  }
  const told = () => stream.received.map(({ data }) => data?.taskFeed as Page);
  await expect.poll(() => told().at(-1)?.isLast, { timeout: 60_000, interval: 500 }).toBe(true);
  const ids = told().flatMap(({ tasks = [] }) => tasks.map(({ legacyId }) => legacyId));
  expect(ids).toEqual(Array.from({ length: MANY }, (_, index) => index + 1));
  await app.query('mutation { updateTask(input: { task: { legacyId: 77777 }, name: "new" }) { task { id } } }');
  await expect.poll(() => told().at(-1)?.task).toEqual({ legacyId: 77_777, name: 'new' });
  process.stdout.write(
    `a feed of ${MANY} tasks: ${Math.round((await residentMiB(app.child.pid)) - before)} MiB more\n`,
  );
  await stream.close();
});

test('the upcoming slots of 100,000 tasks are reported, now and after all of them were due', async () => {
  const app = await startProcess(large.url);
  processes.push(app);
  const upcoming = async (from: number) => {
    const query = `query ($from: DateTime!, $to: DateTime!) {
      upcoming(from: $from, to: $to, first: 100) { at task { legacyId } } }`;
    const found = await app.query<{ upcoming: { at: string; task: { legacyId: number } }[] }>(query, {
      from: new Date(from).toISOString(),
      to: new Date(from + 3 * DAY).toISOString(),
    });
    return found.upcoming.map(({ at, task: { legacyId } }) => ({ at, legacyId }));
  };
  const begun = performance.now();
  const first = await upcoming(Date.now());
  const between = performance.now();
  // A whole number of days later everything is the same.
  const later = await upcoming(Date.now() + 10 * DAY);
  const end = performance.now();
  process.stdout.write(
    `upcoming of ${MANY} tasks: ${Math.round(between - begun)} ms, far ahead ${Math.round(end - between)} ms\n`,
  );
  expect(first).toHaveLength(100);
  const shift = (at: string) => new Date(new Date(at).getTime() + 10 * DAY).toISOString();
  expect(later.slice(0, 80)).toEqual(first.slice(0, 80).map(({ at, legacyId }) => ({ at: shift(at), legacyId })));
});

test('the load of 100,000 tasks and of a million runs is reported for an hour and for a month', async () => {
  // Each task ran on the ten days before its next slot.
  await rows(
    large.orm.em,
    `insert into run (task_id, slot, trigger, state, actor_id, queued_at, finished_at)
     select task.id, next_run_at - make_interval(days => day), 'SCHEDULE', 'SUCCEEDED', 1, now(), now()
     from task, generate_series(10, 1, -1) as day`,
  );
  await rows(large.orm.em, 'vacuum analyze run');
  const app = await startProcess(large.url);
  processes.push(app);
  interface Load {
    plannedUntil: string;
    buckets: { succeeded: number; planned: number }[];
  }
  const load = async (from: number, to: number, stepMinutes: number) => {
    const begun = performance.now();
    const { slotLoad } = await app.query<{ slotLoad: Load }>(
      `query ($from: DateTime!, $to: DateTime!, $step: Int!) {
        slotLoad(from: $from, to: $to, stepMinutes: $step) { plannedUntil buckets { succeeded planned } } }`,
      { from: new Date(from).toISOString(), to: new Date(to).toISOString(), step: stepMinutes },
    );
    const sum = (field: 'succeeded' | 'planned') => slotLoad.buckets.reduce((total, each) => total + each[field], 0);
    process.stdout.write(
      `load of ${(to - from) / 3_600_000} hours of ${MANY} tasks: ${Math.round(performance.now() - begun)} ms\n`,
    );
    expect(slotLoad.plannedUntil).toBe(new Date(to).toISOString());
    return { succeeded: sum('succeeded'), planned: sum('planned') };
  };
  const now = Math.floor(Date.now() / 60_000) * 60_000;
  const hours = (count: number) => now + count * 3_600_000;
  // A day's slots lie in 1,200 minutes, evenly, from the third hour from now on.
  const perHour = (MANY / 1_200) * 60;
  const hour = await load(hours(4), hours(5), 1);
  expect(hour.succeeded).toBe(0);
  expect(Math.abs(hour.planned - perHour)).toBeLessThan(perHour / 50);
  const past = await load(hours(4 - 48), hours(5 - 48), 1);
  expect(past).toEqual({ succeeded: hour.planned, planned: 0 });
  const month = await load(now - 15 * DAY, now + 16 * DAY, 360);
  expect(month).toEqual({ succeeded: 10 * MANY, planned: 16 * MANY });
});
