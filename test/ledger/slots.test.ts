// What the product says of slots: why each ran, did not or will, whether all are accounted for, and what is to come.
import type { EntityManager } from '@mikro-orm/postgresql';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { compileSchedule, type RepeatRule } from '../../src/calendar/schedule.ts';
import { removeOld } from '../../src/runner/retention.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { EVERY } from '../support/calendar-oracle.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Engine, engineOf } from '../support/engine.ts';
import { addTasks, everyHourAt, rows } from '../support/races.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let database: TestDatabase;
let app: TestApp;
let em: EntityManager;
let jobs: Jobs;
let engine: Engine;

beforeAll(async () => {
  database = await testDatabase();
  // No runner: the test says when what is due is fired.
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  em = database.orm.em;
  jobs = new Jobs(database.url, pino({ level: 'silent' }), false);
  await jobs.start();
  engine = engineOf(jobs);
});

afterAll(async () => {
  await app?.stop();
  await jobs?.stop();
  await database?.close();
});

beforeEach(async () => {
  await rows(em, 'truncate event, run, slot_gap, schedule_version, repeat_item, task restart identity cascade');
  await rows(em, 'delete from pgboss.job');
});

const idOf = (task: number) => Buffer.from(`Task:${task}`).toString('base64');

interface Explanation {
  verdict: string;
  because: string;
  run: { state: string } | null;
  skipReason: string | null;
  gapCount: number | null;
  exclusions: { rule: number; field: string | null; message: string }[];
}

async function explain(task: number, at: Date): Promise<Explanation> {
  const { explainSlot } = await app.query<{ explainSlot: Explanation }>(
    `query ($task: ID!, $at: DateTime!) {
      explainSlot(task: $task, at: $at) {
        verdict because run { state } skipReason gapCount exclusions { rule field message }
      }
    }`,
    { task: idOf(task), at: at.toISOString() },
  );
  return explainSlot;
}

interface Counts {
  expected: number;
  ran: number;
  skipped: number;
  pending: number;
  unaccounted: number;
  missing: { task: { legacyId: number }; slot: string }[];
}

async function coverage(from: Date, to: Date, task?: number): Promise<Counts> {
  const found = await app.query<{ coverage: Counts }>(
    `query ($from: DateTime!, $to: DateTime!, $task: ID) {
      coverage(from: $from, to: $to, task: $task) {
        expected ran skipped pending unaccounted missing { task { legacyId } slot }
      }
    }`,
    { from: from.toISOString(), to: to.toISOString(), task: task === undefined ? null : idOf(task) },
  );
  return found.coverage;
}

const minuteOf = (time: number) => new Date(Math.floor(time / 60_000) * 60_000);
const inHours = (hours: number) => new Date(Date.now() + hours * HOUR);

/** An hourly rule that is not due for half an hour. */
function hourly(): RepeatRule {
  return everyHourAt((new Date().getUTCMinutes() + 30) % 60);
}

describe('explainSlot', () => {
  test('explains a slot that is due, ran, was skipped, is in the future, or never existed', async () => {
    const rule = hourly();
    const from = inHours(-5);
    const [task = 0] = await addTasks(em, { count: 1, rule, from, catchUp: 'LATEST' });
    const slots = compileSchedule([rule], 'UTC').slots(from, new Date(), 10);
    const last = slots.at(-1) ?? new Date();
    expect(slots).toHaveLength(5);
    expect(await explain(task, last)).toMatchObject({ verdict: 'PENDING', run: null });
    await engine.fireAll(em);
    expect(await explain(task, last)).toMatchObject({ verdict: 'PENDING', run: { state: 'QUEUED' } });
    await engine.runEverything(em);
    const ran = await explain(task, last);
    expect(ran).toMatchObject({ verdict: 'RAN', run: { state: 'SUCCEEDED' }, skipReason: null });
    expect(ran.because).toMatch(
      /^Its run is SUCCEEDED\. It was fired \d+ seconds late, and the catch-up policy ran it: no runner was firing in time, or none had its class\.$/,
    );
    expect(await explain(task, slots[0] ?? last)).toMatchObject({ verdict: 'SKIPPED', skipReason: 'MISSED' });
    expect(await explain(task, new Date(last.getTime() + HOUR))).toMatchObject({ verdict: 'WILL_BE_DUE', run: null });
    expect(await explain(task, new Date(last.getTime() + 1_000 * DAY))).toMatchObject({ verdict: 'WILL_BE_DUE' });
    expect(await explain(task, minuteOf(from.getTime() - DAY))).toMatchObject({ verdict: 'NO_TASK' });
    const off = await explain(task, new Date(last.getTime() + 60_000));
    expect(off).toMatchObject({ verdict: 'NOT_DUE', exclusions: [{ rule: 0, field: 'minute' }] });
    const shown = (rule.minute ?? 0) + 1;
    expect(off.because).toBe(`Rule 1: the rule has minute ${rule.minute}; the clock shows ${shown % 60}.`);
  });

  test('explains why a run ended that never began, and not that it waits', async () => {
    const rule = hourly();
    const [task = 0] = await addTasks(em, { count: 1, rule, from: inHours(-2), catchUp: 'ALL', overlap: 'ALLOW' });
    const [slot = new Date()] = compileSchedule([rule], 'UTC').slots(inHours(-2), new Date(), 1);
    await engine.fireAll(em);
    await engine.cancel(em, task, 1);
    expect(await explain(task, slot)).toMatchObject({
      verdict: 'RAN',
      because: 'Its run is CANCELLED. Cancelled on request.',
    });
  });

  test('explains what a run may have waited for that began long after it was fired', async () => {
    const rule = hourly();
    const [task = 0] = await addTasks(em, { count: 1, rule, from: inHours(-2), catchUp: 'ALL', overlap: 'ALLOW' });
    const [slot = new Date()] = compileSchedule([rule], 'UTC').slots(inHours(-2), new Date(), 1);
    await engine.fireAll(em);
    await engine.runEverything(em);
    await rows(em, `update run set queued_at = slot, started_at = slot + interval '1 hour'`);
    expect((await explain(task, slot)).because).toBe(
      'Its run is SUCCEEDED. It began 3600 seconds after it was due: it waited for a runner with its class and a free place, or for an earlier run.',
    );
  });

  test('says that a pause is at least as old as the records if its beginning was removed', async () => {
    const [task = 0] = await addTasks(em, { count: 1, from: inHours(-1) });
    const day = (n: number) => new Date(minuteOf(Date.now()).getTime() - n * DAY).toISOString();
    await rows(em, 'update task set created_at = ?::timestamptz', [day(400)]);
    // Active, paused, and edited while it was paused.
    await rows(em, 'delete from schedule_version');
    for (const [begin, end, active] of [
      [400, 300, true],
      [300, 200, false],
      [200, null, false],
    ] as const) {
      await rows(
        em,
        `insert into schedule_version (task_id, rules, time_zone, active, valid_from, valid_to)
         values (?, '[]', 'UTC', ?, ?::timestamptz, ?::timestamptz)`,
        [task, active, day(begin), end === null ? null : day(end)],
      );
    }
    const told = async () => (await explain(task, minuteOf(Date.now() - DAY))).because;
    expect(await told()).toBe(`The task was paused since ${day(300)}.`);
    await removeOld(em, { days: 90, historyDays: 0 }, () => false);
    try {
      const since = `The task was paused since ${day(200)} at the latest; what was before is no longer on record.`;
      expect(await told()).toBe(since);
    } finally {
      await rows(em, 'update retention set ledger_from = null');
    }
  });

  test('explains many slots that were skipped in a row', async () => {
    const [task = 0] = await addTasks(em, { count: 1, rule: EVERY, from: inHours(-10) });
    await engine.fireAll(em);
    const explanation = await explain(task, minuteOf(Date.now() - 5 * HOUR));
    expect(explanation).toMatchObject({ verdict: 'SKIPPED', skipReason: 'MISSED', run: null });
    expect(explanation.gapCount).toBeGreaterThan(500);
    expect(explanation.because).toContain(`It is one of ${explanation.gapCount} slots from `);
  });

  test('explains a pause as long as it lasts, edits of the paused task included, and a deletion', async () => {
    const { addTask } = await app.query<{ addTask: { task: { id: string; legacyId: number } } }>(
      `mutation { addTask(input: { name: "n", className: "\\\\scheduler\\\\Tasks\\\\ProcessHoldingTask",
        repeatItems: [{ minute: null }] }) { task { id legacyId } } }`,
    );
    const { id, legacyId } = addTask.task;
    const change = (mutation: string) => app.query(`mutation ($id: ID!) { ${mutation} }`, { id });
    await change('pauseTask(input: { task: { id: $id } }) { task { id } }');
    const [paused] = await rows<{ since: string }>(em, 'select max(valid_from) as since from schedule_version');
    await change('updateTask(input: { task: { id: $id }, repeatItems: [{ hour: 4 }] }) { task { id } }');
    const later = minuteOf(Date.now() + HOUR);
    const since = new Date(paused?.since ?? 0).toISOString();
    expect(await explain(legacyId, later)).toMatchObject({
      verdict: 'PAUSED',
      because: `The task was paused since ${since}.`,
    });
    await change('resumeTask(input: { task: { id: $id } }) { task { id } }');
    expect((await explain(legacyId, later)).verdict).not.toBe('PAUSED');
    await change('deleteTask(input: { task: { id: $id } }) { task { id } }');
    expect(await explain(legacyId, later)).toMatchObject({
      verdict: 'NO_TASK',
      because: expect.stringContaining('deleted at'),
    });
  });

  test('finds a slot that has no record, and coverage does too', async () => {
    const from = inHours(-3);
    const [task = 0] = await addTasks(em, { count: 1, rule: hourly(), from, catchUp: 'ALL', overlap: 'ALLOW' });
    await engine.fireAll(em);
    const [lost] = await rows<{ slot: string }>(em, 'select slot from run order by id limit 1');
    await rows(em, 'delete from event where run_id = 1');
    await rows(em, 'delete from run where id = 1');
    const slot = new Date(lost?.slot ?? 0);
    expect(await explain(task, slot)).toMatchObject({ verdict: 'UNACCOUNTED' });
    expect(await coverage(from, inHours(0))).toEqual({
      expected: 3,
      ran: 0,
      skipped: 0,
      pending: 2,
      unaccounted: 1,
      missing: [{ task: { legacyId: task }, slot: slot.toISOString() }],
    });
  });

  test.each([
    ['an instant that is no whole minute', { task: idOf(1), at: '2026-01-01T00:00:30Z' }, 'BAD_USER_INPUT'],
    ['a task that there is not', { task: idOf(99), at: '2026-01-01T00:00:00Z' }, 'NOT_FOUND'],
  ])('refuses %s', async (_what, variables, code) => {
    const { errors } = await app.post(
      'query ($task: ID!, $at: DateTime!) { explainSlot(task: $task, at: $at) { verdict } }',
      variables,
    );
    expect(errors).toMatchObject([{ extensions: { code } }]);
  });
});

describe('coverage', () => {
  test('counts slots that ran, were skipped, alone or in a gap, or are in the future; together all that were due', async () => {
    const from = inHours(-12);
    // Measured from the same instant, since a minute may pass in between.
    const to = new Date(from.getTime() + 14 * HOUR);
    await addTasks(em, { count: 600, rule: hourly(), from, catchUp: 'LATEST' });
    const [minutely = 0] = await addTasks(em, { count: 1, rule: EVERY, from });
    await engine.fireAll(em);
    await engine.runEverything(em);
    const counts = await coverage(from, to);
    const perMinute = await coverage(from, to, minutely);
    expect(perMinute.expected).toBe(14 * 60);
    expect(perMinute).toMatchObject({ unaccounted: 0, missing: [] });
    expect(perMinute.skipped).toBeGreaterThan(11 * 60);
    expect(counts.expected).toBe(600 * 14 + perMinute.expected);
    expect(counts).toMatchObject({ unaccounted: 0, missing: [] });
    expect(counts.ran).toBe(600 + perMinute.ran);
    expect(counts.skipped).toBe(600 * 11 + perMinute.skipped);
    expect(counts.pending).toBe(600 * 2 + perMinute.pending);
  });

  test('never sees a slot as lost while tasks are fired, edited, paused and deleted', async () => {
    const from = inHours(-30);
    const ids = await addTasks(em, { count: 200, rule: hourly(), from, catchUp: 'ALL', overlap: 'ALLOW' });
    let busy = true;
    const seen: Counts[] = [];
    const watching = (async () => {
      while (busy) seen.push(await coverage(from, inHours(3)));
    })();
    const change = (mutation: string, task: number) =>
      app.query(`mutation ($id: ID!) { ${mutation} }`, { id: idOf(task) });
    await Promise.all([
      engine.fireAll(em),
      ...ids.slice(0, 60).map(async (task, index) => {
        if (index % 3 === 0)
          await change('updateTask(input: { task: { id: $id }, repeatItems: [{ minute: 7 }] }) { task { id } }', task);
        if (index % 3 === 1) await change('pauseTask(input: { task: { id: $id } }) { task { id } }', task);
        if (index % 3 === 2) await change('deleteTask(input: { task: { id: $id } }) { task { id } }', task);
      }),
    ]);
    busy = false;
    await watching;
    seen.push(await coverage(from, inHours(3)));
    for (const { expected, ran, skipped, pending, unaccounted } of seen) {
      expect(unaccounted).toBe(0);
      expect(ran + skipped + pending).toBe(expected);
    }
    expect(seen.length).toBeGreaterThan(1);
  });

  test.each([
    ['a range that ends before it begins', '2026-01-02T00:00:00Z', '2026-01-01T00:00:00Z', 'to'],
    ['more slots than can be counted at once', '2026-01-01T00:00:00Z', '2029-01-01T00:00:00Z', 'to'],
  ])('refuses %s', async (_what, from, to, field) => {
    await addTasks(em, { count: 1, rule: EVERY, from: new Date(from) });
    const { errors } = await app.post(
      'query ($from: DateTime!, $to: DateTime!) { coverage(from: $from, to: $to) { expected } }',
      {
        from,
        to,
      },
    );
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field } }]);
  });
});

describe('upcoming', () => {
  async function upcoming(from: Date, to: Date, first: number) {
    const found = await app.query<{ upcoming: { at: string; task: { legacyId: number } }[] }>(
      `query ($from: DateTime!, $to: DateTime!, $first: Int!) {
        upcoming(from: $from, to: $to, first: $first) { at task { legacyId } }
      }`,
      { from: from.toISOString(), to: to.toISOString(), first },
    );
    return found.upcoming.map(({ at, task }) => `${at} ${task.legacyId}`);
  }

  test('lists what a plain merge of all schedules lists, from now or from later on', async () => {
    const now = new Date();
    const rules: { id: number; rule: RepeatRule }[] = [];
    for (const rule of [
      hourly(),
      EVERY,
      { ...EVERY, hour: 3, minute: 0 },
      { ...EVERY, dayOfWeek: 1, hour: 12, minute: 5 },
      { ...EVERY, minute: 17 },
      { ...EVERY, dayOfMonth: 31, hour: 23, minute: 59 },
    ]) {
      for (const id of await addTasks(em, { count: 3, rule, from: now })) rules.push({ id, rule });
    }
    const [paused = 0] = await addTasks(em, { count: 1, rule: EVERY });
    expect(paused).toBeGreaterThan(0);
    for (const [from, to, first] of [
      [inHours(-1), inHours(2), 40],
      [inHours(0), inHours(24 * 40), 500],
      [inHours(5), inHours(6), 500],
      [inHours(100), inHours(24 * 60), 25],
      [inHours(1), inHours(1.5), 1],
    ] as const) {
      const expected = rules
        .flatMap(({ id, rule }) => {
          const after = new Date(Math.max(from.getTime() - 1, now.getTime()));
          return compileSchedule([rule], 'UTC')
            .slots(after, new Date(to.getTime() - 1), first)
            .map((at) => ({ at: at.getTime(), id }));
        })
        .sort((left, right) => left.at - right.at || left.id - right.id)
        .slice(0, first)
        .map(({ at, id }) => `${new Date(at).toISOString()} ${id}`);
      expect(await upcoming(from, to, first)).toEqual(expected);
    }
  });
});
