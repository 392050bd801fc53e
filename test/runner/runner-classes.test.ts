// Runners that have different classes: each runs what it can, and what nobody can run is accounted for.
import type { EntityManager } from '@mikro-orm/postgresql';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CatchUpPolicy } from '../../src/entities/task.ts';
import { readCoverage } from '../../src/ledger/coverage.ts';
import { explainSlot } from '../../src/ledger/explain.ts';
import { Registration } from '../../src/runner/registration.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { lockAndSettle, skipUnserved } from '../../src/scheduling/planner.ts';
import { ScheduleFaults } from '../../src/scheduling/schedule-faults.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Engine, engineOf, OWN_CLASSES } from '../support/engine.ts';
import { addTasks, everyHourAt, rows } from '../support/races.ts';
import { heldClass } from '../support/test-classes.ts';

const HOUR = 3_600_000;
const log = pino({ level: 'silent' });

let database: TestDatabase;
let em: EntityManager;
let jobs: Jobs;
let engine: Engine;

beforeAll(async () => {
  database = await testDatabase();
  em = database.orm.em;
  jobs = new Jobs(database.url, log, false);
  await jobs.start();
  engine = engineOf(jobs);
});

beforeEach(async () => {
  await rows(em, 'truncate app_user, event, run, slot_gap, runner restart identity cascade');
  await rows(em, 'delete from pgboss.job');
});

afterAll(async () => {
  await jobs?.stop();
  await database?.close();
});

interface Unserved {
  catchUp: CatchUpPolicy;
  maxAgeSeconds?: number;
}

/** A task of a class that only another runner may have, with five slots due; returns its id and the slots. */
async function addUnserved({ catchUp, maxAgeSeconds }: Unserved) {
  const minute = (new Date().getUTCMinutes() + 30) % 60;
  const from = new Date(Date.now() - 5 * HOUR);
  const [task = 0] = await addTasks(em, { count: 1, rule: everyHourAt(minute), from, catchUp, overlap: 'ALLOW' });
  await rows(em, `update task set class_name = 'elsewhere', catch_up_max_age_seconds = ?`, [maxAgeSeconds ?? null]);
  const first = await rows<{ at: string }>(em, 'select next_run_at as at from task');
  const begin = new Date(first[0]?.at ?? 0).getTime();
  return { task, slots: Array.from({ length: 5 }, (_, hour) => new Date(begin + hour * HOUR)) };
}

/** All that a runner without the class does with what is due, again and again. */
async function sweep(): Promise<void> {
  const planner = { ownClasses: OWN_CLASSES, faults: new ScheduleFaults(log) };
  for (let turn = 0; turn < 3; turn += 1) {
    await engine.fireAll(em);
    await engine.following(em);
    await skipUnserved(em, jobs, planner);
  }
}

async function outcomes(): Promise<(string | null)[]> {
  const ledger = await rows<{ outcome: string }>(
    em,
    'select coalesce(skip_reason, state) as outcome from run order by slot',
  );
  return ledger.map(({ outcome }) => outcome);
}

async function expectCovered(slots: readonly Date[]): Promise<void> {
  const coverage = await readCoverage(em, slots[0] ?? new Date(), new Date(), null);
  expect(coverage).toMatchObject({ expected: 5, unaccounted: 0 });
}

test('if no runner has the class, the newest slot stays due, the others are recorded, and explainSlot says why', async () => {
  const { task, slots } = await addUnserved({ catchUp: 'LATEST' });
  await sweep();
  expect(await outcomes()).toEqual(['NO_RUNNER', 'NO_RUNNER', 'NO_RUNNER', 'NO_RUNNER']);
  await expectCovered(slots);
  expect(await explainSlot(em, task, slots[0] as Date)).toMatchObject({
    verdict: 'SKIPPED',
    skipReason: 'NO_RUNNER',
    because: 'Skipped: no live runner has the class of the task.',
  });
  expect(await explainSlot(em, task, slots[4] as Date)).toMatchObject({
    verdict: 'PENDING',
    because: 'It is due, and no live runner has the class elsewhere.',
  });

  const registration = new Registration(em, { classNames: ['elsewhere'], places: 1 }, 15, log);
  await registration.start();
  await engine.fireAll(em);
  expect(await outcomes()).toEqual(['NO_RUNNER', 'NO_RUNNER', 'NO_RUNNER', 'NO_RUNNER', 'QUEUED']);
  await registration.stop();
  expect(await explainSlot(em, task, slots[4] as Date)).toMatchObject({
    verdict: 'PENDING',
    because: 'Its run is QUEUED. No live runner has the class elsewhere.',
  });
  await expectCovered(slots);
});

const POLICIES: [string, Unserved, string[]][] = [
  ['NONE records all of them', { catchUp: 'NONE' }, Array(5).fill('NO_RUNNER')],
  ['ALL keeps all of them due', { catchUp: 'ALL' }, []],
  [
    'ALL with a bound on their age records those that are too old',
    { catchUp: 'ALL', maxAgeSeconds: 2 * 3_600 },
    Array(3).fill('TOO_OLD'),
  ],
];

test.each(POLICIES)('while nobody has the class, the catch-up policy %s', async (_name, unserved, expected) => {
  const { slots } = await addUnserved(unserved);
  await sweep();
  expect(await outcomes()).toEqual(expected);
  await expectCovered(slots);
});

test('a change of the schedule settles slots that no runner could run: those that are to run wait for their runner', async () => {
  const { task, slots } = await addUnserved({ catchUp: 'LATEST' });
  await em.fork().transactional((transaction) => lockAndSettle(transaction, jobs, task));
  expect(await outcomes()).toEqual(['NO_RUNNER', 'NO_RUNNER', 'NO_RUNNER', 'NO_RUNNER', 'QUEUED']);
  await expectCovered(slots);
  // The engine has another class.
  expect(await engine.take(em, 10)).toEqual({ attempts: [], more: false });
});

test('a registration lapses unless it is renewed, and a runner that stops signs off', async () => {
  const registration = new Registration(em, { classNames: ['elsewhere'], places: 1 }, 15, log);
  await registration.start();
  const alive = () => rows<{ alive: boolean }>(em, 'select lives_until > now() as alive from runner');
  expect(await alive()).toEqual([{ alive: true }]);
  await rows(em, `update runner set lives_until = now() - interval '1 second'`);
  await addUnserved({ catchUp: 'ALL' });
  await engine.fireAll(em);
  expect(await outcomes()).toEqual([]);
  await expect.poll(alive).toEqual([{ alive: true }]);
  await engine.fireAll(em);
  expect(await outcomes()).toHaveLength(5);
  await registration.stop();
  expect(await alive()).toEqual([]);
});

test('runs go to the runners that have their class, however many others pull', async () => {
  const left = heldClass('\\test\\Left');
  const right = heldClass('\\test\\Right');
  const apps: TestApp[] = [];
  try {
    apps.push(await startTestApp(database.url, { taskClasses: [left.taskClass] }));
    apps.push(await startTestApp(database.url, { taskClasses: [left.taskClass] }));
    apps.push(await startTestApp(database.url, { taskClasses: [right.taskClass] }));
    const addTask = async (app: TestApp | undefined, className: string) => {
      const added = await app?.query<{ addTask: { task: { id: string } } }>(
        `mutation ($className: String!) {
          addTask(input: { name: "n", className: $className, policy: { overlap: ALLOW } }) { task { id } }
        }`,
        { className },
      );
      return added?.addTask.task.id;
    };
    const tasks = [await addTask(apps[0], left.taskClass.name), await addTask(apps[2], right.taskClass.name)];
    const execute = 'mutation ($task: ID!) { executeTask(input: { task: { id: $task } }) { run { id } } }';
    for (let run = 0; run < 20; run += 1) await apps[run % 3]?.query(execute, { task: tasks[run % 2] });
    for (let run = 0; run < 10; run += 1) {
      (await left.next()).succeed('left');
      (await right.next()).succeed('right');
    }
    const ended = () =>
      rows(
        em,
        `select task_id, message, count(*)::int as n from run where state = 'SUCCEEDED' and attempt = 1
         group by 1, 2 order by 1`,
      );
    await expect.poll(ended).toEqual([
      { task_id: 1, message: 'left', n: 10 },
      { task_id: 2, message: 'right', n: 10 },
    ]);

    // Nobody has the class any more: the run waits, and is run by the next one that comes with it.
    await apps.pop()?.stop();
    await apps[0]?.query(execute, { task: tasks[1] });
    await apps[0]?.query(execute, { task: tasks[0] });
    (await left.next()).succeed('left');
    expect(await rows(em, `select state, attempt from run where task_id = 2 order by id desc limit 1`)).toEqual([
      { state: 'QUEUED', attempt: 0 },
    ]);
    apps.push(await startTestApp(database.url, { taskClasses: [right.taskClass] }));
    (await right.next()).succeed('right');
    await expect.poll(ended).toContainEqual({ task_id: 2, message: 'right', n: 11 });
  } finally {
    await Promise.all(apps.map((app) => app.stop()));
  }
});

test('a run whose task got another class while its job waited is run by a runner that has it', async () => {
  const left = heldClass('\\test\\Left');
  const right = heldClass('\\test\\Right');
  const both = await startTestApp(database.url, {
    taskClasses: [left.taskClass, right.taskClass],
    settings: { ROLE: 'gateway' },
  });
  const apps = [both];
  try {
    const { addTask } = await both.query<{ addTask: { task: { id: string } } }>(
      `mutation { addTask(input: { name: "n", className: "\\\\test\\\\Left" }) { task { id } } }`,
    );
    const task = addTask.task.id;
    await both.query('mutation ($task: ID!) { executeTask(input: { task: { id: $task } }) { run { id } } }', { task });
    // Behind the back of the mutation, which moves the job along: as where both happen at once.
    await rows(em, `update task set class_name = '\\test\\Right'`);
    // It takes the job, which is for its class, finds that the task has another by now, and sends one for that.
    apps.push(await startTestApp(database.url, { taskClasses: [left.taskClass] }));
    const types = async () =>
      (await rows<{ type: string }>(em, 'select type from event where run_id is not null order by id')).map(
        ({ type }) => type,
      );
    const jobs = () => rows(em, `select group_id as class, state from pgboss.job order by created_on`);
    await expect.poll(jobs).toEqual([
      { class: '\\test\\Left', state: 'completed' },
      { class: '\\test\\Right', state: 'created' },
    ]);
    apps.push(await startTestApp(database.url, { taskClasses: [right.taskClass] }));
    (await right.next()).succeed('right');
    await expect.poll(types).toEqual(['QUEUED', 'STARTED', 'SUCCEEDED']);
    expect(left.begunCount()).toBe(0);
  } finally {
    await Promise.all(apps.map((app) => app.stop()));
  }
});
