// The database goes away and comes back: the product waits, says so, and goes on by itself with nothing lost.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { overWebSocket, startTestApp, type TestApp } from './support/app.ts';
import { type TestDatabase, testDatabase } from './support/database.ts';
import { get } from './support/doors.ts';
import { type DatabaseProxy, proxyTo } from './support/proxy.ts';
import { heldClass } from './support/test-classes.ts';

let database: TestDatabase;
let way: DatabaseProxy;
let app: TestApp;
let held: ReturnType<typeof heldClass>;

beforeEach(async () => {
  database = await testDatabase();
  way = await proxyTo(database.url);
  held = heldClass();
  app = await startTestApp(way.url, { taskClasses: [held.taskClass] });
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
const readiness = async () => (await get(`${app.address}/readyz`)).status;

test('a run that is under way while the database is away is settled once it is back', async () => {
  const task = await addTask();
  const before = (await execute(task, 'before')).data?.executeTask.run.id ?? '';
  const attempt = await held.next();
  expect(await readiness()).toBe(200);
  await way.cut();
  await expect.poll(readiness).toBe(503);
  const { errors } = await execute(task, 'while away');
  expect(errors).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }]);
  attempt.succeed('while the database was away');
  await way.restore();
  await expect.poll(readiness, { timeout: 15_000 }).toBe(200);
  await expect.poll(() => stateOf(before), { timeout: 15_000 }).toBe('SUCCEEDED');
  const after = (await execute(task, 'after')).data?.executeTask.run.id ?? '';
  (await held.next()).succeed('done');
  await expect.poll(() => stateOf(after), { timeout: 15_000 }).toBe('SUCCEEDED');
});

test('connections that drop again and again lose no run, double none, and end no subscription without a word', async () => {
  const task = await addTask();
  let cursor: string | undefined;
  const seen: string[] = [];
  const ids: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    const stream = await overWebSocket(app, cursor === undefined ? {} : { after: cursor });
    const asked = () => execute(task, `round ${round}`);
    // Whoever gets an error asks again with the same key: the work is done once.
    let reply = await asked();
    way.drop();
    while (reply.data?.executeTask === undefined || reply.data.executeTask === null) reply = await asked();
    ids.push(reply.data.executeTask.run.id);
    (await held.next()).succeed('done');
    await expect.poll(() => stateOf(ids.at(-1) ?? ''), { timeout: 20_000 }).toBe('SUCCEEDED');
    for (const event of stream.received) {
      seen.push(event.cursor);
      cursor = event.cursor;
    }
    await stream.close();
  }
  const last = await overWebSocket(app, cursor === undefined ? {} : { after: cursor });
  const { data } = await app.post<{ events: { edges: { node: { cursor: string } }[] } }>(
    '{ events(first: 500, filter: { types: [QUEUED, STARTED, SUCCEEDED, FAILED, RETRYING, CANCELLED] }) { edges { node { cursor } } } }',
  );
  const stored = data?.events.edges.map(({ node }) => node.cursor) ?? [];
  await expect.poll(() => [...seen, ...last.received.map(({ cursor }) => cursor)]).toEqual(stored);
  await last.close();
  expect(new Set(ids).size).toBe(5);
  expect(stored).toHaveLength(15);
});
