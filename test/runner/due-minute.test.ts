// A task that is due in the next minute fires by itself, and everybody who watches sees it.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EventStream, HOLDING, overSse, overWebSocket, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

let database: TestDatabase;
let app: TestApp;
const streams: EventStream[] = [];

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url);
});

afterAll(async () => {
  for (const stream of streams) await stream.close();
  await app?.stop();
  await database?.close();
});

async function open(stream: Promise<EventStream>): Promise<EventStream> {
  const opened = await stream;
  streams.push(opened);
  return opened;
}

interface AddedTask {
  addTask: { task: { id: string; nextRunAt: string } };
}

test('a task added through GraphQL fires within a second of its minute, and both transports tell of it', async () => {
  const { addTask } = await app.query<AddedTask>(
    `mutation ($className: String!) {
      addTask(input: { name: "Every minute", className: $className, repeatItems: [{ minute: null }] }) {
        task { id nextRunAt }
      }
    }`,
    { className: HOLDING },
  );
  const task = addTask.task.id;
  const due = new Date(addTask.task.nextRunAt);
  expect(due.getTime() % 60_000).toBe(0);
  const socket = await open(overWebSocket(app, { task }));
  const sse = await open(overSse(app, { task }));

  const [bySocket, bySse] = await Promise.all([socket.atLeast(3), sse.atLeast(3)]);
  const seen = bySocket.slice(0, 3);
  expect(seen.map(({ type }) => type)).toEqual(['QUEUED', 'STARTED', 'SUCCEEDED']);
  expect(bySse.slice(0, 3)).toEqual(seen);
  expect(new Set(seen.map(({ cursor }) => cursor)).size).toBe(3);

  const { runs } = await app.query<{
    runs: { edges: { node: { slot: string; queuedAt: string; startedAt: string } }[] };
  }>('{ runs(first: 1) { edges { node { slot queuedAt startedAt } } } }');
  const run = runs.edges[0]?.node;
  expect(run?.slot).toBe(due.toISOString());
  const late = new Date(run?.startedAt ?? '').getTime() - due.getTime();
  expect(late).toBeGreaterThanOrEqual(0);
  expect(late).toBeLessThan(1_000);

  // No more slots: what comes after the third event is then known.
  await app.query(`mutation ($task: ID!) { pauseTask(input: { task: { id: $task } }) { task { active } } }`, { task });
  const after = seen[1]?.cursor ?? '';
  const resumed = await Promise.all([
    open(overWebSocket(app, { task, after })),
    open(overSse(app, { task, after })),
    open(overSse(app, { task }, after)),
  ]);
  for (const stream of resumed) expect((await stream.atLeast(1))[0]).toEqual(seen[2]);
  // Anything doubled would have come with it; a poll of the log is given the time to show it.
  await sleep(1_500);
  for (const stream of resumed) expect(stream.received).toEqual([seen[2]]);
}, 180_000);
