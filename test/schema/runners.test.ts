// Who runs tasks, what waits, and how late it is done, as the dashboard and others ask for it.
import { hostname } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';
import { heldClass } from '../support/test-classes.ts';

const held = heldClass();
let database: TestDatabase;
let app: TestApp;
let taskId: string;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { taskClasses: [held.taskClass], settings: { CONCURRENCY: 2 } });
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
    `mutation ($name: String!) { addTask(input: {
      name: "Held", className: $name, policy: { overlap: ALLOW, retry: { attempts: 2, delaySeconds: 3600 } }
    }) { task { id } } }`,
    { name: held.taskClass.name },
  );
  taskId = addTask.task.id;
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

interface Answer {
  runners: { id: string; host: string; pid: number; places: number; running: number; classNames: string[] }[];
  queue: { running: number; ready: number; readySince: string | null; delayed: number; behind: number };
}

const ask = () =>
  app.query<Answer>(
    '{ runners { id host pid places running classNames } queue { running ready readySince delayed behind } }',
  );

async function execute(): Promise<string> {
  const { executeTask } = await app.query<{ executeTask: { run: { id: string } } }>(
    'mutation ($id: ID!) { executeTask(input: { task: { id: $id } }) { run { id } } }',
    { id: taskId },
  );
  return executeTask.run.id;
}

test('a runner says its places and how many of them are taken, and a run who makes it; the queue says what waits and for what', async () => {
  const nothing = { running: 0, ready: 0, readySince: null, delayed: 0, behind: 0 };
  expect(await ask()).toMatchObject({
    runners: [{ host: hostname(), pid: process.pid, places: 2, running: 0 }],
    queue: nothing,
  });
  const runs = [await execute(), await execute()];
  const attempts = [await held.next(), await held.next()];
  await execute();
  const { runners, queue } = await ask();
  expect(runners).toMatchObject([{ running: 2, classNames: expect.arrayContaining([held.taskClass.name]) }]);
  expect(queue).toMatchObject({ running: 2, ready: 1, delayed: 0, behind: 0 });
  expect(Date.parse(queue.readySince ?? '')).toBeLessThanOrEqual(Date.now());
  const { run } = await app.query<{ run: unknown }>('query ($id: ID!) { run(id: $id) { runner { id } } }', {
    id: runs[0],
  });
  expect(run).toEqual({ runner: { id: runners[0]?.id } });

  attempts[0]?.fail('It is tried again in an hour.');
  attempts[1]?.succeed('Done.');
  (await held.next()).succeed('Done.');
  await expect.poll(async () => (await ask()).queue).toEqual({ ...nothing, delayed: 1 });
});

test('lateness covers the slots of the last minutes, waiting ones included, without skipped ones', async () => {
  const lateness = async (minutes?: number) => {
    const answer = await app.query<{ lateness: Record<'slots' | 'p50Seconds' | 'p99Seconds' | 'maxSeconds', number> }>(
      'query ($minutes: Int! = 60) { lateness(minutes: $minutes) { slots p50Seconds p99Seconds maxSeconds } }',
      minutes === undefined ? {} : { minutes },
    );
    return answer.lateness;
  };
  expect(await lateness()).toEqual({ slots: 0, p50Seconds: null, p99Seconds: null, maxSeconds: null });
  // A slot each minute, each a second later than the one before; the newest waits, and one was skipped.
  const em = database.orm.em.fork();
  await rows(
    em,
    `insert into run (task_id, slot, trigger, state, skip_reason, actor_id, queued_at, started_at, finished_at)
     select t.id, slot, 'SCHEDULE', case n when 1 then 'QUEUED' when 50 then 'SKIPPED' else 'SUCCEEDED' end,
       case n when 50 then 'MISSED' end, 1, slot, case when n not in (1, 50) then slot + (70 - n) * interval '1 second' end,
       case when n > 1 then now() end
     from task t, generate_series(1, 70) n,
       lateral (select date_trunc('minute', now(), 'UTC') - n * interval '1 minute' as slot) s`,
  );
  const hour = await lateness();
  // Of the 60 minutes one was skipped; the present second decides whether the 60th is within the hour.
  expect(hour.slots).toBeGreaterThanOrEqual(58);
  expect(hour.slots).toBeLessThanOrEqual(59);
  expect(hour.p50Seconds).toBeGreaterThan(35);
  expect(hour.p50Seconds).toBeLessThan(45);
  expect(hour.maxSeconds).toBeGreaterThanOrEqual(68);
  const five = await lateness(5);
  expect(five.slots).toBeLessThanOrEqual(5);
  expect(five.maxSeconds).toBeGreaterThanOrEqual(60);
  const refused = await app.post('{ lateness(minutes: 61) { slots } }');
  expect(refused.errors).toMatchObject([
    { message: 'minutes: must be 1 to 60, got 61', extensions: { code: 'BAD_USER_INPUT', field: 'minutes' } },
  ]);
});
