// The tasks of an old installation, brought here by `npm run import`.
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { endOf } from '../support/command-line.ts';
import { contentsOf } from '../support/contents.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { closeOldServers, historyOf, item, logRow, oldServer, runImport, spawnImport } from '../support/import.ts';
import { rows } from '../support/races.ts';

/** What the page of the old API shows. */
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
const finished = (moved: number) =>
  `task_id=1 task=Process Holding Tank action=finished message=Holding tank processed. ${moved} IPv4 and 0 IPv6 blocks moved to the available pool.`;
const HISTORY = {
  success: 1,
  data: [
    logRow(1_005_037, '2015-05-07 12:29:45', finished(0)),
    logRow(1_005_033, '2015-05-07 12:28:50', finished(1)),
    logRow(1_005_030, '2015-05-07 12:28:14', 'Task "Process Holding Tank" (1) added'),
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

const run = (from: string, args: string[] = [], credentials = ADMIN) => runImport(database, from, args, credentials);

afterAll(closeOldServers);

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
    const { out } = await endOf(spawnImport(database, from, ['--dry-run', '--json']));
    expect(JSON.parse(out)).toMatchObject({
      newUsers: [{ id: 31, name: 'usernamehere' }],
      tasks: [{ id: 1, verdict: 'ADD' }, { verdict: 'ADD' }],
      unknownClasses: ['\\scheduler\\Tasks\\TestTask'],
      history: { present: 0 },
    });
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

  test('imports the history, newest first after new events, whose numbers continue', async () => {
    const { output } = await run(from, ['--dry-run']);
    expect(output).toContain('6 rows of their history to add, 0 here already');
    expect(await historyOf(app, 1)).toMatchObject({ success: 0 });
    for (const [added, known] of [
      [6, 0],
      [0, 6],
    ]) {
      const again = await run(from);
      expect(again.output).toContain('history of tasks: 2 of 2 (6 rows)');
      expect(again.output).toContain(`${added} rows of their history to add, ${known} here already`);
      const [first, ...others] = (await historyOf(app, 1)).data as { log_id: string; message: string }[];
      expect(others).toEqual(HISTORY.data);
      expect(first?.message).toBe('Task "Process Holding Tank" (1) added');
      // The old server goes on with its own numbers meanwhile.
      expect(Number(first?.log_id)).toBeGreaterThan(2_005_037);
    }
    const { importedLog } = await app.query<{ importedLog: { edges: { node: object }[]; pageInfo: object } }>(
      `{ importedLog(task: { legacyId: 1 }, last: 1) {
        edges { node { logId at level category message userLegacyId username ip } } pageInfo { hasPreviousPage } } }`,
    );
    expect(importedLog).toEqual({
      edges: [
        {
          node: {
            logId: '1005037',
            at: '2015-05-07T12:29:45.000Z',
            level: '6',
            category: 'System',
            message: finished(0),
            userLegacyId: 31,
            username: 'usernamehere',
            ip: null,
          },
        },
      ],
      pageInfo: { hasPreviousPage: true },
    });
  });

  test('leaves the history where it is when that is asked for, but for the names of users', async () => {
    expect(await run(from, ['--no-history'])).toEqual({ code: 0, output: expect.stringContaining('Stored.') });
    expect((await historyOf(app, 1)).data).toHaveLength(1);
    expect(await rows(database.orm.em, 'select name from app_user where id = 31')).toEqual([{ name: 'usernamehere' }]);
  });

  test('does not give its history to another task that has its id here', async () => {
    const { addTask } = await app.query<{ addTask: { task: { legacyId: number } } }>(
      `mutation ($class: String!) { addTask(input: { name: "Ours", className: $class, repeatItems: [{}] }) { task { legacyId } } }`,
      { class: HOLDING },
    );
    expect(addTask.task.legacyId).toBe(1);
    const { output } = await run(from);
    expect(output).toMatch(/! task 1 .+\n {4}its history is left there: the task here may be another one\n/);
    expect((await historyOf(app, 1)).data).toHaveLength(1);
    expect((await historyOf(app, 2)).data).toHaveLength(4);
  });

  test('gets what the old server did meanwhile by another import, also for a task that was changed here', async () => {
    const more = { ...HISTORY };
    const growing = await oldServer({ getTasks: PAGE, getTaskHistory: () => more });
    await run(growing);
    await app.query('mutation { updateTask(input: { task: { legacyId: 1 }, name: "Renamed" }) { task { id } } }');
    const soon = new Date(Date.now() + 60_000).toISOString().slice(0, 19).replace('T', ' ');
    more.data = [logRow(1_005_040, soon, finished(2)), ...HISTORY.data];
    expect((await run(growing)).output).toContain('2 rows of their history to add, 6 here already');
    const { data } = await historyOf(app, 1);
    expect(data?.map(({ message }) => message)).toEqual([
      finished(2),
      'Task "Renamed" (1) updated',
      'Task "Process Holding Tank" (1) added',
      ...HISTORY.data.map(({ message }) => message),
    ]);
  });

  test('comes in paused where that is asked for, and its history with a later import all the same', async () => {
    expect((await run(from, ['--paused', '--no-history'])).code).toBe(0);
    expect(await rows(database.orm.em, 'select active, next_run_at from task')).toEqual([
      { active: false, next_run_at: null },
      { active: false, next_run_at: null },
    ]);
    const { output } = await run(from);
    expect(output).toMatch(/! task 1 .+ here already, with another active; it stays as it is\n! task 2 /);
    expect(output).toContain('6 rows of their history to add, 0 here already');
    expect((await historyOf(app, 1)).data?.slice(1)).toEqual(HISTORY.data);
  });

  test('leaves alone what was changed or deleted here since, and says so', async () => {
    await run(from);
    await app.query('mutation { updateTask(input: { task: { legacyId: 1 }, name: "Renamed" }) { task { id } } }');
    await app.query('mutation { deleteTask(input: { task: { legacyId: 2 } }) { task { id } } }');
    const before = await contentsOf(database.orm);
    const { code, output } = await run(from);
    expect(code).toBe(0);
    expect(output).toContain('here already, with another name; it stays as it is');
    expect(output).toContain(
      'a task of this id was deleted here\n    its history is left there: that task may have been another one\n',
    );
    expect(output.match(/is left there/g)).toHaveLength(1);
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
  const old = await startTestApp(own.url);
  const className = '\\scheduler\\Tasks\\BackupTask';
  for (let n = 0; n < 30; n += 1) {
    const repeatItems = Array.from({ length: n % 4 }, (_, index) => ({ hour: index, minute: n, dayOfWeek: n % 7 }));
    await old.query('mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }', {
      input: { name: `Täsk ${n}\n"`, className, active: n % 3 > 0, data: { keep: n + 1 }, repeatItems },
    });
  }
  await old.query('mutation { deleteTask(input: { task: { legacyId: 7 } }) { task { id } } }');
  for (let n = 0; n < 3; n += 1) await old.legacy('target=scheduler&action=executeTask&taskId=1');
  await old.query('mutation { updateTask(input: { task: { legacyId: 1 }, name: "x=\\"y\\" <z>" }) { task { id } } }');
  const { code, output } = await run(`${old.address}/api/v1/api.php`);
  expect({ code, output }).toMatchObject({ code: 0 });
  const list = 'target=scheduler&action=getTasks';
  expect(await app.legacy(list)).toBe(await old.legacy(list));
  for (const id of [1, 2, 30]) {
    const [here, there] = [await historyOf(app, id), await historyOf(old, id)];
    expect(there.data?.length).toBe(id === 1 ? 5 : 1);
    expect(here.data?.slice(1)).toEqual(there.data);
  }
  await old.stop();
  await own.close();
});

test('an import that is killed within the history has added no task, and the next one continues', async () => {
  const tasks = Array.from({ length: 12 }, (_, index) => ({
    ...PAGE.data[1],
    id: String(index + 1),
    repeat_items: [],
  }));
  const asked = Promise.withResolvers<void>();
  let isHeld = true;
  const getTaskHistory = async (taskId: number) => {
    if (isHeld && taskId === 8) {
      asked.resolve();
      // The connection ends with the import.
      return new Promise(() => undefined);
    }
    return {
      success: 1,
      data: [logRow(100 * taskId + 1, '2016-01-01 00:00:01', 'b'), logRow(100 * taskId, '2016-01-01 00:00:00', 'a')],
    };
  };
  const from = await oldServer({ getTasks: { success: 1, data: tasks }, getTaskHistory });
  const child = spawnImport(database, from);
  await asked.promise;
  // Those before the eighth are stored.
  child.kill('SIGKILL');
  await once(child, 'close');
  const stored = 'select count(distinct task_id)::int as tasks, count(*)::int as rows from imported_log';
  expect(await rows(database.orm.em, stored)).toEqual([{ tasks: 7, rows: 14 }]);
  expect(await rows(database.orm.em, 'select id from task')).toEqual([]);
  expect(await historyOf(app, 1)).toMatchObject({ success: 0 });
  // Nobody is given the id of a task whose history has come in.
  const { addTask } = await app.query<{ addTask: { task: { legacyId: number } } }>(
    'mutation ($class: String!) { addTask(input: { name: "Ours", className: $class, repeatItems: [{}] }) { task { legacyId } } }',
    { class: HOLDING },
  );
  expect(addTask.task.legacyId).toBe(13);

  isHeld = false;
  const { code, output } = await run(from);
  expect({ code, output }).toEqual({
    code: 0,
    output: expect.stringContaining('10 rows of their history to add, 14 here'),
  });
  expect(await rows(database.orm.em, stored)).toEqual([{ tasks: 12, rows: 24 }]);
  for (const id of [1, 8, 12]) {
    const [added, ...others] = (await historyOf(app, id)).data ?? [];
    expect(others.map(({ log_id }) => log_id)).toEqual([String(100 * id + 1), String(100 * id)]);
    expect(Number(added?.log_id)).toBeGreaterThan(1_201);
  }
});

describe('nothing is stored, and one sentence says why, where the old server', () => {
  const broken = (change: object) => ({ getTasks: { ...PAGE, data: [{ ...PAGE.data[0], ...change }, PAGE.data[1]] } });

  test.each<[string, () => Promise<string> | string, RegExp]>([
    ['is no address', () => 'old.example', /^--from must be the address of an api\.php.+, got "old\.example"\.\n$/],
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
      /answers getTasks with 200 and no JSON object: "<html>"\.\n$/,
    ],
    [
      'answers with no list',
      () => oldServer({ getTasks: { success: 1, data: 5 } }),
      /data that is not a list of rows\.\n$/,
    ],
    ['has a task without a name', () => oldServer(broken({ name: null })), /task "1": name: /],
    [
      'has a rule that no date meets',
      () => oldServer(broken({ repeat_items: [{ ...item('1', '*', '1'), repeat_month: '2', repeat_day: '30' }] })),
      /task "1": repeat_items\.0\./,
    ],
    ['has the id twice', () => oldServer(broken({ id: '2' })), /two tasks have the same id/],
    [
      'tells of a time that never was',
      () =>
        oldServer({ getTasks: PAGE, getTaskHistory: { success: 1, data: [logRow(1, '2015-02-30 12:00:00', 'x')] } }),
      /row 1 \(log_id "1"\) of the history of task 1: time: must be a time that exists, as YYYY-MM-DD HH:MM:SS, got "2015-02-30 12:00:00"\. With --no-history it is left there\.\n$/,
    ],
    ['has no such id', () => oldServer(broken({ id: 'x' })), /task "x": id: /],
    [
      'has a task whose id leaves none for others',
      () => oldServer(broken({ id: '2147483647' })),
      /task "2147483647": id: must be a whole number from 1 to 2146483648, got "2147483647"\.\n$/,
    ],
    [
      'has a repeat item whose id leaves none for others',
      () => oldServer(broken({ repeat_items: [item('2146483649', '4', '20')] })),
      /task "1": repeat_items\.0\.id: must be a whole number from 1 to 2146483648, got "2146483649"\.\n$/,
    ],
    [
      'has a log_id that leaves none for what happens here',
      () =>
        oldServer({
          getTasks: PAGE,
          getTaskHistory: { success: 1, data: [logRow('4503599627370497', '2015-02-20 12:00:00', 'x')] },
        }),
      /row 1 \(log_id "4503599627370497"\) of the history of task 1: log_id: must be a whole number from 1 to 4503599627370496, got "4503599627370497"\./,
    ],
    [
      'answers with more than is read',
      () => oldServer({ getTasks: PAGE, getTaskHistory: () => ' '.repeat(257 * 1024 * 1024) }),
      /answers getTaskHistory of task 1 with more than is accepted: 256 MiB\.\n$/,
    ],
    [
      'refuses in words that a terminal would obey',
      () => oldServer({ getTasks: { success: 0, message: 'No\u001b[2J\n\u009b1m' } }),
      /refuses getTasks: No\\u001b\[2J\\u000a\\u009b1m\.\n$/,
    ],
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
  expect({ code, output }).toEqual({ code: 2, output: expect.stringContaining('Give the secret on standard input') });
});
