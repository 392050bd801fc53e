// Runs and events go when they are past their age; what is left is whole, says where it begins, and nobody is left unaware.
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { Notifications } from '../../src/database/notifications.ts';
import { openOrm } from '../../src/database/orm.ts';
import { encodeCursor } from '../../src/events/cursor.ts';
import { sequenceEvents } from '../../src/events/log.ts';
import { EventTail } from '../../src/events/tail.ts';
import { readCoverage } from '../../src/ledger/coverage.ts';
import { type RetentionRule, removeOld } from '../../src/runner/retention.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { overSse, overWebSocket, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Engine, engineOf } from '../support/engine.ts';
import { keepState } from '../support/kept-state.ts';
import { addTasks, Cutter, everyHourAt, rows } from '../support/races.ts';
import { seqOf } from '../support/streams.ts';

const DAY = 86_400_000;
/** A slot an hour for so long. */
const DAYS = 40;
const log = pino({ level: 'silent' });
const RULE: RetentionRule = { days: 30, historyDays: 0 };
const never = () => false;

let database: TestDatabase;
let em: EntityManager;
let jobs: Jobs;
let engine: Engine;
let app: TestApp;
let restore: () => Promise<void>;

beforeAll(async () => {
  database = await testDatabase();
  em = database.orm.em;
  jobs = new Jobs(database.url, log, false);
  await jobs.start();
  engine = engineOf(jobs);
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  await makeHistory();
  restore = await keepState(database.orm);
});

afterAll(async () => {
  await app?.stop();
  await jobs?.stop();
  await database?.close();
});

beforeEach(async () => {
  await restore();
  await rows(em, 'update retention set ledger_from = null');
  await rows(em, 'update event_log set head = (select count(*) from event), floor = 0, history_floor = 0');
});

/** A task that ran each hour of 40 days: 960 slots, and QUEUED, STARTED and SUCCEEDED of each. */
async function makeHistory(): Promise<void> {
  const from = new Date(Date.now() - DAYS * DAY);
  const rule = everyHourAt((new Date().getUTCMinutes() + 30) % 60);
  await addTasks(em, { count: 1, rule, from, catchUp: 'ALL', overlap: 'ALLOW' });
  await rows(em, 'update task set created_at = ?::timestamptz', [from.toISOString()]);
  await engine.fireAll(em);
  await engine.runEverything(em);
  await rows(em, `update run set queued_at = slot, started_at = slot, finished_at = slot + interval '1 second'`);
  await rows(em, 'update event set at = run.slot from run where run.id = event.run_id');
  // The log in the order of its times, as it would have come to be.
  await rows(
    em,
    `update event set seq = position
     from (select id as of, row_number() over (order by at, id) as position from event) as p where id = of`,
  );
}

const begin = () => new Date(Date.now() - DAYS * DAY);
const idOf = (task: number) => Buffer.from(`Task:${task}`).toString('base64');

async function ledgerFrom(): Promise<Date> {
  const [row] = await rows<{ at: string }>(em, 'select ledger_from as at from retention');
  return new Date(row?.at ?? Number.NaN);
}

/** The position in the log of the first event at the time or later. */
async function cursorAt(time: Date): Promise<string> {
  const [row] = await rows<{ log_id: string; seq: number }>(
    em,
    'select log_id, (select min(seq) from event where at >= ?::timestamptz) as seq from event_log',
    [time.toISOString()],
  );
  return Buffer.from(`${row?.log_id}.${row?.seq}`).toString('base64url');
}

/** What is true however far a removal came. */
async function expectWhole(): Promise<void> {
  const coverage = await readCoverage(em, begin(), new Date(), null);
  expect(coverage).toMatchObject({ unaccounted: 0, pending: 0 });
  expect(coverage?.expected).toBeGreaterThanOrEqual(30 * 24 - 1);
  const [state] = await rows<{ n: number }>(
    em,
    `select count(*)::int as n from generate_series((select floor + 1 from event_log), (select head from event_log)) as seq
     where not exists (select from event where event.seq = seq.seq)`,
  );
  expect(state).toEqual({ n: 0 });
  const [spared] = await rows<{ n: number }>(em, `select count(*)::int as n from event where type = 'SUCCEEDED'`);
  expect(spared).toEqual({ n: DAYS * 24 });
}

async function counts() {
  const [count] = await rows<{ runs: number; events: number; floor: number }>(
    em,
    'select (select count(*) from run)::int as runs, (select count(*) from event)::int as events, floor::int from event_log',
  );
  return count;
}

test('what is past its age goes, the ledger says where it begins, and the old history is spared', async () => {
  const before = await app.legacy('target=scheduler&action=getTaskHistory&taskId=1');
  expect(before.match(/"log_id"/g)).toHaveLength(DAYS * 24);
  await removeOld(em, RULE, never);
  await expectWhole();
  const from = await ledgerFrom();
  expect(Math.abs(Date.now() - 30 * DAY - from.getTime())).toBeLessThan(120_000);
  expect(await rows(em, 'select id from run where slot < ?::timestamptz', [from.toISOString()])).toEqual([]);
  expect((await counts())?.runs).toBe(30 * 24);
  expect(await app.legacy('target=scheduler&action=getTaskHistory&taskId=1')).toBe(before);

  const { coverage } = await app.query<{ coverage: { from: string; expected: number; ran: number } }>(
    `query ($from: DateTime!, $to: DateTime!) { coverage(from: $from, to: $to) { from expected ran unaccounted } }`,
    { from: begin().toISOString(), to: new Date().toISOString() },
  );
  expect(coverage).toEqual({ from: from.toISOString(), expected: 720, ran: 720, unaccounted: 0 });

  const slot = new Date(from.getTime() - DAY);
  // Another minute may have begun since the rule was made.
  const [rule] = await rows<{ minute: number }>(
    em,
    `select (rules->0->>'minute')::int as minute from schedule_version`,
  );
  slot.setUTCMinutes(rule?.minute ?? 0, 0, 0);
  const { explainSlot } = await app.query<{ explainSlot: { verdict: string; because: string } }>(
    'query ($at: DateTime!, $task: ID!) { explainSlot(task: $task, at: $at) { verdict because } }',
    { task: idOf(1), at: slot.toISOString() },
  );
  expect(explainSlot).toEqual({
    verdict: 'REMOVED',
    because: `The records of slots before ${from.toISOString()} have been removed.`,
  });
  const again = await counts();
  await removeOld(em, RULE, never);
  expect(await counts()).toEqual(again);
});

test('the newest run of a task stays, however old it is', async () => {
  await rows(
    em,
    `update run set slot = null, trigger = 'MANUAL', queued_at = queued_at - interval '60 days',
    started_at = null, finished_at = finished_at - interval '60 days'`,
  );
  await removeOld(em, RULE, never);
  expect(await rows(em, 'select id from run')).toEqual([{ id: DAYS * 24 }]);
});

test('a subscriber with an older cursor gets an error over each transport, and one with a newer cursor continues', async () => {
  const old = await cursorAt(new Date(Date.now() - 35 * DAY));
  const young = await cursorAt(new Date(Date.now() - DAY));
  await removeOld(em, RULE, never);
  const subscription = 'subscription ($after: String) { runEvents(after: $after) { cursor } }';
  const parameters = new URLSearchParams({ query: subscription, variables: JSON.stringify({ after: old }) });
  const response = await fetch(`${app.address}/graphql?${parameters}`, {
    headers: { authorization: app.authorization, accept: 'text/event-stream' },
  });
  expect(await response.text()).toContain('"code":"CURSOR_EXPIRED"');
  const stream = await overWebSocket(app, { after: old });
  const resumed = await overWebSocket(app, { after: young });
  expect((await resumed.atLeast(3)).slice(0, 3).map(({ type }) => type)).toHaveLength(3);
  expect(stream.received).toEqual([]);
  await stream.close();
  await resumed.close();
  const sse = await overSse(app, {}, young);
  await sse.atLeast(3);
  await sse.close();
});

test('a page of the log never leaves out in silence what was removed', async () => {
  const old = await cursorAt(new Date(Date.now() - 35 * DAY));
  await removeOld(em, RULE, never);
  const query = `query ($after: String, $types: [EventType!]) {
    events(first: 500, after: $after, filter: { types: $types }) {
      edges { node { type run { id } } } pageInfo { hasNextPage endCursor }
    }
  }`;
  const expired = await app.post(query, { after: old });
  expect(expired.errors?.[0]?.extensions.code).toBe('CURSOR_EXPIRED');
  // From the start it reads what is whole; of the types that are spared, all there ever was.
  interface Page {
    events: { edges: { node: { run: object | null } }[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
  }
  const read = async (types: string[] | null) => {
    const nodes: { run: object | null }[] = [];
    for (let after: string | null = null; ; ) {
      const { events }: Page = await app.query<Page>(query, { after, types });
      nodes.push(...events.edges.map(({ node }) => node));
      if (!events.pageInfo.hasNextPage) return nodes;
      after = events.pageInfo.endCursor;
    }
  };
  const history = await read(['SUCCEEDED', 'FAILED', 'TASK_ADDED']);
  expect(history).toHaveLength(DAYS * 24);
  expect(history.filter(({ run }) => run === null)).toHaveLength((DAYS - 30) * 24);
  const whole = await read(null);
  const { floor = 0 } = (await counts()) ?? {};
  expect(floor).toBe(3 * 10 * 24);
  expect(whole).toHaveLength(3 * DAYS * 24 - floor);
});

test('which slots succeeded before the ledger begins is not guessed by a backfill', async () => {
  await removeOld(em, RULE, never);
  const backfill = 'mutation ($input: BackfillTaskInput!) { backfillTask(input: $input) { slots } }';
  const from = new Date(Date.now() - 35 * DAY).toISOString();
  const input = { task: { legacyId: 1 }, from, to: new Date(Date.now() - 34 * DAY).toISOString(), dryRun: true };
  const { errors } = await app.post(backfill, { input });
  expect(errors?.[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT', field: 'input.from' } });
  const { backfillTask } = await app.query<{ backfillTask: { slots: string[] } }>(backfill, {
    input: { ...input, includeSucceeded: true },
  });
  expect(backfillTask.slots).toHaveLength(24);
});

test('runs that are not finished, and gaps and schedules that reach into the ledger, stay', async () => {
  await rows(em, `update run set state = 'QUEUED', finished_at = null where id = 1`);
  const from = begin().toISOString();
  await rows(
    em,
    `insert into slot_gap (task_id, from_slot, to_slot, reason, count) values
     (1, ?::timestamptz, now() - interval '31 days', 'MISSED', 5), (1, ?::timestamptz, now(), 'MISSED', 5)`,
    [from, new Date(begin().getTime() + DAY).toISOString()],
  );
  await rows(
    em,
    `insert into schedule_version (task_id, rules, time_zone, active, valid_from, valid_to) values
     (1, '[]', 'UTC', false, now() - interval '60 days', now() - interval '50 days'),
     (1, '[]', 'UTC', false, now() - interval '50 days', now() - interval '20 days')`,
  );
  await removeOld(em, RULE, never);
  expect(await rows(em, 'select id from run order by id limit 1')).toEqual([{ id: 1 }]);
  expect(await rows(em, 'select id from slot_gap')).toEqual([{ id: 2 }]);
  expect(await rows(em, 'select valid_to is null as current from schedule_version order by id')).toEqual([
    { current: true },
    { current: false },
  ]);
});

test('a setting says when the old history goes too', async () => {
  await rows(
    em,
    `insert into imported_log (task_id, id, at, message)
     select 2, days, now() - make_interval(days => days), 'Done.' from generate_series(1, 50) as days`,
  );
  await removeOld(em, RULE, never);
  expect(await rows(em, 'select count(*)::int as rows from imported_log')).toEqual([{ rows: 50 }]);
  await removeOld(em, { days: 30, historyDays: 35 }, never);
  const history = await app.legacy('target=scheduler&action=getTaskHistory&taskId=1');
  expect(history.match(/"log_id"/g)).toHaveLength(35 * 24);
  expect(await rows(em, 'select max(id)::int as last from imported_log')).toEqual([{ last: 34 }]);
  const old = await cursorAt(new Date(Date.now() - 39 * DAY));
  const log = await rows<{ floor: number; history: number }>(
    em,
    'select floor, history_floor as history from event_log',
  );
  expect(log[0]?.history).toBeLessThan(log[0]?.floor ?? 0);
  expect(old).toBeDefined();
  const { errors } = await app.post(
    'query ($after: String) { events(after: $after, filter: { types: [FAILED] }) { edges { cursor } } }',
    {
      after: Buffer.from(Buffer.from(old, 'base64url').toString().replace(/\d+$/, '1')).toString('base64url'),
    },
  );
  expect(errors?.[0]?.extensions.code).toBe('CURSOR_EXPIRED');
});

test('a retention of 0 days keeps everything', async () => {
  const before = await counts();
  await removeOld(em, { days: 0, historyDays: 0 }, never);
  expect(await counts()).toEqual(before);
});

test('killed between any two statements it leaves a complete record, and the next one continues', async () => {
  const other: MikroORM = await openOrm(database.url, 2);
  const cutter = await Cutter.on(other);
  let cuts = 0;
  for (let count = 0; ; count += 1) {
    cutter.cutAfter(count);
    await removeOld(other.em, RULE, never).catch(() => undefined);
    await expectWhole();
    if (cutter.disarm()) {
      cuts += 1;
    } else if ((await counts())?.floor === 3 * 10 * 24) {
      break;
    } else {
      // The server had not noticed yet that the one before is dead, and left the work to it.
      count -= 1;
    }
  }
  expect(cuts).toBeGreaterThan(10);
  expect((await counts())?.runs).toBe(30 * 24);
  await other.close();
});

test('several at once remove what one would have', async () => {
  const others = await Promise.all([openOrm(database.url, 2), openOrm(database.url, 2), openOrm(database.url, 2)]);
  await Promise.all(others.map((orm) => removeOld(orm.em, RULE, never)));
  await removeOld(em, RULE, never);
  await expectWhole();
  expect((await counts())?.runs).toBe(30 * 24);
  await Promise.all(others.map((orm) => orm.close()));
});

test('a reader that retention overtakes within the log gets an error, and skips nothing silently', async () => {
  const notifications = new Notifications(database.url, log);
  await notifications.start();
  const tail = new EventTail(em, notifications, log);
  const { logId } = await sequenceEvents(em);
  const events = await tail.subscribe({}, encodeCursor(logId, { seq: 0, mark: null }));
  const seen: number[] = [];
  const read = async () => {
    const { value } = await events.next();
    if (value) seen.push(value.row.seq);
  };
  await read();
  // It has the first page in memory by now; the second is gone when it comes to it.
  await rows(em, `update event set at = at - interval '30 days'`);
  await removeOld(em, { days: 31, historyDays: 31 }, never);
  const readOn = async () => {
    while (seen.length < 2_880) await read();
  };
  await expect(readOn()).rejects.toMatchObject({ code: 'CURSOR_EXPIRED' });
  expect(seen).toEqual(Array.from(seen, (_, index) => index + 1));
  expect(seen.length).toBeLessThan(2_880);
  await events.return?.();
  await tail.stop();
  await notifications.stop();
});

test('a page that retention overtakes while it is read leaves out nothing in silence', async () => {
  const ask = async (after: string | null) => {
    const query = spyOnPages();
    const { data, errors } = await app.post<{ events: { edges: { cursor: string }[] } }>(
      'query ($after: String) { events(first: 20, after: $after) { edges { cursor } } }',
      { after },
    );
    query.mockRestore();
    return { code: errors?.[0]?.extensions?.code, seqs: data?.events?.edges.map(({ cursor }) => seqOf(cursor)) };
  };
  const { logId } = await sequenceEvents(em);
  expect(await ask(encodeCursor(logId, { seq: 10, mark: null }))).toMatchObject({ code: 'CURSOR_EXPIRED' });
  expect((await counts())?.floor).toBe(3 * 10 * 24);
  await rows(em, `update event set at = at - interval '5 days'`);
  // From the beginning that the log has by then.
  expect(await ask(null)).toEqual({ seqs: Array.from({ length: 20 }, (_, index) => 3 * 15 * 24 + 1 + index) });
});

/** Lets retention do its work between the statement that asks how far the log goes and that of the page. */
function spyOnPages() {
  const { query } = pg.Client.prototype;
  let isDone = false;
  return vi.spyOn(pg.Client.prototype, 'query').mockImplementation(async function (this: pg.Client, ...args) {
    const [config] = args as unknown as [{ text?: string } | string];
    const text = typeof config === 'string' ? config : config.text;
    if (!isDone && text?.includes('from "event" where')) {
      isDone = true;
      await removeOld(em, RULE, never);
    }
    return Reflect.apply(query, this, args) as unknown;
  });
}

/** As where nobody ever asked for an event. */
async function forgetNumbers(): Promise<void> {
  await rows(em, 'update event set seq = null');
  await rows(em, 'update event_log set head = 0');
}

const unnumbered = () => rows(em, 'select id from event where seq is null limit 1');

test('events that were never read are removed too', async () => {
  await forgetNumbers();
  await rows(em, `update event set at = at - interval '40 days'`);
  await removeOld(em, RULE, never);
  expect(await rows(em, 'select distinct type from event')).toEqual([{ type: 'SUCCEEDED' }]);
  expect(await unnumbered()).toEqual([]);
});

test('a runner sequences unread events, at its start and periodically', async () => {
  await forgetNumbers();
  const runner = await startTestApp(database.url, { settings: { ROLE: 'runner', RETENTION_DAYS: 0 } });
  try {
    await expect.poll(unnumbered).toEqual([]);
    await forgetNumbers();
    await expect.poll(unnumbered, { timeout: 60_000 }).toEqual([]);
  } finally {
    await runner.stop();
  }
});
test('the product removes at its start what is past the age that its settings give', async () => {
  const runner = await startTestApp(database.url, { settings: { ROLE: 'runner', RETENTION_DAYS: 30 } });
  await expect.poll(async () => (await counts())?.runs).toBe(30 * 24);
  await runner.stop();
});
