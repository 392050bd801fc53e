// getTasks gives its last reply again as long as a new one would be the same: on every process, whoever changed what.
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';

const CLASS = '\\scheduler\\Tasks\\ProcessHoldingTask';

let database: TestDatabase;
let apps: TestApp[];

beforeAll(async () => {
  database = await testDatabase();
  apps = [];
  for (let count = 0; count < 2; count += 1) {
    apps.push(await startTestApp(database.url, { settings: { ROLE: 'gateway' } }));
  }
});

afterAll(async () => {
  for (const app of apps ?? []) await app.stop();
  await database?.close();
});

beforeEach(async () => {
  await rows(database.orm.em, 'truncate event, run, schedule_version, repeat_item, task restart identity cascade');
});

interface Shown {
  id: string;
  name: string;
  active: boolean;
  data: unknown;
  last_run: string | null;
  repeat_items: { id: string; repeat_hour: string }[];
}

/** The reply of each process, twice, since the second may be the one that was kept. */
async function replies(): Promise<Shown[]> {
  const all = await Promise.all([...apps, ...apps].map((app) => app.legacy('target=scheduler&action=getTasks')));
  for (const reply of all) expect(reply).toBe(all[0]);
  return JSON.parse(all[0] ?? '').data;
}

/** What is in the tables at this moment. */
async function stored(): Promise<Pick<Shown, 'id' | 'name' | 'active' | 'last_run' | 'repeat_items'>[]> {
  return rows(
    database.orm.em,
    `select id::text, name, active, to_char(last_run_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') as last_run,
       (select coalesce(json_agg(json_build_object('id', item.id::text, 'repeat_hour', coalesce(item.hour::text, '*'))
          order by item.id), '[]') from repeat_item item where item.task_id = task.id) as repeat_items
     from task where deleted_at is null order by task.id`,
  );
}

function shownParts(tasks: readonly Shown[]) {
  return tasks.map(({ id, name, active, last_run, repeat_items }) => ({
    id,
    name,
    active,
    last_run,
    repeat_items: repeat_items.map((item) => ({ id: item.id, repeat_hour: item.repeat_hour })),
  }));
}

async function add(name: string, app = apps[0]): Promise<number> {
  const found = await app?.query<{ addTask: { task: { legacyId: number } } }>(
    `mutation ($input: AddTaskInput!) { addTask(input: $input) { task { legacyId } } }`,
    { input: { name, className: CLASS, repeatItems: [{ hour: 1 }, { hour: 2 }] } },
  );
  return found?.addTask.task.legacyId ?? 0;
}

async function connected(): Promise<pg.Client> {
  const client = new pg.Client(database.url);
  await client.connect();
  return client;
}

test('a change is seen once it is committed, in whatever order transactions that overlap commit', async () => {
  await add('first');
  await add('second');
  const [early, late] = [await connected(), await connected()];
  try {
    await replies();
    await early.query('begin');
    await early.query(`update task set name = 'first, changed early' where id = 1`);
    expect((await replies()).map(({ name }) => name)).toEqual(['first', 'second']);
    await late.query('begin');
    await late.query(`update repeat_item set hour = 23 where task_id = 2`);
    await late.query('commit');
    const seen = await replies();
    expect(seen[0]?.name).toBe('first');
    expect(seen[1]?.repeat_items.map(({ repeat_hour }) => repeat_hour)).toEqual(['23', '23']);
    await early.query('commit');
    expect((await replies()).map(({ name }) => name)).toEqual(['first, changed early', 'second']);
    await early.query('begin');
    await early.query(`update task set name = 'never' where id = 1`);
    await early.query('rollback');
    expect((await replies())[0]?.name).toBe('first, changed early');
  } finally {
    await early.end();
    await late.end();
  }
});

type Step = (task: number, clients: readonly pg.Client[]) => Promise<unknown>;

const edit = (mutation: string, app: number): Step => {
  return (task) =>
    apps[app]?.post(`mutation { ${mutation.replace('$task', `task: { legacyId: ${task} }`)} { task { id } } }`) ??
    Promise.resolve();
};

/** Sessions that keep their transactions open over other steps. */
const inSession = (session: number, text: string): Step => {
  return (task, clients) =>
    clients[session]?.query({ text, values: text.includes('$1') ? [task] : [] }).catch(() => undefined) ??
    Promise.resolve();
};

const STEPS: readonly Step[] = [
  () => add('one more', apps[1]),
  edit('updateTask(input: { $task, name: "renamed", repeatItems: [{ hour: 7 }] })', 0),
  edit('updateTask(input: { $task, dataText: "{\\"a\\":1}" })', 1),
  edit('pauseTask(input: { $task })', 1),
  edit('resumeTask(input: { $task })', 0),
  edit('deleteTask(input: { $task })', 0),
  inSession(0, `update task set last_run_at = now() where id = $1 and pg_try_advisory_xact_lock(1)`),
  inSession(0, 'begin'),
  inSession(0, 'commit'),
  inSession(1, 'begin'),
  inSession(1, `insert into repeat_item (task_id, hour, minute) select id, 5, 0 from task where id = $1`),
  inSession(1, 'delete from repeat_item where task_id = $1'),
  inSession(1, 'commit'),
  inSession(1, 'rollback'),
];

test('whatever is done to the tasks, every process shows what is stored', async () => {
  const step = fc.record({ step: fc.constantFrom(...STEPS), task: fc.integer({ min: 1, max: 4 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
      const clients = [await connected(), await connected()];
      try {
        for (const client of clients) await client.query(`set lock_timeout = '200ms'`);
        for (const { step: act, task } of steps) {
          // What waits for a session that keeps its transaction open goes on once that ends.
          await Promise.race([act(task, clients), new Promise((resolve) => setTimeout(resolve, 300))]);
          const [before, shown, after] = [await stored(), shownParts(await replies()), await stored()];
          if (JSON.stringify(before) === JSON.stringify(after)) expect(shown).toEqual(after);
        }
      } finally {
        for (const client of clients) await client.end();
      }
    }),
    { numRuns: 10, timeout: 20_000 },
  );
});
