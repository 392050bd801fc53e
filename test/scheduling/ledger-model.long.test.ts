// For random rules, zones, policies, outages, edits and clocks that go back the ledger is what a plain model says.
import type { EntityManager } from '@mikro-orm/postgresql';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileSchedule, findRuleFault, type RepeatRule } from '../../src/calendar/schedule.ts';
import { Task } from '../../src/entities/index.ts';
import type { SkipReason } from '../../src/entities/run.ts';
import { readCoverage } from '../../src/ledger/coverage.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { computeFollowing, fireDue, lockAndSettle } from '../../src/scheduling/planner.ts';
import { switchSchedule } from '../../src/scheduling/schedule-change.ts';
import { ScheduleFaults } from '../../src/scheduling/schedule-faults.ts';
import { EVERY } from '../support/calendar-oracle.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { setClock } from '../support/database-clock.ts';
import { OWN_CLASSES } from '../support/engine.ts';
import { addTasks, rows } from '../support/races.ts';
import { TEMPLATE } from '../support/template.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const log = pino({ level: 'silent' });

let database: TestDatabase;
let em: EntityManager;
let jobs: Jobs;

beforeAll(async () => {
  database = await testDatabase(TEMPLATE, { hasClock: true });
  em = database.orm.em;
  jobs = new Jobs(database.url, log, false);
  await jobs.start();
});

afterAll(async () => {
  await jobs?.stop();
  await database?.close();
});

interface Policy {
  catchUp: 'LATEST' | 'ALL' | 'NONE';
  graceSeconds: number;
  maxAgeSeconds: number | null;
}

interface Case {
  rule: RepeatRule;
  timeZone: string;
  policy: Policy;
  from: number;
  steps: Step[];
}

interface Timetable {
  rule: RepeatRule;
  timeZone: string;
}

interface Step {
  /** How long nothing fires, in milliseconds; then something does. */
  pause: number;
  /** Whether the slot after the next one is known by then, as it is between two minutes. */
  foreseen: boolean;
  /** By how much the clock goes back afterwards, for something to fire once more before it is right again. */
  back: number | null;
  /** Instead of firing, somebody gives the task other rules or another zone. */
  change: Timetable | null;
}

const maybe = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: null, freq: 3 });
const rule = fc
  .record({
    hour: maybe(fc.integer({ min: 0, max: 23 })),
    minute: maybe(fc.integer({ min: 0, max: 59 })),
    dayOfWeek: fc.option(fc.integer({ min: 0, max: 6 }), { nil: null, freq: 1 }),
    dayOfMonth: fc.option(fc.integer({ min: 1, max: 31 }), { nil: null, freq: 1 }),
  })
  .map((fields) => ({ ...EVERY, ...fields }));
const timeZone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/Nuuk', 'Australia/Lord_Howe', 'Africa/Cairo');
const policy: fc.Arbitrary<Policy> = fc.record({
  catchUp: fc.constantFrom('LATEST', 'ALL', 'NONE'),
  graceSeconds: fc.constantFrom(1, 60, 61, 600, 86_400),
  maxAgeSeconds: fc.constantFrom(null, 0, 60, 3_600, 90_000),
});
/** Around the changes of the clock in spring and autumn, as well as anywhere in a year. */
const from = fc.oneof(
  fc.constantFrom(Date.UTC(2026, 2, 28, 20), Date.UTC(2026, 9, 24, 20), Date.UTC(2026, 3, 4, 10)),
  fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2025, 11, 31) }),
);
const outage = fc.oneof(
  fc.constantFrom(1, 1_000, MINUTE, MINUTE - 1, 2 * MINUTE),
  fc.integer({ min: 1, max: 3 * HOUR }),
  fc.integer({ min: HOUR, max: 40 * HOUR }),
);
const timetable: fc.Arbitrary<Timetable> = fc
  .record({ rule, timeZone })
  .filter((each) => findRuleFault(each.rule, each.timeZone) === null);
const step: fc.Arbitrary<Step> = fc.record({
  pause: outage,
  foreseen: fc.boolean(),
  back: fc.option(outage, { nil: null, freq: 1 }),
  change: fc.option(timetable, { nil: null, freq: 1 }),
});
const cases: fc.Arbitrary<Case> = fc
  .record({ timetable, policy, from, steps: fc.array(step, { minLength: 1, maxLength: 6 }) })
  .map(({ timetable: { rule, timeZone }, ...rest }) => ({ rule, timeZone, ...rest }));

/** What becomes of each slot, decided one by one. */
function model({ rule, timeZone, policy, from, steps }: Case): Map<number, 'QUEUED' | SkipReason> {
  const ledger = new Map<number, 'QUEUED' | SkipReason>();
  let schedule = compileSchedule([rule], timeZone);
  let last = from;
  for (const { pause, change } of steps) {
    const now = last + pause;
    const due = schedule.slots(new Date(last), new Date(now), 100_000).map((slot) => slot.getTime());
    const late = (slot: number) => (now - slot) / 1_000;
    const missed = due.filter((slot) => late(slot) >= policy.graceSeconds);
    const runnable = missed.filter((slot) => policy.maxAgeSeconds === null || late(slot) <= policy.maxAgeSeconds);
    for (const slot of due) {
      if (!missed.includes(slot)) ledger.set(slot, 'QUEUED');
      else if (!runnable.includes(slot)) ledger.set(slot, 'TOO_OLD');
      else if (policy.catchUp === 'ALL') ledger.set(slot, 'QUEUED');
      else if (policy.catchUp === 'LATEST' && slot === runnable.at(-1)) ledger.set(slot, 'QUEUED');
      else ledger.set(slot, 'MISSED');
    }
    if (change !== null) schedule = compileSchedule([change.rule], change.timeZone);
    last = now;
  }
  return ledger;
}

/** What the product made of the same, gaps taken apart into their slots. */
async function fire(each: Case): Promise<Map<number, 'QUEUED' | SkipReason>> {
  const { rule, timeZone, policy, from, steps } = each;
  await rows(em, 'truncate event, run, slot_gap, schedule_version, repeat_item, task restart identity cascade');
  await rows(em, 'delete from pgboss.job');
  await addTasks(em, { count: 1, rule, from: new Date(from), overlap: 'ALLOW', catchUp: policy.catchUp });
  const schedule = compileSchedule([rule], timeZone);
  await rows(
    em,
    'update task set time_zone = ?, misfire_grace_seconds = ?, catch_up_max_age_seconds = ?, next_run_at = ?::timestamptz',
    [timeZone, policy.graceSeconds, policy.maxAgeSeconds, schedule.next(new Date(from))?.toISOString() ?? null],
  );
  await rows(em, 'update schedule_version set time_zone = ?', [timeZone]);
  let now = from;
  const versions = [{ from, schedule }];
  for (const { pause, foreseen, back, change } of steps) {
    now += pause;
    if (foreseen) await computeFollowing(em.fork(), new ScheduleFaults(log));
    if (change === null) {
      await fireAt(now);
    } else {
      await changeAt(now, change);
      versions.push({ from: now, schedule: compileSchedule([change.rule], change.timeZone) });
    }
    if (back !== null) await fireAt(now - back);
  }
  const range = [new Date(from), new Date(now + 1)] as const;
  const coverage = await readCoverage(em, ...range, null);
  expect(coverage).toMatchObject({ unaccounted: 0 });
  return readLedger(versions);
}

async function fireAt(now: number): Promise<void> {
  const planner = { ownClasses: OWN_CLASSES, faults: new ScheduleFaults(log) };
  await setClock(database, new Date(now));
  while ((await fireDue(em, jobs, planner)) > 0);
  await setClock(database, null);
}

async function changeAt(now: number, { rule, timeZone }: Timetable): Promise<void> {
  await setClock(database, new Date(now));
  await em.fork().transactional(async (transaction) => {
    const at = await lockAndSettle(transaction, jobs, 1);
    const task = await transaction.findOneOrFail(Task, 1);
    await switchSchedule(transaction, task, { rules: [rule], timeZone, active: true }, at);
  });
  await setClock(database, null);
}

type Versions = { from: number; schedule: ReturnType<typeof compileSchedule> }[];

async function readLedger(versions: Versions): Promise<Map<number, 'QUEUED' | SkipReason>> {
  const ledger = new Map<number, 'QUEUED' | SkipReason>();
  const add = (slot: number, outcome: 'QUEUED' | SkipReason) => {
    expect(ledger.has(slot)).toBe(false);
    ledger.set(slot, outcome);
  };
  const runs = await rows<{ slot: string; outcome: 'QUEUED' | SkipReason }>(
    em,
    'select slot, coalesce(skip_reason, state) as outcome from run',
  );
  for (const { slot, outcome } of runs) add(new Date(slot).getTime(), outcome);
  const gaps = await rows<{ from_slot: string; to_slot: string; reason: SkipReason; count: number }>(
    em,
    'select from_slot, to_slot, reason, count from slot_gap',
  );
  for (const { from_slot, to_slot, reason, count } of gaps) {
    const [first, last] = [new Date(from_slot), new Date(to_slot)];
    const version = versions.findLast(({ from }) => from < first.getTime());
    const slots = version?.schedule.slots(new Date(first.getTime() - 1), last, 100_000) ?? [];
    expect(slots).toHaveLength(count);
    for (const slot of slots) add(slot.getTime(), reason);
  }
  return ledger;
}

const inOrder = (ledger: Map<number, string>) => [...ledger].sort(([left], [right]) => left - right);

test('the ledger is what the model says', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (each) => {
      expect(inOrder(await fire(each))).toEqual(inOrder(model(each)));
    }),
    { numRuns: 150 },
  );
});
