// What the product tells of itself to Prometheus.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineTaskClass } from '../../src/task-classes/task-class.ts';
import { overWebSocket, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { get, overSocket } from '../support/doors.ts';
import { addTasks, everyHourAt, rows } from '../support/races.ts';
import { scrape } from '../support/scrape.ts';

const AS_TOLD = '\\test\\AsTold';

const asTold = defineTaskClass({
  name: AS_TOLD,
  title: 'As told',
  description: 'Ends as its data says.',
  data: z.looseObject({ fails: z.boolean().optional() }),
  run: async ({ data }) => {
    if (data.fails) throw new Error('as told');
    return 'as told';
  },
});

let database: TestDatabase;
let gateway: TestApp;
let runner: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  gateway = await startTestApp(database.url, { settings: { ROLE: 'gateway', METRICS_PORT: 0 } });
  runner = await startTestApp(database.url, { settings: { ROLE: 'runner', METRICS_PORT: 0 }, taskClasses: [asTold] });
});

afterAll(async () => {
  await runner?.stop();
  await gateway?.stop();
  await database?.close();
});

const sql = <Row>(text: string) => rows<Row>(database.orm.em, text);

async function addTask(name: string, rest: object = {}): Promise<string> {
  const { addTask } = await gateway.query<{ addTask: { task: { id: string } } }>(
    'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }',
    { input: { name, className: AS_TOLD, ...rest } },
  );
  return addTask.task.id;
}

const execute = (task: string, fails: boolean) =>
  gateway.query(
    'mutation ($task: ID!, $data: JSON) { executeTask(input: { task: { id: $task }, data: $data }) { run { id } } }',
    { task, data: { fails } },
  );

/** Makes tasks with a slot every minute due since a while ago. */
async function makeDue(names: string, ago: string): Promise<void> {
  await sql(`update schedule_version set valid_from = now() - interval '60 days'
    where task_id in (select id from task where name like '${names}')`);
  await sql(`update task set following_of = null, next_run_at = date_trunc('minute', now() - interval '${ago}')
    where name like '${names}'`);
  await sql(`select pg_notify('slotkeeper_schedule', '')`);
}

const unfinished = async () => {
  const [row] = await sql<{ n: number }>(`select count(*)::int as n from run where state in ('QUEUED', 'RUNNING')`);
  const [due] = await sql<{ n: number }>('select count(*)::int as n from task where next_run_at <= now()');
  return (row?.n ?? 0) + (due?.n ?? 0);
};

test('what is scraped while much runs is in the end what the database says, on each gateway', async () => {
  const other = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  const tasks = await Promise.all(
    Array.from({ length: 10 }, (_, index) => addTask(`Asked ${index}`, { policy: { overlap: 'ALLOW' } })),
  );
  const rules = { repeatItems: [{ minute: null }] };
  await Promise.all(Array.from({ length: 20 }, (_, index) => addTask(`Due ${index}`, rules)));
  await addTask('Behind', { ...rules, policy: { catchUp: 'LATEST' } });
  await addTask('Far behind', { ...rules, policy: { catchUp: 'NONE' } });
  let isOver = false;
  const scraping = (async () => {
    // The gateway by both of its ports at once.
    const addresses = [gateway.address, gateway.metricsAddress ?? '', other.address];
    while (!isOver) await Promise.all(addresses.map((address) => scrape(address, gateway.authorization)));
  })();
  const asked = Promise.all(tasks.flatMap((task) => Array.from({ length: 20 }, (_, n) => execute(task, n % 4 === 0))));
  await makeDue('Due%', '1 minute');
  await makeDue('Behind', '7 minutes');
  await makeDue('Far behind', '40 days');
  await asked;
  await expect.poll(unfinished, { timeout: 60_000 }).toBe(0);
  isOver = true;
  await scraping;

  const finished = await sql<{ state: string; n: number; seconds: number }>(
    `select state, count(*)::int as n, sum(extract(epoch from finished_at - started_at))::float8 as seconds from run
     where state in ('SUCCEEDED', 'FAILED', 'CANCELLED') group by state`,
  );
  const [began] = await sql<{ n: number; seconds: number }>(
    `select count(*)::int as n, sum(extract(epoch from started_at - slot))::float8 as seconds from run
     where trigger = 'SCHEDULE' and started_at is not null`,
  );
  const skipped = await sql<{ reason: string; n: number }>(
    `select reason, sum(n)::int as n from (
       select skip_reason as reason, count(*) as n from run where state = 'SKIPPED' group by 1
       union all select reason, sum(count) from slot_gap group by 1) as all_of_them group by reason`,
  );
  expect(Object.fromEntries(finished.map(({ state, n }) => [state, n]))).toMatchObject({ FAILED: 50 });
  expect(began?.n).toBeGreaterThanOrEqual(21);
  expect(skipped.find(({ reason }) => reason === 'TOO_OLD' || reason === 'MISSED')?.n).toBeGreaterThan(1_000);
  for (const app of [gateway, other]) {
    const told = await scrape(app.address, app.authorization);
    expect(told.sums('slotkeeper_runs_finished_total', 'state')).toEqual(
      Object.fromEntries(finished.map(({ state, n }) => [state, n])),
    );
    expect(told.sums('slotkeeper_runs_finished_total', 'class')).toEqual({
      [AS_TOLD]: finished.reduce((sum, { n }) => sum + n, 0),
    });
    expect(told.sums('slotkeeper_slots_skipped_total', 'reason')).toEqual(
      Object.fromEntries(skipped.map(({ reason, n }) => [reason, n])),
    );
    expect(told.value('slotkeeper_run_lateness_seconds_count')).toBe(began?.n);
    expect(told.value('slotkeeper_run_lateness_seconds_sum')).toBeCloseTo(began?.seconds ?? 0, 3);
    expect(told.value('slotkeeper_run_lateness_seconds_bucket', { le: '+Inf' })).toBe(began?.n);
    expect(told.value('slotkeeper_run_duration_seconds_sum')).toBeCloseTo(
      finished.reduce((sum, { seconds }) => sum + seconds, 0),
      3,
    );
    const [{ head } = { head: 0 }] = await sql<{ head: number }>('select head from event_log');
    expect(told.value('slotkeeper_event_log_head')).toBe(head);
    expect(told.value('slotkeeper_event_tail_lag_events')).toBe(0);
  }
  await other.stop();
});

test('the queue, the places and what is overdue are those of the moment', async () => {
  await expect.poll(unfinished, { timeout: 60_000 }).toBe(0);
  const before = await scrape(gateway.address, gateway.authorization);
  expect(before.sums('slotkeeper_places', 'state')).toEqual({ busy: 0, free: 10 });
  expect(before.value('slotkeeper_runners')).toBe(1);
  const queue = { ready: 0, delayed: 0, waiting: 0 };
  expect(before.sums('slotkeeper_queue_runs', 'state')).toEqual(queue);
  // A task with a due slot whose class no runner has any more.
  await addTask('Left alone', { repeatItems: [{ minute: null }] });
  await sql(`update task set class_name = 'gone' where name = 'Left alone'`);
  await sql(`insert into run (task_id, trigger, state, actor_id, queued_at, job_id, next_attempt_at)
    select id, 'MANUAL', 'QUEUED', 1, now(), job, delayed from task, (values
      (null::uuid, null::timestamptz), (gen_random_uuid(), null), (gen_random_uuid(), now() + interval '1 hour')
    ) as kind (job, delayed) where name = 'Left alone'`);
  await sql(
    `update task set next_run_at = date_trunc('minute', now()) - interval '5 minutes' where name = 'Left alone'`,
  );
  const after = await scrape(gateway.address, gateway.authorization);
  expect(after.value('slotkeeper_overdue_seconds')).toBeGreaterThanOrEqual(300);
  await sql(`update task set next_run_at = null where name = 'Left alone'`);
  await sql(`delete from run where task_id = (select id from task where name = 'Left alone')`);
  // Lost runs get their jobs back meanwhile: the waiting one may have become a ready one.
  const { delayed, ready = 0, waiting = 0 } = after.sums('slotkeeper_queue_runs', 'state');
  expect(delayed).toBe(1);
  expect(ready + waiting).toBe(2);
});

test('slots are compared with the ledger, and those without a record are reported', async () => {
  const own = await testDatabase();
  const app = await startTestApp(own.url, { settings: { ROLE: 'gateway' } });
  const [task = 0] = await addTasks(own.orm.em, {
    count: 1,
    rule: { ...everyHourAt(0), minute: null },
    from: new Date(),
  });
  // As if ten minutes of it had been lost.
  await rows(own.orm.em, `update schedule_version set valid_from = now() - interval '10 minutes' where task_id = ?`, [
    task,
  ]);
  const unaccounted = async () => {
    const [to, from] = [60_000, 61 * 60_000].map((ago) => new Date(Date.now() - ago).toISOString());
    const { coverage } = await app.query<{ coverage: { unaccounted: number } }>(
      'query ($from: DateTime!, $to: DateTime!) { coverage(from: $from, to: $to) { unaccounted } }',
      { from, to },
    );
    return coverage.unaccounted;
  };
  const before = await unaccounted();
  const told = async () => (await scrape(app.address, app.authorization)).value('slotkeeper_unaccounted_slots');
  await expect.poll(told).toBeGreaterThan(0);
  // A minute may pass meanwhile.
  expect([before, await unaccounted()]).toContain(await told());
  expect(before).toBeGreaterThan(5);
  await app.stop();
  await own.close();
});

describe('requests', () => {
  test('are counted by root field and by old action, and by no word of the caller', async () => {
    const counted = async (operation: string, outcome: string) => {
      const told = await scrape(gateway.address, gateway.authorization);
      return told.value('slotkeeper_request_duration_seconds_count', { operation, outcome }) ?? 0;
    };
    const before = {
      tasks: await counted('tasks', 'ok'),
      several: await counted('several', 'ok'),
      refused: await counted('refused', 'error'),
      task: await counted('task', 'error'),
    };
    // The fifth of the same text is answered by compiled code.
    for (let n = 0; n < 5; n += 1) await gateway.query('query Chosen { chosen: tasks { edges { cursor } } }');
    await overSocket(gateway.address, { query: 'query Chosen { tasks { edges { cursor } } }' }, gateway.authorization);
    await gateway.query('query Chosen { tasks { edges { cursor } } viewer { name } }');
    await gateway.post('query Chosen { chosen }');
    await gateway.post('query Chosen { task(by: { legacyId: -1 }) { id } }');
    expect(await counted('tasks', 'ok')).toBe(before.tasks + 6);
    expect(await counted('several', 'ok')).toBe(before.several + 1);
    expect(await counted('refused', 'error')).toBe(before.refused + 1);
    expect((await counted('task', 'error')) + (await counted('task', 'ok'))).toBe(before.task + 1);

    await gateway.legacy('target=scheduler&action=getTasks');
    await gateway.legacy('target=scheduler&action=GetTasks');
    await gateway.legacy('target=scheduler&action=chosen');
    expect(await counted('getTasks', 'ok')).toBe(2);
    expect(await counted('unknown', 'error')).toBe(1);
    const { text } = await scrape(gateway.address, gateway.authorization);
    expect(text).not.toMatch(/chosen/i);
  });

  test('that are refused are counted, and streams that are open', async () => {
    const before = await scrape(gateway.address, gateway.authorization);
    await get(`${gateway.address}/metrics`);
    await get(`${gateway.address}/api/v1/api.php?target=scheduler&action=getTasks`);
    const stream = await overWebSocket(gateway);
    await expect
      .poll(async () => (await scrape(gateway.address, gateway.authorization)).value('slotkeeper_live_subscribers'))
      .toBe(1);
    const after = await scrape(gateway.address, gateway.authorization);
    const refused = 'slotkeeper_refused_credentials_total';
    expect(after.value(refused)).toBe((before.value(refused) ?? 0) + 2);
    await stream.close();
  });
});

test('every metric that the files for Prometheus and Grafana use exists', async () => {
  const files = await Promise.all(
    ['prometheus/alerts.yaml', 'grafana/slotkeeper.json'].map((path) =>
      readFile(new URL(`../../deploy/${path}`, import.meta.url), 'utf8'),
    ),
  );
  const asked = files.flatMap((text) => text.match(/\b(?:slotkeeper|process|nodejs)_[a-z0-9_]+(?=[{[) ]|$)/gm) ?? []);
  const { text } = await scrape(gateway.address, gateway.authorization);
  const told = new Set(
    [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    ),
  );
  expect(new Set(asked).size).toBeGreaterThan(20);
  expect([...new Set(asked)].filter((name) => !told.has(name))).toEqual([]);
});

describe('a runner with METRICS_PORT', () => {
  test('reports its process, its connections and its health', async () => {
    const address = runner.metricsAddress ?? '';
    const told = await scrape(address, gateway.authorization);
    expect(told.value('process_resident_memory_bytes')).toBeGreaterThan(0);
    expect(told.value('slotkeeper_database_pool_connections', { state: 'used' })).toBeGreaterThanOrEqual(0);
    expect(told.value('slotkeeper_runs_finished_total')).toBeUndefined();
    expect(JSON.parse((await get(`${address}/readyz`)).text)).toEqual({ status: 'ready' });
    expect((await get(`${address}/healthz`)).status).toBe(200);
  });

  test('answers no one without credentials, and serves nothing else', async () => {
    const address = runner.metricsAddress ?? '';
    expect((await get(`${address}/metrics`)).status).toBe(401);
    const headers = { authorization: gateway.authorization };
    for (const path of ['/', '/graphql', '/api/v1/api.php'])
      expect((await get(address + path, headers)).status).toBe(404);
  });
});
