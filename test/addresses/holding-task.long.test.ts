// A holding tank with very many blocks (a million in a soak): emptied in batches, by runners that are killed half-way, and counted exactly.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HOLDING } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type AppProcess, residentMiB, startProcess } from '../support/process.ts';
import { rows } from '../support/races.ts';
import { inSoak } from '../support/soak.ts';

const V4 = inSoak(750_000, 225_000);
const V6 = inSoak(250_000, 75_000);
/** Of these a part is not due yet, and has to stay. */
const YOUNG = 1_000;
const ROUNDS = inSoak(3, 2);

let database: TestDatabase;
const processes: AppProcess[] = [];

beforeEach(async () => {
  database = await testDatabase();
});

afterEach(async () => {
  await Promise.all(processes.splice(0).map(({ stop }) => stop()));
  await database?.close();
});

/** The default retry policy of a lost attempt is none: the task asks for some. */
const ADD = `mutation ($className: String!) {
  addTask(input: {
    name: "Hold", className: $className, data: { holding_days: 30 },
    policy: { retry: { attempts: 10, delaySeconds: 0 }, timeoutSeconds: 3600 } }) { task { id } }
}`;

async function fillTank(v4: number, v6: number): Promise<void> {
  const { em } = database.orm;
  // The constraint that keeps blocks from overlapping costs most of an insert; these do not overlap.
  await rows(em, 'alter table ip_block drop constraint ip_block_no_overlap');
  await rows(
    em,
    `insert into ip_block (pool, cidr, state, held_at)
     select 'tank', set_masklen('10.0.0.0'::inet + n, 32)::cidr, 'HOLDING', now() - interval '40 days'
     from generate_series(1, ?) as n`,
    [v4],
  );
  await rows(
    em,
    `insert into ip_block (pool, cidr, state, held_at)
     select 'tank', set_masklen('2001:db8::'::inet + n, 128)::cidr, 'HOLDING',
       now() - make_interval(days => case when n <= ? then 3 else 31 end)
     from generate_series(1, ?) as n`,
    [YOUNG, v6],
  );
  await rows(em, 'vacuum analyze ip_block');
}

async function available(): Promise<number> {
  const [found] = await rows<{ n: number }>(
    database.orm.em,
    `select count(*)::int as n from ip_block where state = 'AVAILABLE'`,
  );
  return found?.n ?? 0;
}

const startRunner = async () => {
  const app = await startProcess(database.url, { LEASE_SECONDS: '10' });
  processes.push(app);
  return app;
};

async function readRun(app: AppProcess, id: string) {
  const { run } = await app.query<{
    run: { state: string; message: string; attempt: number; progress: number | null };
  }>('query ($id: ID!) { run(id: $id) { state message attempt progress } }', { id });
  return run;
}

test('a run that is cancelled stops between two batches, and what it moved stays moved', async () => {
  const app = await startRunner();
  await fillTank(60_000, 20_000);
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(ADD, { className: HOLDING });
  const { executeTask } = await app.query<{ executeTask: { run: { id: string } } }>(
    'mutation ($id: ID!) { executeTask(input: { task: { id: $id } }) { run { id } } }',
    { id: addTask.task.id },
  );
  const { id } = executeTask.run;
  await expect.poll(available, { interval: 20 }).toBeGreaterThan(0);
  await app.query('mutation ($id: ID!) { cancelRun(input: { run: $id }) { run { id } } }', { id });
  await expect.poll(async () => (await readRun(app, id)).state).toBe('CANCELLED');
  const moved = await available();
  expect(moved % 5_000).toBe(0);
  expect(moved).toBeLessThan(79_000);

  const again = await app.query<{ executeTask: { run: { message: string } } }>(
    'mutation ($id: ID!) { executeTask(input: { task: { id: $id }, waitSeconds: 60 }) { run { message } } }',
    { id: addTask.task.id },
  );
  const [, v4, v6] = /(\d+) IPv4 and (\d+) IPv6/.exec(again.executeTask.run.message) ?? [];
  expect(Number(v4) + Number(v6)).toBe(79_000 - moved);
});

test('hundreds of thousands of blocks are moved in batches with flat memory, and counted exactly though the runner is killed', async () => {
  await startRunner().then((app) => app.stop());
  processes.pop();
  await fillTank(V4, V6);
  let app = await startRunner();
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(ADD, { className: HOLDING });
  const { executeTask } = await app.query<{ executeTask: { run: { id: string } } }>(
    'mutation ($id: ID!) { executeTask(input: { task: { id: $id } }) { run { id } } }',
    { id: addTask.task.id },
  );
  const { id } = executeTask.run;
  const began = performance.now();
  const memory: number[] = [];
  let lost = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    const goal = (round * (V4 + V6)) / (ROUNDS + 1);
    await expect
      .poll(
        async () => {
          memory.push(await residentMiB(app.child.pid));
          return available();
        },
        { timeout: 300_000, interval: 100 },
      )
      .toBeGreaterThan(goal);
    const killed = performance.now();
    app.child.kill('SIGKILL');
    processes.pop();
    app = await startRunner();
    // Taken for dead, and tried again.
    await expect.poll(async () => (await readRun(app, id)).attempt, { timeout: 60_000, interval: 200 }).toBe(round + 1);
    lost += performance.now() - killed;
  }
  await expect
    .poll(
      async () => {
        memory.push(await residentMiB(app.child.pid));
        return (await readRun(app, id)).state;
      },
      { timeout: 300_000, interval: 200 },
    )
    .toBe('SUCCEEDED');
  const seconds = (performance.now() - began - lost) / 1_000;
  process.stdout.write(
    `moved ${V4 + V6 - YOUNG} blocks in ${seconds.toFixed(1)} s of work (${Math.round((V4 + V6) / seconds)} a second), ` +
      `${ROUNDS} kills; resident ${Math.round(Math.min(...memory))} to ${Math.round(Math.max(...memory))} MiB\n`,
  );
  const moved = V6 - YOUNG;
  expect(await readRun(app, id)).toEqual({
    state: 'SUCCEEDED',
    message: `Holding tank processed. ${V4} IPv4 and ${moved} IPv6 blocks moved to the available pool. `,
    attempt: ROUNDS + 1,
    progress: 1,
  });
  expect(await available()).toBe(V4 + moved);
  // Flat: all rows in this process would be far more.
  expect(Math.max(...memory)).toBeLessThan(Math.min(...memory) + 100);
});
