// What must hold whatever races, and wherever a process dies: checked on a real database after, and during, the races.

import { setTimeout as pause } from 'node:timers/promises';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { compileSchedule } from '../../src/calendar/schedule.ts';
import { Notifications } from '../../src/database/notifications.ts';
import { openOrm } from '../../src/database/orm.ts';
import { inTransaction } from '../../src/database/transaction.ts';
import { Task } from '../../src/entities/index.ts';
import { appendEvents, sequenceEvents } from '../../src/events/log.ts';
import { EventTail, FROM_START } from '../../src/events/tail.ts';
import type { Attempt } from '../../src/runner/attempt.ts';
import { recoverLostAttempts } from '../../src/runner/recovery.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { lockAndSettle } from '../../src/scheduling/planner.ts';
import { switchSchedule } from '../../src/scheduling/schedule-change.ts';
import { startTestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Engine, engineOf } from '../support/engine.ts';
import { addTasks, Cutter, everyHourAt, findBroken, rows } from '../support/races.ts';

const log = pino({ level: 'silent' });
let database: TestDatabase;
let em: EntityManager;
let jobs: Jobs;
let engine: Engine;
const others: MikroORM[] = [];

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
  await rows(em, 'update event_log set head = 0');
});

afterEach(async () => {
  while (others.length > 0) await others.pop()?.close();
});

afterAll(async () => {
  await jobs?.stop();
  await database?.close();
});

/** Another process, as far as the database can tell. */
async function otherProcess(): Promise<MikroORM> {
  const orm = await openOrm(database.url, 4);
  others.push(orm);
  return orm;
}

/** An hourly rule that is not due for half an hour, and the slots that it had in the last hours. */
function pastSlots(hours: number) {
  const now = new Date();
  const rule = everyHourAt((now.getUTCMinutes() + 30) % 60);
  const from = new Date(now.getTime() - hours * 3_600_000);
  return { rule, from, slots: compileSchedule([rule], 'UTC').slots(from, now, 100) };
}

const UNFINISHED = `select id from run where state in ('QUEUED', 'RUNNING')`;

test('four planners and two editors at once give each of 500 due tasks each slot exactly once', async () => {
  const { rule, from, slots } = pastSlots(5);
  const ids = await addTasks(em, { count: 500, rule, from, overlap: 'ALLOW', catchUp: 'ALL' });
  const edited = ids.filter((id) => id % 5 === 0);
  const newRule = everyHourAt(((rule.minute ?? 0) + 5) % 60);
  const edit = async (by: EntityManager, taskIds: number[]) => {
    for (const id of taskIds) {
      await inTransaction(by, async (transaction) => {
        const now = await lockAndSettle(transaction, jobs, id);
        const task = await transaction.findOneOrFail(Task, id);
        await switchSchedule(transaction, task, { rules: [newRule], timeZone: 'UTC', active: true }, now);
      });
    }
  };
  const processes = await Promise.all(Array.from({ length: 4 }, otherProcess));
  await Promise.all([
    ...processes.map((orm) => engine.fireAll(orm.em)),
    edit(em, edited),
    // The same tasks from the other end: an edit of an edited task settles nothing twice.
    edit(em, edited.toReversed()),
  ]);

  expect(slots).toHaveLength(5);
  const perTask = await rows<{ slots: string }>(
    em,
    `select string_agg(to_char(slot at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS".000Z"'), ' ' order by slot) as slots
     from run group by task_id`,
  );
  expect(perTask).toHaveLength(500);
  expect(new Set(perTask.map(({ slots }) => slots))).toEqual(
    new Set([slots.map((slot) => slot.toISOString()).join(' ')]),
  );
  expect(await findBroken(em)).toEqual([]);
  expect(await rows(em, `select count(*)::int as n from pgboss.job`)).toEqual([{ n: 2_500 }]);
  expect(await rows(em, `select count(*)::int as n from event`)).toEqual([{ n: 2_500 }]);
  const pointers = await rows<{ minute: number; edited: boolean }>(
    em,
    `select distinct extract(minute from next_run_at)::int as minute, id % 5 = 0 as edited from task
     where next_run_at > now() order by edited`,
  );
  expect(pointers).toEqual([
    { minute: rule.minute, edited: false },
    { minute: newRule.minute, edited: true },
  ]);
});

interface Fault {
  prepare(): Promise<Attempt[]>;
  work(by: EntityManager, attempts: Attempt[]): Promise<unknown>;
}

const { rule: pastRule, from: pastFrom } = pastSlots(4);

async function addDue(): Promise<Attempt[]> {
  await addTasks(em, { count: 10, rule: pastRule, from: pastFrom, overlap: 'QUEUE', catchUp: 'ALL', retryAttempts: 2 });
  return [];
}

/** Tasks of which one slot is due, in time, and the next one is known: these are fired without any arithmetic. */
async function addOnTime(): Promise<Attempt[]> {
  const minute = Math.floor(Date.now() / 60_000);
  await addTasks(em, { count: 10, rule: everyHourAt(minute % 60), from: new Date(minute * 60_000 - 1) });
  await rows(em, 'update task set misfire_grace_seconds = 3600');
  await engine.following(em);
  return [];
}

async function addQueued(): Promise<Attempt[]> {
  await addDue();
  await engine.fireAll(em);
  return [];
}

async function addRunning(): Promise<Attempt[]> {
  await addQueued();
  return (await engine.take(em, 10)).attempts;
}

const FAULTS: Record<string, Fault> = {
  'firing what is due': { prepare: addDue, work: (by) => engine.fire(by) },
  'firing what is on time': { prepare: addOnTime, work: (by) => engine.fire(by) },
  'taking attempts': { prepare: addQueued, work: (by) => engine.take(by, 10) },
  'settling attempts that succeeded': { prepare: addRunning, work: (by, attempts) => engine.end(by, attempts) },
  'settling attempts that are tried again': {
    prepare: addRunning,
    work: (by, attempts) => engine.end(by, attempts, 'FAILED'),
  },
  'handing attempts back': { prepare: addRunning, work: (by, attempts) => engine.end(by, attempts, 'HANDED_BACK') },
  'requesting a run': { prepare: addDue, work: (by) => engine.request(by, 1) },
  'cancelling a run': { prepare: addQueued, work: (by) => engine.cancel(by, 1, 1) },
};

const EVERYTHING = `
  select json_build_array(
    (select json_agg(r order by r.id) from run r), (select json_agg(e order by e.id) from event e),
    (select json_agg(t order by t.id) from task t), (select json_agg(j order by j.id) from pgboss.job j)
  )::text as everything`;

test.each(Object.entries(FAULTS))(
  'a process that dies anywhere while %s has done all of it or nothing',
  async (what, fault) => {
    const victim = await otherProcess();
    const cutter = await Cutter.on(victim);
    const attempts = await fault.prepare();
    const before = await rows(em, EVERYTHING);
    let statements = 0;
    for (;;) {
      cutter.cutAfter(statements);
      const died = await fault.work(victim.em, attempts).then(
        () => null,
        (error: unknown) => error,
      );
      if (!cutter.disarm()) {
        expect(died).toBeNull();
        break;
      }
      expect(died).not.toBeNull();
      expect(await rows(em, EVERYTHING)).toEqual(before);
      // The server has noticed the death once the locks are gone.
      await expect.poll(() => nobodyElseWorks()).toBe(true);
      statements += 1;
    }
    // Beginning, at least one write, and the commit, which is cut off before it is sent.
    expect(statements).toBeGreaterThan(3);
    expect(await rows(em, EVERYTHING)).not.toEqual(before);
    expect(await findBroken(em)).toEqual([]);
    await engine.fireAll(em);
    await engine.runEverything(em);
    const stillRunning = await rows(em, UNFINISHED);
    // What the victim itself took is its own until its heartbeat is missed.
    if (what !== 'taking attempts') expect(stillRunning).toEqual([]);
  },
);

/** Whether no other connection is inside a transaction. */
async function nobodyElseWorks(): Promise<boolean> {
  const [row] = await rows<{ free: boolean }>(
    em,
    `select not exists (select from pg_stat_activity
       where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()) as free`,
  );
  return row?.free ?? false;
}

test('requests, cancellations, retries and hand-backs at random never break the accounts and leave no run behind', async () => {
  for (const overlap of ['SKIP', 'QUEUE', 'ALLOW', 'CANCEL_RUNNING'] as const) {
    await addTasks(em, { count: 3, overlap, retryAttempts: 3 });
  }
  const taskIds = (await rows<{ id: number }>(em, 'select id from task')).map(({ id }) => id);
  const any = <Item>(items: readonly Item[]) => items[Math.floor(Math.random() * items.length)] as Item;
  const moves: ((by: EntityManager) => Promise<unknown>)[] = [
    (by) => engine.request(by, any(taskIds)),
    (by) => engine.request(by, any(taskIds)),
    async (by) => {
      const open = await rows<{ id: number; task_id: number }>(
        by,
        `select id, task_id from run where id in (${UNFINISHED})`,
      );
      const run = any(open);
      if (run !== undefined) await engine.cancel(by, run.task_id, run.id);
    },
    async (by) => {
      const { attempts } = await engine.take(by, 3);
      if (attempts.length > 0) await engine.end(by, attempts, any(['SUCCEEDED', 'FAILED', 'CANCELLED']));
    },
    async (by) => {
      const { attempts } = await engine.take(by, 2);
      if (attempts.length > 0) await engine.end(by, attempts, 'HANDED_BACK');
    },
    (by) => recoverLostAttempts(by, jobs),
  ];
  const processes = await Promise.all(Array.from({ length: 6 }, otherProcess));
  let busy = true;
  const faults = new Set<string>();
  const watching = (async () => {
    while (busy) for (const fault of await findBroken(em)) faults.add(fault);
  })();
  await Promise.all(
    processes.map(async ({ em: by }) => {
      for (let move = 0; move < 60; move += 1) await any(moves)(by);
    }),
  );
  busy = false;
  await watching;
  expect([...faults]).toEqual([]);
  await engine.runEverything(em);
  expect(await rows(em, UNFINISHED)).toEqual([]);
  expect(await findBroken(em)).toEqual([]);
  await sequenceEvents(em);
  const stories = await rows<{ story: string }>(
    em,
    `select string_agg(type, ' ' order by seq) as story from event group by run_id`,
  );
  expect(stories.length).toBeGreaterThan(50);
  for (const { story } of stories) {
    expect(story).toMatch(/^QUEUED( STARTED RETRYING)*( STARTED (SUCCEEDED|FAILED|CANCELLED)| CANCELLED)$/);
  }
});

test('a worker that beats no more loses its attempts, which are tried again or failed, and can settle them no more', async () => {
  const watcher = new Jobs(database.url, log, true);
  await watcher.start();
  try {
    const [again] = await addTasks(em, { count: 1, retryAttempts: 2 });
    const [once] = await addTasks(em, { count: 1 });
    for (const id of [again, once]) await engine.request(em, id ?? 0);
    const dead = (await engine.take(em, 10)).attempts;
    const waits = await engine.request(em, once ?? 0);
    const [other] = await addTasks(em, { count: 1 });
    await engine.request(em, other ?? 0);
    const alive = (await engine.take(em, 10)).attempts;
    expect([dead.length, alive.length]).toEqual([2, 1]);

    const beat = async () => {
      await jobs.touch(alive.map(({ job }) => job));
      const found = await Promise.all([recoverLostAttempts(em, jobs), recoverLostAttempts(em, jobs)]);
      return found[0] + found[1];
    };
    let lost = 0;
    const beatAndCount = async () => {
      lost += await beat();
      return lost;
    };
    await expect.poll(beatAndCount, { timeout: 40_000, interval: 1_000 }).toBe(2);
    const states = () => rows(em, 'select task_id, state, attempt, job_id is not null as has_job from run order by id');
    const after = [
      { task_id: again, state: 'QUEUED', attempt: 1, has_job: true },
      { task_id: once, state: 'FAILED', attempt: 1, has_job: false },
      { task_id: once, state: 'QUEUED', attempt: 0, has_job: true },
      { task_id: other, state: 'RUNNING', attempt: 1, has_job: true },
    ];
    expect(await states()).toEqual(after);
    expect(await findBroken(em)).toEqual([]);

    expect(await jobs.touch(dead.map(({ job }) => job))).toEqual(new Set());
    expect(await engine.end(em, dead)).toEqual(dead);
    await engine.end(em, dead, 'HANDED_BACK');
    expect(await states()).toEqual(after);
    expect(await engine.end(em, alive)).toEqual([]);
    const next = (await engine.take(em, 10)).attempts;
    expect(next.map(({ runId, attempt }) => [runId, attempt])).toContainEqual([waits, 1]);
    expect(next.map(({ taskId, attempt }) => [taskId, attempt])).toContainEqual([again, 2]);
    await engine.end(em, next);
    expect(await rows(em, UNFINISHED)).toEqual([]);
  } finally {
    await watcher.stop();
  }
});

interface Reader {
  ids: number[];
  reading: Promise<void>;
}

/** Reads the log from its start in pieces of random length, each resumed from the cursor where the last one ended. */
function readInPieces(tail: EventTail, total: number, slow: boolean): Reader {
  const ids: number[] = [];
  const read = async () => {
    let cursor: string | typeof FROM_START = FROM_START;
    while (ids.length < total) {
      const events = await tail.subscribe({}, cursor);
      const piece = slow ? total : 1 + Math.floor(Math.random() * 800);
      for (let count = 0; count < piece && ids.length < total; count += 1) {
        const { value } = await events.next();
        if (!value) throw new Error('the stream ended');
        ids.push(value.row.id);
        cursor = value.cursor;
        if (slow && ids.length % 200 === 0) await pause(50);
      }
      await events.return?.();
    }
  };
  return { ids, reading: read() };
}

test('readers that resume from any cursor see every event once and in order, whatever order writers commit in', async () => {
  const [task = 0] = await addTasks(em, { count: 1 });
  const writers = await Promise.all(Array.from({ length: 8 }, otherProcess));
  const sizes = writers.map(() => Array.from({ length: 25 }, () => 1 + Math.floor(Math.random() ** 4 * 300)));
  const abandoned = Symbol('rolled back');
  const write = async (by: EntityManager, size: number, commits: boolean) => {
    const line = { type: 'TASK_UPDATED', taskId: task, taskName: 'x', actorId: 1 } as const;
    await inTransaction(by, async (transaction) => {
      await appendEvents(transaction, Array(Math.ceil(size / 2)).fill(line));
      await pause(Math.random() * 20);
      await appendEvents(transaction, Array(Math.floor(size / 2)).fill(line));
      if (!commits) throw abandoned;
    }).catch((error: unknown) => {
      if (error !== abandoned) throw error;
    });
  };
  const total = sizes.flat().reduce((sum, size) => sum + size, 0);
  const processes = await Promise.all(Array.from({ length: 2 }, otherProcess));
  const notifications = processes.map(() => new Notifications(database.url, log));
  for (const each of notifications) await each.start();
  const tails = notifications.map((each, index) => new EventTail(processes[index]?.em ?? em, each, log));
  const readers = tails.flatMap((tail) => [1, 2, 3].map((n) => readInPieces(tail, total, n === 3)));
  await Promise.all(
    writers.map(async ({ em: by }, writer) => {
      for (const size of sizes[writer] ?? []) {
        await write(by, size, true);
        notifications[writer % 2]?.notify('slotkeeper_events');
        if (Math.random() < 0.3) await write(by, 3, false);
      }
    }),
  );
  await Promise.all(readers.map(({ reading }) => reading));
  for (const tail of tails) await tail.stop();
  for (const each of notifications) await each.stop();

  const { head } = await sequenceEvents(em);
  expect(head).toBe(total);
  const stored = await rows<{ id: number; seq: number }>(em, 'select id, seq from event order by seq');
  expect(stored.map(({ seq }) => seq)).toEqual(Array.from({ length: total }, (_, index) => index + 1));
  const order = stored.map(({ id }) => id);
  for (const { ids } of readers) expect(ids).toEqual(order);
});

test('eight equal calls with one idempotency key make one run, and another input under it is a conflict', async () => {
  const other = await testDatabase();
  const app = await startTestApp(other.url, { settings: { ROLE: 'gateway' } });
  try {
    const [task] = await addTasks(other.orm.em, { count: 1, overlap: 'ALLOW' });
    const execute = (data: object) =>
      app.post<{ executeTask: { run: { id: string } } | null }>(
        `mutation ($task: Int!, $data: JSON) {
          executeTask(input: { task: { legacyId: $task }, data: $data, idempotencyKey: "one" }) { run { id } }
        }`,
        { task, data },
      );
    await other.orm.em.fork().execute(`update task set class_name = '\\scheduler\\Tasks\\ProcessHoldingTask'`);
    const replies = await Promise.all(Array.from({ length: 8 }, () => execute({ holding_days: 1 })));
    expect(new Set(replies.map(({ data }) => data?.executeTask?.run.id)).size).toBe(1);
    expect(replies.flatMap(({ errors = [] }) => errors)).toEqual([]);
    expect(await rows(other.orm.em, 'select count(*)::int as n from run')).toEqual([{ n: 1 }]);
    const { errors } = await execute({ holding_days: 2 });
    expect(errors?.[0]?.extensions.code).toBe('CONFLICT');
  } finally {
    await app.stop();
    await other.close();
  }
});
