// The holding tank, from the assignment of a block to its return to the pool.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

let database: TestDatabase;
let app: TestApp;
let task: string;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url);
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
    'mutation ($className: String!) { addTask(input: { name: "Hold", className: $className }) { task { id } } }',
    { className: HOLDING },
  );
  task = addTask.task.id;
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

async function execute(data: object | null): Promise<{ state: string; message: string }> {
  const { executeTask } = await app.query<{ executeTask: { run: { state: string; message: string } } }>(
    `mutation ($task: ID!, $data: JSON) {
      executeTask(input: { task: { id: $task }, data: $data, waitSeconds: 30 }) { run { state message } }
    }`,
    { task, data },
  );
  return executeTask.run;
}

function states(): Promise<{ cidr: string; state: string }[]> {
  return database.orm.em.getConnection().execute('select cidr::text, state from ip_block order by id');
}

/** Adds blocks, assigns them and puts them into the tank. */
async function hold(cidrs: string[]): Promise<void> {
  const { addIpBlocks } = await app.query<{ addIpBlocks: { ipBlocks: { id: string }[] } }>(
    'mutation ($cidrs: [Cidr!]!) { addIpBlocks(input: { cidrs: $cidrs }) { ipBlocks { id } } }',
    { cidrs },
  );
  for (const { id } of addIpBlocks.ipBlocks) {
    await app.query(
      `mutation ($id: ID!) {
        assignIpBlock(input: { id: $id, assignee: "customer 7" }) { ipBlock { state } }
        unassignIpBlock(input: { id: $id }) { ipBlock { state heldAt } }
      }`,
      { id },
    );
  }
}

test('blocks that are held for longer than the holding days become available, counted by family', async () => {
  await hold(['10.0.0.0/24', '10.0.1.0/24', '2001:db8::/48', '192.0.2.0/25']);
  await database.orm.em
    .getConnection()
    .execute(`update ip_block set held_at = now() - interval '31 days' where cidr in ('10.0.0.0/24', '2001:db8::/48')`);
  expect(await execute(null)).toEqual({
    state: 'SUCCEEDED',
    message: 'Holding tank processed. 1 IPv4 and 1 IPv6 blocks moved to the available pool. ',
  });
  expect(await states()).toEqual([
    { cidr: '10.0.0.0/24', state: 'AVAILABLE' },
    { cidr: '10.0.1.0/24', state: 'HOLDING' },
    { cidr: '2001:db8::/48', state: 'AVAILABLE' },
    { cidr: '192.0.2.0/25', state: 'HOLDING' },
  ]);
});

test('a block that is being changed delays no other block, and is moved after the change', async () => {
  await hold(['10.9.0.0/24', '10.9.1.0/24', '10.9.2.0/24']);
  let running: Promise<{ state: string; message: string }> | undefined;
  await database.orm.em.fork().transactional(async (em) => {
    await em.execute(`select from ip_block where cidr = '10.9.1.0/24' for update`);
    running = execute({ holding_days: 0 });
    const moved = async () =>
      (await states()).filter(({ cidr, state }) => cidr.startsWith('10.9') && state === 'AVAILABLE');
    await expect.poll(async () => (await moved()).length).toBe(2);
  });
  // With the two blocks of the test before.
  expect((await running)?.message).toContain('5 IPv4 and 0 IPv6 blocks');
});

test('holding days of 0 move every held block at once, also when they come as text', async () => {
  await hold(['10.8.0.0/24']);
  expect((await execute({ holding_days: '0' })).message).toContain('1 IPv4 and 0 IPv6 blocks');
  expect((await states()).every(({ state }) => state === 'AVAILABLE')).toBe(true);
});

test('holding days that are no whole number from 0 up are refused and nothing runs', async () => {
  for (const days of [-1, 1.5, 'soon', true, [], 10_000]) {
    const reply = await app.post(
      `mutation ($task: ID!, $data: JSON) { executeTask(input: { task: { id: $task }, data: $data }) { run { id } } }`,
      { task, data: { holding_days: days } },
    );
    expect(reply.errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'input.data.holding_days' });
  }
});
