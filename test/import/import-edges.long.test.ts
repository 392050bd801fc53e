// `npm run import` beside a gateway that is up, again after a while, and from an old server that is odd.
import { sql } from 'kysely';
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import {
  closeOldServers,
  historyOf,
  item,
  listOf,
  logRow,
  oldServer,
  runImport,
  startImport,
  taskRow,
} from '../support/import.ts';
import { rows } from '../support/races.ts';

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

afterAll(closeOldServers);

/** A busy machine starts a command in tens of seconds. */
const PATIENCE_MS = 120_000;

const WITHOUT = listOf();

async function addTask(): Promise<{ legacyId: number; repeatItems: { legacyId: number }[] }> {
  const { addTask: added } = await app.query<{
    addTask: { task: { legacyId: number; repeatItems: { legacyId: number }[] } };
  }>(
    `mutation ($class: String!) { addTask(input: { name: "Ours", className: $class, repeatItems: [{}] }) {
      task { legacyId repeatItems { legacyId } } } }`,
    { class: HOLDING },
  );
  return added.task;
}

const rename = (legacyId: number, name: string) =>
  app.query(
    'mutation ($id: Int!, $name: String!) { updateTask(input: { task: { legacyId: $id }, name: $name }) { task { id } } }',
    { id: legacyId, name },
  );

/** Somebody's transaction that has done `statement` and stays open until it is told to commit or to roll back. */
async function openTransaction(statement: string) {
  const began = Promise.withResolvers<void>();
  const end = Promise.withResolvers<'commit' | 'rollback'>();
  const done = database.orm.em
    .fork()
    .getKysely()
    .transaction()
    .execute(async (transaction) => {
      await sql.raw(statement).execute(transaction);
      began.resolve();
      if ((await end.promise) === 'rollback') throw new Error('rolled back');
    })
    .catch((error: Error) => {
      if (error.message !== 'rolled back') throw error;
    });
  await Promise.race([began.promise, done]);
  return async (how: 'commit' | 'rollback') => {
    end.resolve(how);
    await done;
  };
}

/** Until a statement that is like this waits for a lock. */
const waitsFor = (like: string) =>
  vi.waitFor(
    async () => {
      const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like ?`;
      expect(await rows(database.orm.em, waiting, [like])).toHaveLength(1);
    },
    { timeout: PATIENCE_MS },
  );

const insertTask = (id: number) =>
  `insert into task (id, name, class_name, active, owner_id, time_zone, created_at, updated_at)
   values (${id}, 'Theirs', 'class', true, 1, 'UTC', now(), now())`;

test('a task that is added during an import gets an id after its own, and one that was faster is left alone', async () => {
  const from = await oldServer({
    getTasks: listOf(
      taskRow(3, { repeat_items: [item('5', '1', '3')] }),
      taskRow(7, { repeat_items: [item('9', '2', '3')] }),
    ),
    getTaskHistory: WITHOUT,
  });
  const end = await openTransaction(insertTask(7));
  const running = startImport(database, from, ['--no-history']);
  await waitsFor('insert into "task"%');
  expect(await addTask()).toEqual({ legacyId: 8, repeatItems: [{ legacyId: 10 }] });
  await end('commit');
  const { code, output } = await running.done;
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringMatching(/\+ task 3 .+\n.+\n! task 7 /) });
  expect(await rows(database.orm.em, 'select id, task_id from repeat_item order by id')).toEqual([
    { id: 5, task_id: 3 },
    { id: 10, task_id: 8 },
  ]);
});

test('a repeat item whose id is taken here gets one after those of all other old items', async () => {
  expect((await addTask()).repeatItems).toEqual([{ legacyId: 1 }]);
  const from = await oldServer({
    getTasks: listOf(
      taskRow(3, { repeat_items: [item('1', '1', '3')] }),
      taskRow(4, { repeat_items: [item('2', '1', '3')] }),
    ),
    getTaskHistory: WITHOUT,
  });
  expect((await runImport(database, from)).code).toBe(0);
  expect(await rows(database.orm.em, 'select id, task_id from repeat_item where task_id > 1 order by id')).toEqual([
    { id: 2, task_id: 4 },
    { id: 3, task_id: 3 },
  ]);
});

test('numbers do not repeat while the old server runs, and an import says if it ran for too long', async () => {
  const history = [logRow(1_000, '2015-05-07 12:00:00', 'first')];
  const from = await oldServer({ getTasks: listOf(taskRow(1)), getTaskHistory: () => listOf(...history) });
  await runImport(database, from);
  await rename(1, 'Renamed');
  const [renamed] = (await historyOf(app, 1)).data ?? [];
  for (let id = 1_001; id < 1_010; id += 1) history.unshift(logRow(id, '2015-05-08 12:00:00', 'later'));
  const again = await runImport(database, from);
  expect(again.output).toContain('9 rows of their history to add, 1 here already\nStored.');
  await rename(1, 'Again');
  const numbers = (await historyOf(app, 1)).data?.map(({ log_id }) => Number(log_id)) ?? [];
  expect(numbers).toHaveLength(13);
  expect(numbers).toEqual(numbers.toSorted((left, right) => right - left));
  expect(new Set(numbers).size).toBe(13);
  expect(numbers[0]).toBe(1_001_003);

  history.unshift(logRow(renamed?.log_id ?? '', '2015-05-09 12:00:00', 'much later'));
  for (const args of [['--dry-run'], []]) {
    const { output } = await runImport(database, from, args);
    expect(output).toMatch(
      /1 rows of their history to add, 10 here already\n\? rows whose log_id their task here already has: 1; clients/,
    );
  }
  await rename(1, 'Once more');
  expect(Number((await historyOf(app, 1)).data?.[0]?.log_id)).toBe(Number(renamed?.log_id) + 1_000_001);
});

const OPEN_EVENT = `insert into event (type, task_id, task_name, actor_id) values ('TASK_ADDED', 1, 'Theirs', 1)`;

test('a transaction that stays open holds up an import of what is here already not at all', async () => {
  const from = await oldServer({
    getTasks: listOf(taskRow(1), taskRow(2)),
    getTaskHistory: (id: number) => listOf(logRow(1_000 + id, '2015-05-07 12:00:00', 'x')),
  });
  await runImport(database, from);
  const end = await openTransaction(OPEN_EVENT);
  const { code, output } = await runImport(database, from);
  expect({ code, output }).toMatchObject({ code: 0, output: expect.not.stringContaining('waits') });
  await end('rollback');
});

test('a first import waits for such a transaction, says so, and blocks no other in the meantime', async () => {
  const from = await oldServer({
    getTasks: listOf(taskRow(5)),
    getTaskHistory: listOf(logRow(1_000, '2015-05-07 12:00:00', 'x')),
  });
  const end = await openTransaction(OPEN_EVENT);
  const running = startImport(database, from);
  await vi.waitFor(
    () =>
      expect(running.output()).toMatch(
        /The import waits .+ since other transactions hold the locks \(the oldest one: .+\)/,
      ),
    { timeout: PATIENCE_MS },
  );
  expect((await addTask()).legacyId).toBe(6);
  await end('rollback');
  expect(await running.done).toMatchObject({ code: 0 });
  expect((await historyOf(app, 5)).data).toHaveLength(2);
});

test('without the history odd rows do no harm, and nothing is asked about a user whose name is known', async () => {
  const asked: number[] = [];
  const histories: Record<number, unknown> = {
    1: listOf(
      logRow('x', '0000-00-00 00:00:00', 'x', { user_id: '0', username: 'nobody' }),
      logRow(7, '0000-00-00 00:00:00', 'x', { username: 'Ann' }),
    ),
    3: '<html>\u009b',
    5: listOf(logRow(8, '2015-05-07 12:00:00', 'x', { user_id: '34', username: 'Cid' })),
  };
  const from = await oldServer({
    getTasks: listOf(
      taskRow(1),
      taskRow(2),
      taskRow(3, { user_id: '32' }),
      taskRow(4, { user_id: '32' }),
      taskRow(5, { user_id: '34' }),
    ),
    getTaskHistory: (id: number) => {
      asked.push(id);
      return histories[id];
    },
  });
  const { code, output } = await runImport(database, from, ['--no-history']);
  expect({ code, output }).toMatchObject({ code: 0 });
  expect(asked).toEqual([1, 3, 5]);
  expect(output).toContain('+ user 31 "Ann", an operator\n+ user 32, an operator\n+ user 34 "Cid", an operator\n');
  expect(output).toMatch(
    /\? the name of user 32 is not known: .+ answers getTaskHistory of task 3 with 200 and no JSON object: "<html>\\u009b"\n/,
  );
  expect(await rows(database.orm.em, 'select name from app_user where id > 1 order by id')).toEqual([
    { name: 'Ann' },
    { name: 'user 32' },
    { name: 'Cid' },
  ]);
});

test('actions of no user are in the history without one, and a user has the newest of their names', async () => {
  const histories: Record<number, unknown> = {
    1: listOf(
      logRow(12, '2015-05-07 12:00:00', 'x', { user_id: '0', username: null }),
      logRow(10, '2015-05-06 12:00:00', 'x', { username: 'Ann Old' }),
    ),
    2: listOf(logRow(20, '2015-05-08 12:00:00', 'x', { username: 'Ann New' })),
  };
  const from = await oldServer({
    getTasks: listOf(taskRow(1), taskRow(2)),
    getTaskHistory: (id: number) => histories[id],
  });
  expect((await runImport(database, from)).output).toContain('+ user 31 "Ann New", an operator');
  expect((await historyOf(app, 1)).data?.map(({ user_id }) => user_id)).toEqual(['31', null, '31']);
});

test('texts of the old server cannot pass for lines of the plan, or for what a terminal obeys', async () => {
  const name = 'x"\n+ task 9 "forged" of user 1, y\u001b[2K\u202e';
  const from = await oldServer({
    getTasks: listOf(taskRow(1, { name, class_name: '\\a\\B\r+ user 1' })),
    getTaskHistory: listOf(logRow(1, '2015-05-07 12:00:00', 'x', { username: 'Ann\u009b2J\u2028' })),
  });
  const { code, output } = await runImport(database, from);
  expect(code).toBe(0);
  expect(output).toContain('+ user 31 "Ann\\u009b2J\\u2028", an operator\n');
  expect(output).toContain(
    '+ task 1 "x\\"\\n+ task 9 \\"forged\\" of user 1, y\\u001b[2K\\u202e" of user 31, \\a\\B\\u000d+ user 1\n',
  );
  expect(await rows(database.orm.em, 'select name from task')).toEqual([{ name }]);
});

test('data that the class of a task does not take comes in, and the plan says so each time', async () => {
  const from = await oldServer({
    getTasks: listOf(
      taskRow(1, { class_name: HOLDING, data: { holding_days: 'many' } }),
      taskRow(2, { class_name: HOLDING, data: { holding_days: 3 } }),
    ),
    getTaskHistory: WITHOUT,
  });
  for (const args of [['--dry-run'], [], []]) {
    const { code, output } = await runImport(database, from, args);
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(output).toMatch(/task 1 .+\n(.+\n)? {4}\? its runs will fail, .+: data\.holding_days: .+\n. task 2 /);
    expect(output.match(/will fail/g)).toHaveLength(1);
  }
  expect(await rows(database.orm.em, 'select id from task order by id')).toEqual([{ id: 1 }, { id: 2 }]);
});
