// What two things that meet in the runner make of each other, in the order that a test says.
import type { EntityManager } from '@mikro-orm/postgresql';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { compileSchedule } from '../../src/calendar/schedule.ts';
import { inTransaction } from '../../src/database/transaction.ts';
import { Task } from '../../src/entities/index.ts';
import { sequenceEvents } from '../../src/events/log.ts';
import { readCoverage } from '../../src/ledger/coverage.ts';
import { recoverLostAttempts } from '../../src/runner/recovery.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { anyDue, computeFollowing, lockAndSettle } from '../../src/scheduling/planner.ts';
import { switchSchedule } from '../../src/scheduling/schedule-change.ts';
import { ScheduleFaults } from '../../src/scheduling/schedule-faults.ts';
import { EVERY } from '../support/calendar-oracle.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Engine, engineOf, OWN_CLASSES } from '../support/engine.ts';
import { addTasks, everyHourAt, findBroken, rows } from '../support/races.ts';

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
  await rows(em, 'truncate event, run, slot_gap, schedule_version, repeat_item, task restart identity cascade');
  await rows(em, 'delete from pgboss.job');
});

afterAll(async () => {
  await jobs?.stop();
  await database?.close();
});

const HOUR_MS = 3_600_000;

async function storyOf(runId: number): Promise<{ state: string; message: string | null; story: string }> {
  await sequenceEvents(em);
  const [run] = await rows<{ state: string; message: string | null; story: string }>(
    em,
    `select state, message, (select string_agg(type, ' ' order by seq) from event where run_id = run.id) as story
     from run where id = ?`,
    [runId],
  );
  if (run === undefined) throw new Error(`there is no run ${runId}`);
  return run;
}

test.each(['FAILED', 'HANDED_BACK'] as const)(
  'a run that somebody asked to cancel is not tried again when its attempt ends %s',
  async (state) => {
    const [task = 0] = await addTasks(em, { count: 1, retryAttempts: 3 });
    const run = (await engine.request(em, task)) ?? 0;
    const { attempts } = await engine.take(em, 1);
    await engine.cancel(em, task, run);
    expect(await engine.end(em, attempts, state)).toEqual([]);
    expect(await storyOf(run)).toEqual({
      state: 'CANCELLED',
      message: 'Cancelled on request. The last attempt: ended by the test',
      story: 'QUEUED STARTED CANCELLED',
    });
    expect(await findBroken(em)).toEqual([]);
  },
);

test('a run whose runner dies after a cancel request is cancelled, and the next one gets its turn', async () => {
  const [task = 0] = await addTasks(em, { count: 1, retryAttempts: 3 });
  const run = (await engine.request(em, task)) ?? 0;
  const { attempts } = await engine.take(em, 1);
  const waiting = (await engine.request(em, task)) ?? 0;
  await engine.cancel(em, task, run);
  // As pg-boss does when the heartbeats of its worker stop.
  await rows(em, `update pgboss.job set state = 'failed' where id = ?`, [attempts[0]?.job.id]);
  expect(await recoverLostAttempts(em, jobs)).toBe(1);
  expect(await storyOf(run)).toMatchObject({ state: 'CANCELLED', story: 'QUEUED STARTED CANCELLED' });
  const next = await engine.take(em, 1);
  expect(next.attempts.map(({ runId }) => runId)).toEqual([waiting]);
});

test('an attempt that succeeded is a success, despite a cancel request in the meantime', async () => {
  const [task = 0] = await addTasks(em, { count: 1 });
  const run = (await engine.request(em, task)) ?? 0;
  const { attempts } = await engine.take(em, 1);
  await engine.cancel(em, task, run);
  await engine.end(em, attempts, 'SUCCEEDED');
  expect(await storyOf(run)).toMatchObject({ state: 'SUCCEEDED', story: 'QUEUED STARTED SUCCEEDED' });
});

test('an attempt is given the timeout that its job was sent with where the task has a longer one by now', async () => {
  const [task = 0] = await addTasks(em, { count: 1 });
  await rows(em, 'update task set timeout_seconds = 60');
  await engine.request(em, task);
  await rows(em, 'update task set timeout_seconds = 7200');
  const { attempts } = await engine.take(em, 1);
  expect(attempts.map(({ timeoutSeconds }) => timeoutSeconds)).toEqual([60]);
  await engine.end(em, attempts, 'HANDED_BACK');
  const again = await engine.take(em, 1);
  expect(again.attempts.map(({ timeoutSeconds }) => timeoutSeconds)).toEqual([7_200]);
});

test('a task whose schedule cannot be computed stays due and keeps no other from firing', async () => {
  const from = new Date(Date.now() - 3 * HOUR_MS);
  const [broken = 0, ...others] = await addTasks(em, { count: 4, rule: everyHourAt(0), from, catchUp: 'ALL' });
  await rows(em, `update task set time_zone = 'Mars/Olympus' where id = ?`, [broken]);
  const before = await rows(em, 'select next_run_at from task where id = ?', [broken]);
  const faults = new ScheduleFaults(log);
  await engine.fireAll(em, faults);
  expect(faults.taskIds).toEqual([broken]);
  expect(await anyDue(em.fork(), { ownClasses: OWN_CLASSES, faults })).toBe(false);
  expect(await rows(em, 'select distinct task_id from run order by task_id')).toEqual(
    others.map((task_id) => ({ task_id })),
  );
  expect(await rows(em, 'select next_run_at from task where id = ?', [broken])).toEqual(before);
  await rows(em, 'update task set following_of = null');
  while ((await computeFollowing(em.fork(), faults)) > 0);
  expect(await rows(em, 'select id from task where following_of is null')).toEqual([{ id: broken }]);

  await rows(em, `update task set time_zone = 'UTC'`);
  faults.forget();
  await engine.fireAll(em, faults);
  const [missed] = await rows<{ n: number }>(em, 'select count(*)::int as n from run where task_id = ?', [broken]);
  expect(missed?.n).toBe(3);
});

test('a task for which PostgreSQL refuses what is due stays due and keeps no other from firing', async () => {
  const from = new Date(Date.now() - 3 * HOUR_MS);
  const [broken = 0, ...others] = await addTasks(em, { count: 7, rule: everyHourAt(0), from, catchUp: 'ALL' });
  await rows(
    em,
    `create function refuse() returns trigger language plpgsql as $$ begin
       if coalesce(to_jsonb(new)->>'task_id', to_jsonb(new)->>'id')::int = ${broken} then
         raise 'out of range' using errcode = '22008'; end if;
       return new;
     end $$`,
  );
  await rows(em, 'create trigger refuse before insert on run for each row execute function refuse()');
  await rows(
    em,
    'create trigger refuse before update of following_run_at on task for each row execute function refuse()',
  );
  try {
    const faults = new ScheduleFaults(log);
    await engine.fireAll(em, faults);
    expect(faults.taskIds).toEqual([broken]);
    const fired = await rows<{ n: number }>(em, 'select count(*)::int as n from run group by task_id');
    expect(fired.map(({ n }) => n)).toEqual(others.map(() => 3));
    expect(await anyDue(em.fork(), { ownClasses: OWN_CLASSES, faults: new ScheduleFaults(log) })).toBe(true);
    faults.forget();
    await rows(em, 'update task set following_of = null');
    while ((await computeFollowing(em.fork(), faults)) > 0);
    expect(await rows(em, 'select id from task where following_of is null')).toEqual([{ id: broken }]);
  } finally {
    await rows(em, 'drop function refuse() cascade');
  }
  await engine.fireAll(em);
  const [missed] = await rows<{ n: number }>(em, 'select count(*)::int as n from run where task_id = ?', [broken]);
  expect(missed?.n).toBe(3);
  expect(await findBroken(em)).toEqual([]);
});

test('a slot that is on the ledger already makes no later one wait for it', async () => {
  const from = new Date(Date.now() - 2 * HOUR_MS);
  const [task = 0] = await addTasks(em, { count: 1, from, catchUp: 'ALL', overlap: 'QUEUE' });
  await engine.fireAll(em);
  await engine.runEverything(em);
  // The database's clock went back after the first slot had run.
  await rows(em, 'delete from event where run_id = 2');
  await rows(em, 'delete from run where id = 2');
  await rows(em, 'update task set next_run_at = (select slot from run), following_of = null');
  await engine.fireAll(em);
  const { attempts } = await engine.take(em, 5);
  expect(attempts.map(({ taskId }) => taskId)).toEqual([task]);
  expect(await findBroken(em)).toEqual([]);
});

test('a pointer that moves over a slot which is already on the ledger is reported in the log', async () => {
  const minute = Math.floor(Date.now() / 60_000);
  const slot = new Date(minute * 60_000);
  await addTasks(em, { count: 2, rule: everyHourAt(slot.getUTCMinutes()), from: new Date(slot.getTime() - 1) });
  await rows(em, 'update task set misfire_grace_seconds = 3600');
  await engine.fireAll(em);
  // One is fired without arithmetic, and one the general way.
  await rows(em, 'update task set next_run_at = ?::timestamptz, following_of = null', [slot.toISOString()]);
  await rows(
    em,
    `update task set following_of = next_run_at, following_run_at = next_run_at + interval '1 hour' where id = 1`,
  );
  await engine.fireAll(em);
  expect(await rows(em, 'select count(*)::int as n from run')).toEqual([{ n: 2 }]);
  const told = `select task_id, type from event where run_id is null order by task_id`;
  expect(await rows(em, told)).toEqual([
    { task_id: 1, type: 'TASK_RESCHEDULED' },
    { task_id: 2, type: 'TASK_RESCHEDULED' },
  ]);
});

test('the slot after the next one that a slow process computes from old rules never replaces that of new rules', async () => {
  const soon = new Date(Date.now() + HOUR_MS);
  const minute = soon.getUTCMinutes();
  const [task = 0] = await addTasks(em, { count: 1, rule: everyHourAt(minute), from: new Date() });
  // The next slot is the same under both; the one after it is not.
  const daily = {
    ...everyHourAt(minute),
    hour:
      compileSchedule([everyHourAt(minute)], 'UTC')
        .next(new Date())
        ?.getUTCHours() ?? 0,
  };
  const changed = Promise.withResolvers<void>();
  const blocked = Promise.withResolvers<void>();
  const edit = inTransaction(em, async (transaction) => {
    const now = await lockAndSettle(transaction, jobs, task);
    const entity = await transaction.findOneOrFail(Task, task);
    await switchSchedule(transaction, entity, { rules: [daily], timeZone: 'UTC', active: true }, now);
    await transaction.flush();
    changed.resolve();
    await blocked.promise;
  });
  await changed.promise;
  const slow = computeFollowing(em.fork(), new ScheduleFaults(log));
  await expect
    .poll(() =>
      rows(em, `select 1 as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
    )
    .toHaveLength(1);
  blocked.resolve();
  await edit;
  await slow;
  const [pointers] = await rows<{ ahead: number }>(
    em,
    'select extract(epoch from following_run_at - next_run_at)::int / 3600 as ahead from task',
  );
  expect(pointers).toEqual({ ahead: 24 });
});

test('one transaction fires some ten thousand slots, tasks with few missed slots first, and the next ones the rest', async () => {
  const from = new Date(Date.now() - 1_000 * 60_000);
  await addTasks(em, { count: 13, rule: EVERY, from, overlap: 'ALLOW', catchUp: 'ALL' });
  const [fresh = 0] = await addTasks(em, { count: 1, rule: EVERY, from: new Date(Date.now() - 3 * 60_000) });
  const begun = Date.now();
  await engine.fire(em);
  const [first] = await rows<{ n: number; fresh: number }>(
    em,
    'select count(*)::int as n, count(*) filter (where task_id = ?)::int as fresh from run',
    [fresh],
  );
  expect(first?.n).toBeGreaterThanOrEqual(10_000);
  expect(first?.n).toBeLessThan(11_100);
  expect(first?.fresh).toBeGreaterThan(0);
  await engine.fire(em);
  const due = 'select count(*)::int as n from task where next_run_at <= ?::timestamptz';
  expect(await rows(em, due, [new Date(begun).toISOString()])).toEqual([{ n: 0 }]);
});

test('an edit settles all that is due under the old rules, however much it is', async () => {
  const from = new Date(Date.now() - 2 * 86_400_000);
  const [task = 0] = await addTasks(em, { count: 1, rule: EVERY, from, overlap: 'ALLOW', catchUp: 'ALL' });
  await em.fork().transactional(async (transaction) => {
    const now = await lockAndSettle(transaction, jobs, task);
    const edited = await transaction.findOneOrFail(Task, task);
    await switchSchedule(transaction, edited, { rules: [everyHourAt(0)], timeZone: 'UTC', active: true }, now);
  });
  expect(await readCoverage(em, from, new Date(), null)).toMatchObject({
    expected: 2_880,
    pending: 2_880,
    missing: [],
  });
});
