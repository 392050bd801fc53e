// The load of slots, the slots of each task and runs by slot: each slot once, past and to come, whatever happens meanwhile.
import type { EntityManager } from '@mikro-orm/postgresql';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { compileSchedule, findRuleFault, type RepeatRule } from '../../src/calendar/schedule.ts';
import { Vault } from '../../src/credentials/vault.ts';
import { Task } from '../../src/entities/index.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { computeFollowing, fireDue, lockAndSettle } from '../../src/scheduling/planner.ts';
import { switchSchedule } from '../../src/scheduling/schedule-change.ts';
import { ScheduleFaults } from '../../src/scheduling/schedule-faults.ts';
import { clientOf, MASTER_KEY, startTestApp, type TestApp } from '../support/app.ts';
import { EVERY } from '../support/calendar-oracle.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { setClock } from '../support/database-clock.ts';
import { type Engine, engineOf, OWN_CLASSES } from '../support/engine.ts';
import { addTasks, everyHourAt, rows } from '../support/races.ts';
import { TEMPLATE } from '../support/template.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const log = pino({ level: 'silent' });

let database: TestDatabase;
let app: TestApp;
let em: EntityManager;
let jobs: Jobs;
let engine: Engine;

beforeAll(async () => {
  database = await testDatabase(TEMPLATE, { hasClock: true });
  // No runner: the test says when what is due is fired.
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  em = database.orm.em;
  jobs = new Jobs(database.url, log, false);
  await jobs.start();
  engine = engineOf(jobs);
});

afterAll(async () => {
  await app?.stop();
  await jobs?.stop();
  await database?.close();
});

beforeEach(empty);

async function empty(): Promise<void> {
  await rows(em, 'truncate event, run, slot_gap, schedule_version, repeat_item, task restart identity cascade');
  await rows(em, 'delete from pgboss.job');
}

const idOf = (task: number) => Buffer.from(`Task:${task}`).toString('base64');
const inHours = (hours: number) => new Date(Math.floor(Date.now() / MINUTE) * MINUTE + hours * HOUR);

const STATES = ['succeeded', 'failed', 'cancelled', 'skipped', 'running', 'queued', 'planned'] as const;
type State = (typeof STATES)[number];
type Bucket = Record<State, number> & { at: string; busiest: { at: string; count: number } };

interface Load {
  now: string;
  from: string;
  plannedUntil: string;
  gapsLeftOut: number;
  buckets: Bucket[];
  busiest: { at: string; count: number }[];
  gaps: { task: { legacyId: number }; from: string; to: string; skipReason: string; count: number }[];
}

const LOAD = `query ($from: DateTime!, $to: DateTime!, $step: Int!, $task: ID) {
  slotLoad(from: $from, to: $to, stepMinutes: $step, task: $task) {
    now from plannedUntil gapsLeftOut
    buckets { at ${STATES.join(' ')} busiest { at count } }
    busiest { at count }
    gaps { task { legacyId } from to skipReason count }
  }
}`;

async function load(from: Date, to: Date, step: number, task?: number): Promise<Load> {
  const variables = { from, to, step, task: task === undefined ? null : idOf(task) };
  return (await app.query<{ slotLoad: Load }>(LOAD, variables)).slotLoad;
}

const sum = (buckets: readonly Bucket[], ...states: readonly State[]) =>
  buckets.reduce((total, bucket) => total + states.reduce((own, state) => own + bucket[state], 0), 0);

interface Slot {
  task: number;
  at: number;
  state: State;
}

interface Lanes {
  slotLanes: {
    edges: { cursor: string; node: { task: { legacyId: number }; slots: { at: string; state: string }[] } }[];
    pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; endCursor: string | null; startCursor: string | null };
  };
}

const LANES = `query ($from: DateTime!, $to: DateTime!, $first: Int, $after: String, $last: Int, $before: String) {
  slotLanes(from: $from, to: $to, first: $first, after: $after, last: $last, before: $before) {
    edges { cursor node { task { legacyId } slots { at state run { slot state } skipReason } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;

/** The slots of all pages, in order. */
async function lanes(from: Date, to: Date, size: number, backward = false): Promise<Slot[]> {
  const pages: Lanes['slotLanes']['edges'][] = [];
  for (let cursor: string | null = null; ; ) {
    const page: object = backward ? { last: size, before: cursor } : { first: size, after: cursor };
    const { slotLanes } = await app.query<Lanes>(LANES, { from, to, ...page });
    const { edges, pageInfo } = slotLanes;
    pages.push(edges);
    cursor = backward ? pageInfo.startCursor : pageInfo.endCursor;
    if (!(backward ? pageInfo.hasPreviousPage : pageInfo.hasNextPage)) break;
  }
  return (backward ? pages.reverse() : pages).flat().flatMap(({ node: { task, slots } }) =>
    slots.map(({ at, state }) => {
      return { task: task.legacyId, at: Date.parse(at), state: state.toLowerCase() as State };
    }),
  );
}

interface TaskCase {
  rule: RepeatRule;
  timeZone: string;
  /** When what is due is fired, in milliseconds after the one before. */
  firings: number[];
  foreseen: boolean;
  end: 'PAUSED' | 'CHANGED' | null;
}

interface Case {
  tasks: TaskCase[];
  begin: number;
  range: { after: number; minutes: number; step: number };
}

const maybe = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: null, freq: 3 });
const rule = fc
  .record({
    hour: maybe(fc.integer({ min: 0, max: 23 })),
    minute: fc.option(fc.integer({ min: 0, max: 59 }), { nil: null, freq: 2 }),
    dayOfWeek: fc.option(fc.integer({ min: 0, max: 6 }), { nil: null, freq: 1 }),
  })
  .map((fields) => ({ ...EVERY, ...fields }));
const taskCase: fc.Arbitrary<TaskCase> = fc
  .record({
    rule,
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'Africa/Cairo'),
    firings: fc.array(fc.oneof(fc.constant(MINUTE), fc.integer({ min: 1, max: 40 * HOUR })), { maxLength: 3 }),
    foreseen: fc.boolean(),
    end: fc.option(fc.constantFrom('PAUSED' as const, 'CHANGED' as const), { nil: null, freq: 3 }),
  })
  .filter((each) => findRuleFault(each.rule, each.timeZone) === null);
const cases: fc.Arbitrary<Case> = fc.record({
  tasks: fc.array(taskCase, { minLength: 1, maxLength: 3 }),
  // Around the changes of the clock, as well as on any day.
  begin: fc.constantFrom(
    Date.UTC(2026, 2, 28, 20),
    Date.UTC(2026, 9, 24, 20),
    Date.UTC(2026, 3, 4, 10),
    1_772_496_000_000,
  ),
  range: fc
    .record({
      after: fc.integer({ min: -600, max: 3_000 }),
      minutes: fc.oneof(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 5_000 })),
      step: fc.constantFrom(1, 7, 15, 60, 360),
    })
    .filter(({ minutes, step }) => minutes / step <= 750),
});

/** Every minute of twenty hours in which nothing was fired. */
const WITH_A_GAP: Case = {
  tasks: [{ rule: { ...EVERY, minute: null }, timeZone: 'UTC', firings: [20 * HOUR], foreseen: false, end: null }],
  begin: 1_772_496_000_000,
  range: { after: 0, minutes: 1_500, step: 60 },
};

async function fireAt(now: number): Promise<void> {
  const planner = { ownClasses: OWN_CLASSES, faults: new ScheduleFaults(log) };
  await setClock(database, new Date(now));
  while ((await fireDue(em, jobs, planner)) > 0);
  await setClock(database, null);
}

/** Makes the tasks and what became of their slots; every run that was fired comes into one state or another. */
async function arrange({ tasks, begin }: Case): Promise<void> {
  await empty();
  for (const { rule, timeZone, firings, foreseen, end } of tasks) {
    const [id] = await addTasks(em, { count: 1, rule, from: new Date(begin), overlap: 'ALLOW', catchUp: 'LATEST' });
    const next = compileSchedule([rule], timeZone).next(new Date(begin))?.toISOString() ?? null;
    await rows(em, 'update task set time_zone = ?, next_run_at = ?::timestamptz where id = ?', [timeZone, next, id]);
    await rows(em, 'update schedule_version set time_zone = ? where task_id = ?', [timeZone, id]);
    let now = begin;
    for (const pause of firings) {
      now += pause;
      await fireAt(now);
    }
    if (end !== null) {
      await setClock(database, new Date(now));
      await em.fork().transactional(async (transaction) => {
        const at = await lockAndSettle(transaction, jobs, id ?? 0);
        const rules = end === 'CHANGED' ? [everyHourAt(13)] : [rule];
        const task = await transaction.findOneOrFail(Task, id ?? 0);
        task.active = end === 'CHANGED';
        await switchSchedule(transaction, task, { rules, timeZone, active: end === 'CHANGED' }, at);
      });
      await setClock(database, null);
    }
    if (foreseen) await computeFollowing(em.fork(), new ScheduleFaults(log));
  }
  await rows(
    em,
    `update run set job_id = null, finished_at = now(), state = (array['SUCCEEDED', 'FAILED', 'CANCELLED'])[1 + id % 3]
     where state = 'QUEUED' and id % 5 < 3`,
  );
  await rows(em, `update run set state = 'RUNNING', started_at = now() where state = 'QUEUED' and id % 5 = 3`);
}

/** Slot by slot, from the rows themselves. */
async function model(from: Date, to: Date): Promise<Slot[]> {
  const slots: Slot[] = [];
  const add = (task: number, at: number, state: string) => {
    if (at >= from.getTime() && at < to.getTime()) slots.push({ task, at, state: state.toLowerCase() as State });
  };
  for (const { task_id, slot, state } of await rows<{ task_id: number; slot: string; state: string }>(
    em,
    `select task_id, slot, state from run where trigger = 'SCHEDULE'`,
  )) {
    add(task_id, new Date(slot).getTime(), state);
  }
  const versions = await rows<{ task_id: number; rules: RepeatRule[]; time_zone: string; valid_from: string }>(
    em,
    'select task_id, rules, time_zone, valid_from from schedule_version order by valid_from',
  );
  const scheduleAt = (task: number, at: Date) => {
    const version = versions.findLast(({ task_id, valid_from }) => task_id === task && new Date(valid_from) < at);
    return compileSchedule(version?.rules ?? [], version?.time_zone ?? 'UTC');
  };
  for (const gap of await rows<{ task_id: number; from_slot: string; to_slot: string }>(em, 'select * from slot_gap')) {
    const [first, last] = [new Date(gap.from_slot), new Date(gap.to_slot)];
    const skipped = scheduleAt(gap.task_id, first).slots(new Date(first.getTime() - 1), last, 100_000);
    for (const at of skipped) add(gap.task_id, at.getTime(), 'SKIPPED');
  }
  for (const { id, next_run_at } of await rows<{ id: number; next_run_at: string }>(
    em,
    'select id, next_run_at from task where next_run_at is not null',
  )) {
    const next = new Date(next_run_at);
    const planned = scheduleAt(id, new Date(8.64e15)).slots(new Date(next.getTime() - 1), to, 100_000);
    for (const at of planned) add(id, at.getTime(), 'PLANNED');
  }
  return slots.sort((left, right) => left.task - right.task || left.at - right.at);
}

function inSteps(slots: readonly Slot[], from: number, step: number): Bucket[] {
  const grouped = Map.groupBy(slots, ({ at }) => from + Math.floor((at - from) / (step * MINUTE)) * step * MINUTE);
  return [...grouped]
    .sort(([left], [right]) => left - right)
    .map(([at, own]) => {
      const counts = STATES.map((state) => [state, own.filter((slot) => slot.state === state).length]);
      const [busiest = { at: '', count: 0 }] = busiestOf(own);
      return { at: new Date(at).toISOString(), ...Object.fromEntries(counts), busiest };
    });
}

function busiestOf(slots: readonly Slot[]) {
  return [...Map.groupBy(slots, ({ at }) => at)]
    .map(([at, own]) => ({ at: new Date(at).toISOString(), count: own.length }))
    .sort((left, right) => right.count - left.count || left.at.localeCompare(right.at))
    .slice(0, 10);
}

describe('slotLoad and slotLanes', () => {
  test('tell of each slot once, as a plain list of all slots does and as coverage counts them', async () => {
    let gaps = 0;
    await fc.assert(
      fc.asyncProperty(cases, async (each) => {
        await arrange(each);
        const from = new Date(each.begin + each.range.after * MINUTE);
        const to = new Date(from.getTime() + each.range.minutes * MINUTE);
        const slots = await model(from, to);
        const found = await load(from, to, each.range.step);
        expect(found.buckets).toEqual(inSteps(slots, from.getTime(), each.range.step));
        expect(found.busiest).toEqual(busiestOf(slots));
        expect(found).toMatchObject({ from: from.toISOString(), plannedUntil: to.toISOString(), gapsLeftOut: 0 });
        gaps += found.gaps.length;
        const { coverage } = await app.query<{ coverage: Record<string, number> }>(
          `query ($from: DateTime!, $to: DateTime!) { coverage(from: $from, to: $to) { ran skipped pending unaccounted } }`,
          { from, to },
        );
        expect(coverage).toEqual({
          ran: sum(found.buckets, 'succeeded', 'failed', 'cancelled'),
          skipped: sum(found.buckets, 'skipped'),
          pending: sum(found.buckets, 'planned', 'queued', 'running'),
          unaccounted: 0,
        });
        const ofOne = await load(from, to, each.range.step, 1);
        const own = slots.filter(({ task }) => task === 1);
        expect(ofOne.buckets).toEqual(inSteps(own, from.getTime(), each.range.step));
        if (each.range.minutes > 400) return;
        expect(await lanes(from, to, 1)).toEqual(slots);
        expect(await lanes(from, to, 2, true)).toEqual(slots);
      }),
      { numRuns: 20, examples: [[WITH_A_GAP]] },
    );
    expect(gaps).toBeGreaterThan(0);
  });

  test('count every slot once while tasks fire', async () => {
    const [from, to] = [inHours(-30), inHours(3)];
    const rule = everyHourAt((new Date().getUTCMinutes() + 30) % 60);
    await addTasks(em, { count: 300, rule, from, catchUp: 'ALL', overlap: 'ALLOW' });
    const totals = new Set<number>();
    const recorded = new Set<number>();
    const planner = { ownClasses: OWN_CLASSES, faults: new ScheduleFaults(log) };
    for (let fired = 1; fired > 0; ) {
      const [{ buckets }, count] = await Promise.all([load(from, to, 60), fireDue(em, jobs, planner, { limit: 20 })]);
      totals.add(sum(buckets, ...STATES));
      recorded.add(sum(buckets, 'queued'));
      fired = count;
    }
    expect([...totals]).toEqual([300 * 33]);
    expect(recorded.size).toBeGreaterThan(1);
    expect(sum((await load(from, to, 60)).buckets, 'queued')).toBe(300 * 30);
  });

  test('tell up to when they are whole where tasks have too many schedules', async () => {
    const tasks = 7 * 24 * 60;
    const monday = new Date(Date.UTC(2026, 10, 30));
    await addTasks(em, { count: tasks });
    // One task for each minute of the week, from a Monday on.
    await rows(
      em,
      `update task set next_run_at = ?::timestamptz + make_interval(mins => id - 1),
         following_of = ?::timestamptz + make_interval(mins => id - 1),
         following_run_at = ?::timestamptz + make_interval(days => 7, mins => id - 1)`,
      [monday.toISOString(), monday.toISOString(), monday.toISOString()],
    );
    await rows(
      em,
      `update schedule_version set rules = jsonb_build_array(?::jsonb || jsonb_build_object(
         'dayOfWeek', (1 + (task_id - 1) / 1440) % 7, 'hour', (task_id - 1) / 60 % 24, 'minute', (task_id - 1) % 60))`,
      [JSON.stringify(EVERY)],
    );
    const in28Days = new Date(monday.getTime() + 28 * DAY);
    const found = await load(monday, in28Days, 60);
    const leftOut = tasks - 10_000;
    const wholeUntil = monday.getTime() + 7 * DAY + (tasks - leftOut + 1) * MINUTE;
    expect(found.plannedUntil).toBe(new Date(wholeUntil).toISOString());
    const whole = found.buckets.filter(({ at }) => Date.parse(at) + HOUR <= wholeUntil);
    expect(whole.length).toBeGreaterThan(300);
    expect(whole.every(({ planned }) => planned === 60)).toBe(true);
    expect(sum(found.buckets, 'planned')).toBe(4 * tasks - 2 * leftOut);
    // Within a week each task has one slot, for which no schedule is looked at.
    const week = await load(monday, new Date(monday.getTime() + 7 * DAY), 60);
    expect(week.plannedUntil).toBe(new Date(monday.getTime() + 7 * DAY).toISOString());
    expect(sum(week.buckets, 'planned')).toBe(tasks);

    const last = (minutes: number) => new Date(in28Days.getTime() - minutes * MINUTE);
    await rows(em, 'update task set next_run_at = null where id > 10000');
    expect(await lanes(last(tasks), last(tasks - 1), 5)).toMatchObject([{ task: 1 }]);
    await rows(em, 'update task set next_run_at = following_of');
    const { errors } = await app.post(LANES, { from: last(1), to: last(0), first: 5 });
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field: 'from' } }]);
  });

  test('keep within what retention has left, and what was deleted or asked for by hand', async () => {
    const [from, to] = [inHours(-5), inHours(1)];
    const rule = everyHourAt(0);
    await addTasks(em, { count: 2, rule, from, catchUp: 'ALL', overlap: 'ALLOW' });
    await engine.fireAll(em);
    await app.query('mutation { deleteTask(input: { task: { legacyId: 2 } }) { task { id } } }');
    await engine.request(em, 1);
    expect(sum((await load(from, to, 60)).buckets, 'queued', 'cancelled')).toBe(10);
    await rows(em, 'update retention set ledger_from = ?::timestamptz', [inHours(-2).toISOString()]);
    try {
      const found = await load(from, to, 60);
      const { coverage } = await app.query<{ coverage: { expected: number; from: string } }>(
        'query ($from: DateTime!, $to: DateTime!) { coverage(from: $from, to: $to) { expected from } }',
        { from, to },
      );
      expect(found.from).toBe(coverage.from);
      expect(sum(found.buckets, ...STATES)).toBe(coverage.expected);
      expect(await lanes(from, to, 10)).toHaveLength(coverage.expected);
    } finally {
      await rows(em, 'update retention set ledger_from = null');
    }
  });

  test('list the gaps of the range, for every user who may read', async () => {
    const [id] = await addTasks(em, { count: 1, rule: EVERY, from: inHours(-10) });
    await engine.fireAll(em);
    const key = { key: 'reader-key', secret: 'reader-secret' };
    await rows(em, `insert into app_user (id, name, role) values (1001, 'reader', 'VIEWER')`);
    await rows(em, `insert into api_key (key, sealed_secret, user_id) values (?, ?, 1001)`, [
      key.key,
      new Vault(MASTER_KEY).seal(key.secret),
    ]);
    const reader = clientOf(app.address, async () => undefined, key);
    const variables = { from: inHours(-6), to: inHours(-5), step: 1, task: null };
    const { slotLoad } = await reader.query<{ slotLoad: Load }>(LOAD, variables);
    expect(slotLoad.gaps).toMatchObject([{ task: { legacyId: id }, skipReason: 'MISSED' }]);
    expect(slotLoad.gaps[0]?.count).toBeGreaterThan(590);
    expect(slotLoad.buckets).toHaveLength(60);
    expect(sum(slotLoad.buckets, 'skipped')).toBe(60);
    expect((await load(inHours(-20), inHours(-11), 1)).gaps).toEqual([]);
  });

  const at = '2026-01-01T00:00:00Z';
  test.each([
    [
      'an end before the beginning',
      { from: at, to: '2025-12-31T00:00:00Z', step: 1 },
      'to',
      'must be after from (2026-01-01T00:00:00.000Z)',
    ],
    [
      'a beginning within a minute',
      { from: '2026-01-01T00:00:01Z', to: '2026-01-02T00:00:00Z', step: 5 },
      'from',
      'whole',
    ],
    ['an end within a minute', { from: at, to: '2026-01-02T00:00:00.001Z', step: 5 }, 'to', 'whole minute'],
    ['33 days', { from: at, to: '2026-02-03T00:00:00Z', step: 1_440 }, 'to', '32 days'],
    ['751 steps', { from: at, to: '2026-01-01T12:31:00Z', step: 1 }, 'stepMinutes', '750'],
    ['no step', { from: at, to: '2026-01-01T00:01:00Z', step: 0 }, 'stepMinutes', '1 to 1440'],
    ['too long a step', { from: at, to: '2026-01-01T00:01:00Z', step: 1_441 }, 'stepMinutes', '1 to 1440'],
    ['an id of nothing', { from: at, to: '2026-01-01T00:01:00Z', step: 1, task: 'zz' }, 'task', 'zz'],
  ])('refuse a load with %s', async (_what, variables, field, named) => {
    const { errors } = await app.post(LOAD, variables);
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field } }]);
    expect(errors?.[0]?.message).toContain(named);
  });

  test.each([
    [
      'an end before the beginning',
      { from: at, to: '2025-12-31T00:00:00Z' },
      'to',
      'must be after from (2026-01-01T00:00:00.000Z)',
    ],
    ['401 minutes', { from: at, to: '2026-01-01T06:41:00Z' }, 'to', '400'],
    ['a page of 501', { from: at, to: '2026-01-01T00:01:00Z', first: 501 }, 'first', '500'],
    ['a cursor of nothing', { from: at, to: '2026-01-01T00:01:00Z', after: 'zz' }, 'after', 'cursor'],
  ])('refuse lanes of %s', async (_what, variables, field, named) => {
    const { errors } = await app.post(LANES, variables);
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field } }]);
    expect(errors?.[0]?.message).toContain(named);
  });
});

test('runs are paged by their slots, from either end, those without one last', async () => {
  await addTasks(em, { count: 3, rule: everyHourAt(0), from: inHours(-8), catchUp: 'ALL', overlap: 'ALLOW' });
  await engine.fireAll(em);
  await engine.request(em, 1);
  await rows(em, `update run set slot = slot - interval '1 day' where id % 3 = 0 and slot is not null`);
  interface Runs {
    edges: { node: { id: string } }[];
    pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string; endCursor: string };
  }
  const fields = 'edges { node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }';
  const args = '(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy)';
  const query = `query ($first: Int, $after: String, $last: Int, $before: String, $filter: RunFilter, $orderBy: RunOrder) {
    runs${args} { ${fields} } task(by: { legacyId: 1 }) { runs${args} { ${fields} } } }`;
  for (const direction of ['ASC', 'DESC']) {
    for (const [filter, where] of [
      [null, 'true'],
      [
        { slotFrom: inHours(-30), slotTo: inHours(-2) },
        `slot >= '${inHours(-30).toISOString()}' and slot < '${inHours(-2).toISOString()}'`,
      ],
    ] as const) {
      for (const only of [false, true]) {
        const expected = await rows<{ id: number }>(
          em,
          `select id from run where ${where} ${only ? 'and task_id = 1' : ''}
           order by slot ${direction} nulls last, id ${direction}`,
        );
        for (const backward of [false, true]) {
          const pages: string[][] = [];
          for (let cursor: string | null = null; ; ) {
            const page: object = backward ? { last: 4, before: cursor } : { first: 4, after: cursor };
            const variables = { ...page, filter, orderBy: { field: 'SLOT', direction } };
            const data = await app.query<{ runs: Runs; task: { runs: Runs } }>(query, variables);
            const { edges, pageInfo } = only ? data.task.runs : data.runs;
            pages.push(edges.map(({ node }) => Buffer.from(node.id, 'base64').toString().slice(4)));
            if (!(backward ? pageInfo.hasPreviousPage : pageInfo.hasNextPage)) break;
            cursor = backward ? pageInfo.startCursor : pageInfo.endCursor;
          }
          expect((backward ? pages.reverse() : pages).flat()).toEqual(expected.map(({ id }) => String(id)));
        }
      }
    }
  }
});
