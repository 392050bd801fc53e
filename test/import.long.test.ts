// The tasks of an old installation, brought here by `npm run import`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, MASTER_KEY, startTestApp, type TestApp } from './support/app.ts';
import { CHILD_ENVIRONMENT } from './support/child-environment.ts';
import { contentsOf } from './support/contents.ts';
import { type TestDatabase, testDatabase } from './support/database.ts';
import { rows } from './support/races.ts';

const COMMAND = fileURLToPath(new URL('../src/import/command.ts', import.meta.url));

/** What the page of the old API shows. */
const item = (id: string, weekday: string, hour: string) => ({
  id,
  task_id: '1',
  repeat_start: '2015-05-06',
  repeat_end: null,
  repeat_interval: null,
  repeat_year: '*',
  repeat_month: '*',
  repeat_day: '*',
  repeat_week: '*',
  repeat_weekday: weekday,
  repeat_hour: hour,
  repeat_minute: '0',
});
const PAGE = {
  success: 1,
  data: [
    {
      id: '1',
      user_id: '31',
      name: 'Process Holding Tank',
      class_name: '\\scheduler\\Tasks\\ProcessHoldingTask',
      active: true,
      data: null,
      last_run: '2015-05-07 12:29:45',
      repeat_items: [item('1', '4', '20'), item('2', '5', '20'), item('3', '6', '20'), item('4', '0', '20')],
    },
    {
      id: '2',
      user_id: '31',
      name: 'New Task',
      class_name: '\\scheduler\\Tasks\\TestTask',
      active: true,
      data: null,
      last_run: '2015-05-07 12:35:41',
      repeat_items: ['1', '2', '3', '4', '5'].map((day, index) => ({
        ...item(String(5 + index), day, '21'),
        task_id: '2',
      })),
    },
  ],
};
const HISTORY = {
  success: 1,
  data: [
    { log_id: '1005030', time: '2015-05-07 12:28:14', user_id: '31', username: 'usernamehere', message: 'x', ip: null },
  ],
};

let database: TestDatabase;
let app: TestApp;

beforeEach(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  return async () => {
    await app.stop();
    await database.close();
  };
});

async function run(from: string, args: string[] = [], { key, secret } = ADMIN) {
  const env = { ...CHILD_ENVIRONMENT, DATABASE_URL: database.url, MASTER_KEY: MASTER_KEY.toString('hex') };
  const child = spawn(process.execPath, [COMMAND, '--from', from, '--key', key, ...args], { env, stdio: 'pipe' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  child.stdin.on('error', () => undefined);
  child.stdin.end(secret);
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

/** An old server that answers each action with what it is given; the address of its api.php. */
async function oldServer(replies: Record<string, unknown>): Promise<string> {
  const server = createServer((request, response) => {
    const action = new URL(request.url ?? '', 'http://old').searchParams.get('action') ?? '';
    const reply = replies[action];
    response.end(typeof reply === 'string' ? reply : JSON.stringify(reply));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/api.php`;
}
const servers: ReturnType<typeof createServer>[] = [];

afterAll(() => {
  for (const server of servers) server.close();
});

describe('the example of the old page', () => {
  let from: string;

  beforeAll(async () => {
    from = await oldServer({ getTasks: PAGE, getTaskHistory: HISTORY });
  });

  test('is shown in words by a dry run, which stores nothing', async () => {
    const before = await contentsOf(database.orm);
    const { code, output } = await run(from, ['--dry-run']);
    expect(output).toContain('+ user 31 "usernamehere", an operator');
    expect(output).toContain('+ task 1 "Process Holding Tank" of user 31, \\scheduler\\Tasks\\ProcessHoldingTask');
    expect(output).toMatch(
      /Thursday, Friday, Saturday and Sunday at 20:00, from 6 May 2015; next at \d{4}-\d\d-\d\d 20:00, /,
    );
    expect(output).toContain('? class \\scheduler\\Tasks\\TestTask is unknown here');
    expect(output).toContain('2 tasks to add, 0 here already');
    expect(output).toContain('Nothing was stored');
    expect(code).toBe(0);
    expect(await contentsOf(database.orm)).toEqual(before);
  });

  test('is what getTasks answers here afterwards, to the byte, and again after a second import', async () => {
    for (const time of ['first', 'second']) {
      const { code, output } = await run(from);
      expect({ time, code, output }).toMatchObject({ code: 0, output: expect.stringContaining('Stored.') });
      expect(JSON.parse(await app.legacy('target=scheduler&action=getTasks'))).toEqual(PAGE);
      if (time === 'second') expect(output).toContain('0 tasks to add, 2 here already');
    }
    expect(await rows(database.orm.em, 'select id, name, role from app_user order by id')).toEqual([
      { id: 1, name: 'admin', role: 'ADMIN' },
      { id: 31, name: 'usernamehere', role: 'OPERATOR' },
    ]);
    const due = await rows<{ due: boolean }>(database.orm.em, 'select next_run_at > now() as due from task');
    expect(due).toEqual([{ due: true }, { due: true }]);
    const { events } = await app.query<{ events: { edges: { node: { type: string } }[] } }>(
      '{ events { edges { node { type } } } }',
    );
    expect(events.edges.map(({ node }) => node.type)).toEqual(['TASK_ADDED', 'TASK_ADDED']);
    const { addTask } = await app.query<{
      addTask: { task: { legacyId: number; repeatItems: { legacyId: number }[] } };
    }>(
      'mutation { addTask(input: { name: "next", className: "\\\\scheduler\\\\Tasks\\\\BackupTask", repeatItems: [{}] }) { task { legacyId repeatItems { legacyId } } } }',
    );
    expect(addTask.task).toEqual({ legacyId: 3, repeatItems: [{ legacyId: 10 }] });
    const audit = await app.query<{ auditLog: { edges: { node: object }[] } }>(
      '{ auditLog { edges { node { actor { name } origin action target change } } } }',
    );
    expect(audit.auditLog.edges.map(({ node }) => node)).toEqual([
      {
        actor: null,
        origin: 'npm run import',
        action: 'import',
        target: new URL(from).host,
        change: { tasks: 2, users: [31] },
      },
    ]);
  });

  test('comes in paused where that is asked for', async () => {
    expect((await run(from, ['--paused'])).code).toBe(0);
    expect(await rows(database.orm.em, 'select active, next_run_at from task')).toEqual([
      { active: false, next_run_at: null },
      { active: false, next_run_at: null },
    ]);
  });

  test('leaves alone what was changed or deleted here since, and says so', async () => {
    await run(from);
    await app.query('mutation { updateTask(input: { task: { legacyId: 1 }, name: "Renamed" }) { task { id } } }');
    await app.query('mutation { deleteTask(input: { task: { legacyId: 2 } }) { task { id } } }');
    const before = await contentsOf(database.orm);
    const { code, output } = await run(from);
    expect(code).toBe(0);
    expect(output).toContain('here already, with another name; it stays as it is');
    expect(output).toContain('a task of this id was deleted here');
    expect(output).toContain('0 tasks to add, 0 here already, 2 left as they are');
    expect(await contentsOf(database.orm)).toEqual(before);
  });

  test('is done once by imports at the same instant', async () => {
    const results = await Promise.all([1, 2, 3].map(() => run(from)));
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(JSON.parse(await app.legacy('target=scheduler&action=getTasks'))).toEqual(PAGE);
  });
});

test('an installation of ours is an old server too: what it answers is answered here', async () => {
  const own = await testDatabase();
  const old = await startTestApp(own.url, { settings: { ROLE: 'gateway' } });
  const className = '\\scheduler\\Tasks\\BackupTask';
  for (let n = 0; n < 30; n += 1) {
    const repeatItems = Array.from({ length: n % 4 }, (_, index) => ({ hour: index, minute: n, dayOfWeek: n % 7 }));
    await old.query('mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }', {
      input: { name: `Täsk ${n}\n"`, className, active: n % 3 > 0, data: { keep: n + 1 }, repeatItems },
    });
  }
  await old.query('mutation { deleteTask(input: { task: { legacyId: 7 } }) { task { id } } }');
  const { code, output } = await run(`${old.address}/api/v1/api.php`);
  expect({ code, output }).toMatchObject({ code: 0 });
  const list = 'target=scheduler&action=getTasks';
  expect(await app.legacy(list)).toBe(await old.legacy(list));
  await old.stop();
  await own.close();
});

describe('nothing is stored, and one sentence says why, where the old server', () => {
  const broken = (change: object) => ({ getTasks: { ...PAGE, data: [{ ...PAGE.data[0], ...change }, PAGE.data[1]] } });

  test.each<[string, () => Promise<string> | string, RegExp]>([
    ['is no address', () => 'old.example', /^--from is "old\.example"; accepted is .+\n$/],
    ['is not there', () => 'http://127.0.0.1:1/api.php', /^127\.0\.0\.1:1 does not answer getTasks: .+\n$/],
    [
      'refuses the key',
      async () => `${app.address}/api/v1/api.php`,
      /does not let the key in: the key or its secret is wrong\.\n$/,
    ],
    [
      'answers with an error',
      () => oldServer({ getTasks: { success: 0, message: 'No.' } }),
      /refuses getTasks: No\.\n$/,
    ],
    [
      'answers with a page',
      () => oldServer({ getTasks: '<html>' }),
      /answers getTasks with 200 and no JSON object: "<html>"\n$/,
    ],
    [
      'answers with no list',
      () => oldServer({ getTasks: { success: 1, data: 5 } }),
      /data that is no list of rows\.\n$/,
    ],
    ['has a task without a name', () => oldServer(broken({ name: null })), /task 1: name: /],
    [
      'has a rule that no date meets',
      () => oldServer(broken({ repeat_items: [{ ...item('1', '*', '1'), repeat_month: '2', repeat_day: '30' }] })),
      /task 1: repeat_items\.0\./,
    ],
    ['has the id twice', () => oldServer(broken({ id: '2' })), /two tasks have the same id/],
    ['has no such id', () => oldServer(broken({ id: 'x' })), /task x: id: /],
  ])('%s', async (what, address, message) => {
    const before = await contentsOf(database.orm);
    const wrong = { key: ADMIN.key, secret: 'wrong' };
    const { code, output } = await run(await address(), [], what === 'refuses the key' ? wrong : ADMIN);
    expect(output).toMatch(message);
    expect(code).toBe(1);
    expect(await contentsOf(database.orm)).toEqual(before);
  });
});

test('the secret is asked for', async () => {
  const { code, output } = await run('http://127.0.0.1:1/api.php', [], { key: 'a', secret: '' });
  expect({ code, output }).toEqual({ code: 1, output: expect.stringContaining('Give the secret on standard input') });
});
