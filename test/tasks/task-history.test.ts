// The log says what a user changed of a task, not only that they did.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { EVERY } from '../support/calendar-oracle.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url);
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

async function addTask(): Promise<string> {
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
    `mutation ($class: String!) { addTask(input: {
      name: "Task", className: $class, data: { holding_days: 3 }, repeatItems: [{ hour: 4 }, { hour: 5, dayOfWeek: 1 }]
    }) { task { id } } }`,
    { class: HOLDING },
  );
  return addTask.task.id;
}

/** Changes it, and returns what the newest entry of its history says of that. */
async function changed(id: string, input: object): Promise<unknown> {
  await app.query('mutation ($input: UpdateTaskInput!) { updateTask(input: $input) { task { id } } }', {
    input: { task: { id }, ...input },
  });
  const { task } = await app.query<{ task: { events: { edges: { node: { type: string; data: unknown } }[] } } }>(
    'query ($id: ID!) { task(by: { id: $id }) { events(last: 1) { edges { node { type data } } } } }',
    { id },
  );
  expect(task.events.edges[0]?.node.type).toBe('TASK_UPDATED');
  return task.events.edges[0]?.node.data;
}

const every = { ...EVERY, minute: 0 };

test('an update is on record with each field that differs, as it was and as it is', async () => {
  const id = await addTask();
  expect(
    await changed(id, {
      name: 'New',
      data: { holding_days: 5 },
      policy: { retry: { attempts: 3 }, timeoutSeconds: 900 },
    }),
  ).toEqual({
    name: { from: 'Task', to: 'New' },
    data: { from: { holding_days: 3 }, to: { holding_days: 5 } },
    retryAttempts: { from: 1, to: 3 },
  });
  const kept = { ...every, hour: 5, dayOfWeek: 1 };
  expect(
    await changed(id, { active: false, timeZone: 'Europe/Berlin', repeatItems: [{ hour: 5, dayOfWeek: 1 }] }),
  ).toEqual({
    active: { from: true, to: false },
    timeZone: { from: 'UTC', to: 'Europe/Berlin' },
    repeatItems: { from: [{ ...every, hour: 4 }, kept], to: [kept] },
  });
});

test('an update that says what is so already is on record without differences, and long data is not repeated', async () => {
  const id = await addTask();
  expect(await changed(id, { name: 'Task', repeatItems: [{ hour: 4 }, { hour: 5, dayOfWeek: 1 }] })).toBeNull();
  const long = { holding_days: 3, note: 'x'.repeat(20_000) };
  expect(await changed(id, { data: long })).toEqual({
    data: { from: { holding_days: 3 }, to: `${JSON.stringify(long).length} characters` },
  });
});
