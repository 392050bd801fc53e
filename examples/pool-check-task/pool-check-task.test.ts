// The example as its reader uses it: named in TASK_MODULES, and given to tasks through GraphQL.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/support/database.ts';
import { type AppProcess, startProcess } from '../../test/support/process.ts';

const CLASS = '\\examples\\Tasks\\PoolCheckTask';

let database: TestDatabase;
let app: AppProcess;

beforeAll(async () => {
  database = await testDatabase();
  app = await startProcess(database.url, { TASK_MODULES: fileURLToPath(new URL('.', import.meta.url)) });
  await app.query(
    'mutation { addIpBlocks(input: { pool: "office", cidrs: ["10.0.0.0/24", "10.0.1.0/24"] }) { ipBlocks { id } } }',
  );
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

interface Outcome {
  state: string;
  message: string | null;
  attempt: number;
}

async function check(data: object) {
  const { addTask } = await app.query<{ addTask: { task: { id: string; timeoutSeconds: number } } }>(
    `mutation ($className: String!, $data: JSON) {
      addTask(input: { name: "Check", className: $className, data: $data }) { task { id timeoutSeconds } }
    }`,
    { className: CLASS, data },
  );
  expect(addTask.task.timeoutSeconds).toBe(60);
  const { executeTask } = await app.query<{ executeTask: { run: { id: string } } }>(
    'mutation ($id: ID!) { executeTask(input: { task: { id: $id } }) { run { id } } }',
    { id: addTask.task.id },
  );
  const { id } = executeTask.run;
  const run = async () => {
    const found = await app.query<{ run: Outcome }>('query ($id: ID!) { run(id: $id) { state message attempt } }', {
      id,
    });
    return found.run;
  };
  // What an attempt says is there once it has ended, whether another follows or not.
  await expect.poll(async () => (await run()).message).not.toBeNull();
  return run();
}

test('a pool with enough blocks passes', async () => {
  expect(await check({ pool: 'office', least: 2 })).toEqual({
    state: 'SUCCEEDED',
    message: '2 blocks of pool "office" are available.',
    attempt: 1,
  });
});

test('one with too few is checked again a minute later, one that is not there is not', async () => {
  const short = 'Only 2 blocks of pool "office" are available, not 10.';
  expect(await check({ pool: 'office' })).toEqual({ state: 'QUEUED', message: short, attempt: 1 });
  expect(await check({ pool: 'ofice' })).toEqual({ state: 'FAILED', message: 'There is no pool "ofice".', attempt: 1 });
});
