// The database becomes unreachable and returns: the product logs it, waits and recovers by itself with nothing lost.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEmbedded } from '../../src/database/embedded.ts';
import { overWebSocket, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { get } from '../support/doors.ts';
import { type DatabaseProxy, proxyTo } from '../support/proxy.ts';
import { metric } from '../support/streams.ts';
import { heldClass } from '../support/test-classes.ts';

let database: TestDatabase;
let way: DatabaseProxy;
let app: TestApp;
let held: ReturnType<typeof heldClass>;

let logged: { level: number; msg: string }[];

beforeEach(async () => {
  database = await testDatabase();
  way = await proxyTo(database.url);
  held = heldClass();
  logged = [];
  const log = new Writable({
    write(line, _encoding, done) {
      logged.push(JSON.parse(line.toString()));
      done();
    },
  });
  app = await startTestApp(way.url, { taskClasses: [held.taskClass], settings: { LOG_LEVEL: 'info' }, log });
});

afterEach(async () => {
  await app?.stop();
  await way?.cut();
  await database?.close();
});

async function addTask(): Promise<string> {
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
    'mutation ($name: String!) { addTask(input: { name: "Held", className: $name, policy: { overlap: ALLOW } }) { task { id } } }',
    { name: held.taskClass.name },
  );
  return addTask.task.id;
}

const execute = (task: string, key: string) =>
  app.post<{ executeTask: { run: { id: string } } }>(
    `mutation ($task: ID!, $key: String!) {
      executeTask(input: { task: { id: $task }, idempotencyKey: $key }) { run { id } }
    }`,
    { task, key },
  );
const stateOf = async (id: string) =>
  (await app.post<{ run: { state: string } }>('query ($id: ID!) { run(id: $id) { state } }', { id })).data?.run.state;
const messages = (text: string) => logged.filter(({ msg }) => msg.startsWith(text)).map(({ msg }) => msg);
const readiness = async () => (await get(`${app.address}/readyz`)).status;

test('a run that is running while the database is unreachable is settled once it is back', async () => {
  const task = await addTask();
  const before = (await execute(task, 'before')).data?.executeTask.run.id ?? '';
  const attempt = await held.next();
  expect(await readiness()).toBe(200);
  await way.cut();
  await expect.poll(readiness).toBe(503);
  const metrics = await get(`${app.address}/metrics`, { authorization: app.authorization });
  expect([metrics.status, metrics.text]).toEqual([503, 'The database does not answer.']);
  const { errors } = await execute(task, 'while away');
  expect(errors).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }]);
  attempt.succeed('while the database was away');
  // Long enough for several attempts of the loops.
  await pause(3_000);
  await way.restore();
  await expect.poll(readiness).toBe(200);
  await expect.poll(() => stateOf(before)).toBe('SUCCEEDED');
  const after = (await execute(task, 'after')).data?.executeTask.run.id ?? '';
  (await held.next()).succeed('done');
  await expect.poll(() => stateOf(after)).toBe('SUCCEEDED');
  // One line for the loss and one for the recovery, however many attempts there were.
  const told = (what: string) => [messages(`could not ${what}`).length, messages(`could ${what} again`).length];
  await expect.poll(() => told('listen to the database')).toEqual([1, 1]);
  await expect.poll(() => told('get an answer from the database')).toEqual([1, 1]);
  await expect.poll(() => told('settle attempts')).toEqual([1, 1]);
});

test('connections that a router forgets are closed within a minute, and one with a slow statement is not', async () => {
  const task = await addTask();
  const before = (await execute(task, 'before')).data?.executeTask.run.id ?? '';
  (await held.next()).succeed('done');
  await expect.poll(() => stateOf(before)).toBe('SUCCEEDED');
  const slow = database.orm.em.fork().execute<{ answer: number }[]>('select 42 as answer from pg_sleep(40)');
  const stream = await overWebSocket(app);
  await expect.poll(() => metric(app, 'slotkeeper_live_subscribers')).toBe(1);
  way.swallow();
  const since = performance.now();
  let asked = await execute(task, 'after');
  while (!asked.data?.executeTask) asked = await execute(task, 'after');
  const after = asked.data.executeTask.run.id;
  (await held.next()).succeed('done');
  await expect.poll(() => stateOf(after)).toBe('SUCCEEDED');
  await expect.poll(readiness, { timeout: 60_000 }).toBe(200);
  expect(performance.now() - since).toBeLessThan(60_000);
  await expect.poll(() => stream.received.length).toBe(3);
  await stream.close();
  expect(await slow).toEqual([{ answer: 42 }]);
});

test('a pooler that closes idle connections causes no failure', async () => {
  const task = await addTask();
  way.closeIdle(150);
  const ids: string[] = [];
  for (let round = 0; round < 15; round += 1) {
    await pause(round * 20);
    const { data, errors } = await execute(task, `round ${round}`);
    expect(errors).toBeUndefined();
    ids.push(data?.executeTask.run.id ?? '');
    (await held.next()).succeed('done');
  }
  way.closeIdle(0);
  for (const id of ids) await expect.poll(() => stateOf(id)).toBe('SUCCEEDED');
  expect(held.begunCount()).toBe(0);
  expect(new Set(ids).size).toBe(15);
});

test('while every connection of the pool is busy it is not ready, keeps its attempts, and answers once there is room', async () => {
  const task = await addTask();
  const run = (await execute(task, 'before')).data?.executeTask.run.id ?? '';
  const attempt = await held.next();
  const blocker = database.orm.em.fork();
  await blocker.begin();
  await blocker.execute('lock table run in access exclusive mode');
  // Each of these waits for the locked table with a connection of its own.
  const waiting = Array.from({ length: 40 }, () => stateOf(run));
  await expect.poll(readiness).toBe(503);
  attempt.succeed('while the pool was full');
  await pause(1_000);
  await blocker.commit();
  await Promise.all(waiting);
  await expect.poll(readiness).toBe(200);
  await expect.poll(() => stateOf(run)).toBe('SUCCEEDED');
  const { data } = await app.post<{ run: { attempt: number } }>('query ($id: ID!) { run(id: $id) { attempt } }', {
    id: run,
  });
  expect(data?.run.attempt).toBe(1);
});

test('a restart of PostgreSQL loses nothing: what was due meanwhile is fired, what ran is settled', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'slotkeeper-away-'));
  const start = () => startEmbedded({ dataDir, log: () => undefined, settings: { fsync: 'off' } });
  let server = await start();
  const road = await proxyTo(server.url);
  const other = heldClass();
  const product = await startTestApp(road.url, { taskClasses: [other.taskClass] });
  try {
    const { addTask } = await product.query<{ addTask: { task: { id: string } } }>(
      `mutation { addTask(input: { name: "n", className: "\\\\test\\\\Held", policy: { overlap: ALLOW } }) { task { id } } }`,
    );
    const ask = (key: string) =>
      product.post<{ executeTask: { run: { id: string } } }>(
        `mutation ($task: ID!, $key: String!) {
          executeTask(input: { task: { id: $task }, idempotencyKey: $key }) { run { id } }
        }`,
        { task: addTask.task.id, key },
      );
    const asked = await ask('before');
    const attempt = await other.next();
    await server.release();
    server = await start();
    road.retarget(server.url);
    attempt.succeed('through a restart');
    let again = await ask('after');
    while (!again.data?.executeTask) again = await ask('after');
    (await other.next()).succeed('after the restart');
    const states = async () => {
      const reply = await product.post<{ runs: { edges: { node: { state: string; message: string } }[] } }>(
        '{ runs(first: 10) { edges { node { state message attempt } } } }',
      );
      return reply.data?.runs.edges.map(({ node }) => node);
    };
    await expect.poll(states).toEqual([
      { state: 'SUCCEEDED', message: 'after the restart', attempt: 1 },
      { state: 'SUCCEEDED', message: 'through a restart', attempt: 1 },
    ]);
    expect(asked.data?.executeTask.run.id).toBeDefined();
  } finally {
    await product.stop();
    await road.cut();
    await server.release();
    await rm(dataDir, { recursive: true, force: true });
  }
});

test('connections that drop again and again lose no run, duplicate none, and end no subscription silently', async () => {
  const task = await addTask();
  // The current end of the log: a subscription that is cut off before its first event continues from there too.
  const end = await app.query<{ events: { pageInfo: { endCursor: string } } }>(
    '{ events(last: 1) { pageInfo { endCursor } } }',
  );
  let cursor = end.events.pageInfo.endCursor;
  const seen: string[] = [];
  const ids: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    const stream = await overWebSocket(app, { after: cursor });
    const asked = () => execute(task, `round ${round}`);
    // A caller that gets an error repeats the call with the same key: the work is done once.
    let reply = await asked();
    way.drop();
    while (reply.data?.executeTask === undefined || reply.data.executeTask === null) reply = await asked();
    ids.push(reply.data.executeTask.run.id);
    (await held.next()).succeed('done');
    await expect.poll(() => stateOf(ids.at(-1) ?? '')).toBe('SUCCEEDED');
    for (const event of stream.received) {
      seen.push(event.cursor);
      cursor = event.cursor;
    }
    await stream.close();
  }
  const last = await overWebSocket(app, { after: cursor });
  const { data } = await app.post<{ events: { edges: { node: { cursor: string } }[] } }>(
    '{ events(first: 500, filter: { types: [QUEUED, STARTED, SUCCEEDED, FAILED, RETRYING, CANCELLED] }) { edges { node { cursor } } } }',
  );
  const stored = data?.events.edges.map(({ node }) => node.cursor) ?? [];
  await expect.poll(() => [...seen, ...last.received.map(({ cursor }) => cursor)]).toEqual(stored);
  await last.close();
  expect(new Set(ids).size).toBe(5);
  expect(stored).toHaveLength(15);
});
