// Two processes of the product on one database.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOLDING } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type AppProcess, startProcess } from '../support/process.ts';

const TASKS = 200;

let database: TestDatabase;
const processes: AppProcess[] = [];

beforeAll(async () => {
  database = await testDatabase();
  processes.push(...(await Promise.all([startProcess(database.url), startProcess(database.url)])));
});

afterAll(async () => {
  await Promise.all(processes.map(({ stop }) => stop()));
  await database?.close();
});

function sql<Row>(text: string): Promise<Row[]> {
  return database.orm.em.getConnection().execute(text);
}

test('200 tasks that are due at the same minute run exactly once each', async () => {
  const [first, second] = processes;
  if (first === undefined || second === undefined) throw new Error('two processes are needed');
  const minute = await nextMinuteWithRoom(first);
  const add = (app: AppProcess, name: string) =>
    app.query(
      `mutation ($name: String!, $className: String!, $items: [RepeatItemInput!]!) {
        addTask(input: { name: $name, className: $className, repeatItems: $items }) { task { id } }
      }`,
      { name, className: HOLDING, items: [itemAt(minute)] },
    );
  for (let task = 0; task < TASKS; task += 20) {
    const names = Array.from({ length: 20 }, (_, index) => `Task ${task + index}`);
    await Promise.all(names.map((name, index) => add(index % 2 === 0 ? first : second, name)));
  }
  await expect
    .poll(() => sql<{ n: number }>(`select count(*)::int as n from run where state = 'SUCCEEDED'`), {
      timeout: 100_000,
      interval: 200,
    })
    .toEqual([{ n: TASKS }]);

  expect(await sql(`select count(*)::int as runs, count(distinct task_id)::int as tasks from run`)).toEqual([
    { runs: TASKS, tasks: TASKS },
  ]);
  expect(await sql(`select distinct slot, attempt, trigger from run`)).toHaveLength(1);
  const perRun = await sql(
    `select string_agg(type, ' ' order by seq) as types, count(*)::int as runs
     from (select run_id, type, coalesce(seq, id + 1000000000) as seq from event where run_id is not null) as e
     group by run_id`,
  );
  for (const { types } of perRun as { types: string }[]) expect(types).toBe('QUEUED STARTED SUCCEEDED');
  expect(processes.map(({ output }) => output()).join('')).not.toMatch(/"level":[456]0/);
}, 150_000);

/** The next whole minute, or the one after it where there is too little time to add the tasks. */
async function nextMinuteWithRoom(app: AppProcess): Promise<Date> {
  const { previewSchedule } = await app.query<{ previewSchedule: { slots: { at: string }[] } }>(
    '{ previewSchedule(input: { repeatItems: [{ minute: null }] }, count: 2) { slots { at } } }',
  );
  const [next, afterNext] = previewSchedule.slots.map(({ at }) => new Date(at));
  if (next === undefined || afterNext === undefined) throw new Error('an every-minute rule has slots');
  return next.getTime() - Date.now() > 15_000 ? next : afterNext;
}

/** A rule for that one minute. */
function itemAt(minute: Date) {
  const day = minute.toISOString().slice(0, 10);
  return { start: day, end: day, hour: minute.getUTCHours(), minute: minute.getUTCMinutes() };
}
