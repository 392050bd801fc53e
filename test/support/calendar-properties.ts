// The calendar's properties, shared by the fast and the long tests.
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { findExclusion } from '../../src/calendar/rule-exclusion.ts';
import { compileSchedule, findRuleFault, type RepeatRule } from '../../src/calendar/schedule.ts';
import { changesOf, EVERY, matchesDate, slotsOf, wallAt } from './calendar-oracle.ts';

const MINUTE = 60_000;
const MS_PER_DAY = 86_400_000;
const DAY = 1440;

export const ZONES = [
  'UTC',
  'Africa/Cairo',
  'Africa/Casablanca',
  'America/Havana',
  'America/New_York',
  'America/Nuuk',
  'America/Santiago',
  'America/Sao_Paulo',
  'America/Scoresbysund',
  'America/St_Johns',
  'Antarctica/Troll',
  'Asia/Beirut',
  'Asia/Kathmandu',
  'Asia/Pyongyang',
  'Asia/Tehran',
  'Australia/Lord_Howe',
  'Europe/Berlin',
  'Europe/Dublin',
  'Pacific/Apia',
  'Pacific/Kwajalein',
];

interface Case {
  timeZone: string;
  rules: RepeatRule[];
  /** milliseconds, not always a whole minute */
  after: number;
  until: number;
}

const anyMinute = fc.integer({ min: Date.UTC(1990, 0, 1) / MINUTE, max: Date.UTC(2039, 11, 31) / MINUTE });

/** Mostly near a change of the zone's clock. */
function startsIn(timeZone: string): fc.Arbitrary<number> {
  const changes = changesOf(timeZone);
  if (changes.length === 0) return anyMinute;
  const near = fc.tuple(fc.constantFrom(...changes), fc.integer({ min: -DAY, max: 2 * DAY }));
  return fc.oneof(
    { weight: 4, arbitrary: near.map(([change, shift]) => change + shift) },
    { weight: 1, arbitrary: anyMinute },
  );
}

function dateText(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** Rules that are due near a wall date, so that most cases have slots; but the field of another date now and then. */
function rulesNear(date: Date): fc.Arbitrary<RepeatRule> {
  const near = (days: number) => new Date(date.getTime() + days * MS_PER_DAY);
  const around = fc.integer({ min: -2, max: 3 }).map(near);
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 2, nil: null });
  const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
  return fc
    .record({
      start: maybe(fc.oneof(around, fc.integer({ min: -5000, max: 0 }).map(near)).map(dateText)),
      end: rarely(around.map(dateText)),
      intervalDays: rarely(fc.integer({ min: 1, max: 4 })),
      year: rarely(around.map((day) => day.getUTCFullYear())),
      month: rarely(around.map((day) => day.getUTCMonth() + 1)),
      dayOfMonth: rarely(around.map((day) => day.getUTCDate())),
      weekOfMonth: rarely(around.map((day) => Math.ceil(day.getUTCDate() / 7))),
      dayOfWeek: rarely(around.map((day) => day.getUTCDay())),
      hour: fc.oneof(fc.constantFrom(null, 0, 1, 2, 3, 22, 23), fc.integer({ min: 0, max: 23 })),
      minute: fc.oneof(fc.constantFrom(null, 0, 1, 15, 30, 45, 59), fc.integer({ min: 0, max: 59 })),
    })
    .map((rule) => (rule.start === null ? { ...rule, intervalDays: null } : rule));
}

const cases: fc.Arbitrary<Case> = fc
  .constantFrom(...ZONES)
  .chain((timeZone) => fc.tuple(fc.constant(timeZone), startsIn(timeZone)))
  .chain(([timeZone, start]) =>
    fc.record({
      timeZone: fc.constant(timeZone),
      rules: fc.array(rulesNear(new Date(wallAt(timeZone, start) * MINUTE)), { minLength: 1, maxLength: 4 }),
      after: fc.integer({ min: 0, max: MINUTE - 1 }).map((ms) => start * MINUTE + (ms % 3 === 0 ? 0 : ms)),
      until: fc.integer({ min: 1, max: 3 * DAY * MINUTE }).map((ms) => start * MINUTE + ms),
    }),
  );

function expectFirstSlot(rules: RepeatRule[], timeZone: string, slot: Date, after: number): void {
  expect(slot.getTime()).toBeGreaterThan(after);
  const minute = slot.getTime() / MINUTE;
  const dayBefore = Math.max(minute - DAY, Math.floor(after / MINUTE));
  expect(slotsOf(rules, timeZone, dayBefore, minute).map((found) => found.minute)).toEqual([minute]);
}

/** next, slots, last, count and dstNote agree with the oracle over windows of up to three days. */
export function checkAgainstOracle(numRuns: number): void {
  fc.assert(
    fc.property(cases, fc.integer({ min: 1, max: 5 }), ({ timeZone, rules, after, until }, few) => {
      const expected = slotsOf(rules, timeZone, Math.floor(after / MINUTE), Math.floor(until / MINUTE));
      const dates = expected.map((slot) => new Date(slot.minute * MINUTE));
      const schedule = compileSchedule(rules, timeZone);
      const [from, to] = [new Date(after), new Date(until)];
      expect(schedule.slots(from, to, 10_000)).toEqual(dates);
      expect(schedule.slots(from, to, few)).toEqual(dates.slice(0, few));
      expect(schedule.count(from, to, 10_000)).toBe(dates.length);
      expect(schedule.count(from, to, few)).toBe(Math.min(few, dates.length));
      expect(schedule.last(from, to)).toEqual(dates.at(-1) ?? null);
      const next = schedule.next(from);
      if (dates.length > 0) expect(next).toEqual(dates[0]);
      else if (next !== null) expectFirstSlot(rules, timeZone, next, until);
      expect(dates.slice(0, 300).map((date) => schedule.dstNote(date))).toEqual(
        expected.slice(0, 300).map((slot) => slot.note),
      );
    }),
    { numRuns },
  );
}

const freeRules: fc.Arbitrary<RepeatRule> = fc
  .record({
    start: fc.option(
      fc.integer({ min: 7_305, max: 25_567 }).map((day) => dateText(new Date(day * MS_PER_DAY))),
      { nil: null },
    ),
    days: fc.option(fc.integer({ min: 0, max: 3000 }), { nil: null }),
    year: fc.option(fc.integer({ min: 1990, max: 2040 }), { nil: null, freq: 1 }),
    month: fc.option(fc.oneof(fc.constant(2), fc.integer({ min: 1, max: 12 })), { nil: null }),
    dayOfMonth: fc.option(fc.oneof(fc.constantFrom(29, 30, 31), fc.integer({ min: 1, max: 31 })), { nil: null }),
    weekOfMonth: fc.option(fc.integer({ min: 1, max: 5 }), { nil: null }),
    dayOfWeek: fc.option(fc.integer({ min: 0, max: 6 }), { nil: null }),
    intervalDays: fc.oneof(
      { weight: 9, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 900 }) },
    ),
    hour: fc.constantFrom(12, null),
  })
  .map(({ days, start, intervalDays, ...fields }) => ({
    ...EVERY,
    ...fields,
    start,
    end: start === null || days === null ? null : dateText(new Date(Date.parse(start) + days * MS_PER_DAY)),
    intervalDays: start === null ? null : intervalDays,
    minute: 0,
  }));

/** The first date of the rule after `day` (1) or before it (-1), within 401 years; none lies outside its start and end. */
function searchDate(rule: RepeatRule, day: number, step: 1 | -1): Date | null {
  const first = rule.start === null ? day - SEARCHED_DAYS : Math.max(dayOf(rule.start), day - SEARCHED_DAYS);
  const last = rule.end === null ? day + SEARCHED_DAYS : Math.min(dayOf(rule.end), day + SEARCHED_DAYS);
  const begin = step === 1 ? Math.max(first, day + 1) : Math.min(last, day - 1);
  for (let each = begin; each >= first && each <= last; each += step) {
    const date = new Date(each * MS_PER_DAY);
    if (matchesDate(rule, date)) return date;
  }
  return null;
}

const SEARCHED_DAYS = 146_500;

function dayOf(date: string): number {
  return Date.parse(date) / MS_PER_DAY;
}

/** next and last agree with a search date by date, however far the next date is. */
export function checkFarDates(numRuns: number): void {
  fc.assert(
    fc.property(freeRules, fc.integer({ min: 7000, max: 30_000 }), (rule, day) => {
      const schedule = compileSchedule([rule], 'UTC');
      const atHour = (date: Date | null, hour: number) => date && new Date(date.getTime() + hour * 60 * MINUTE);
      const endOfDay = new Date((day + 1) * MS_PER_DAY - 1);
      expect(schedule.next(endOfDay)).toEqual(atHour(searchDate(rule, day, 1), rule.hour ?? 0));
      const [before, startOfDay] = [new Date((day - 146_500) * MS_PER_DAY), new Date(day * MS_PER_DAY - 1)];
      expect(schedule.last(before, startOfDay)).toEqual(atHour(searchDate(rule, day, -1), rule.hour ?? 23));
    }),
    { numRuns },
  );
}

/** A rule is refused as never due exactly when no date of 400 years, or from start to end, has it. */
export function checkNeverDue(numRuns: number): void {
  fc.assert(
    fc.property(freeRules, (rule) => {
      const first = Date.parse(rule.start ?? '1990-01-01') / MS_PER_DAY;
      const isDue = searchDate(rule, first - 1, 1) !== null;
      expect(findRuleFault(rule, 'UTC') === null).toBe(isDue);
    }),
    { numRuns },
  );
}

/** An interval of one day is the daily rule with the same start. */
export function checkDailyInterval(numRuns: number): void {
  fc.assert(
    fc.property(cases, ({ timeZone, rules, after }) => {
      const start = dateText(new Date(after - 3 * MS_PER_DAY));
      const plain = rules.map(({ hour, minute, end }) => ({ ...EVERY, start, end, hour, minute }));
      const interval = plain.map((rule) => ({ ...rule, intervalDays: 1 }));
      const slots = compileSchedule(interval, timeZone).slots(new Date(after), null, 100);
      expect(slots).toEqual(compileSchedule(plain, timeZone).slots(new Date(after), null, 100));
    }),
    { numRuns },
  );
}

/** A rule that is not due names a field that does not fit; once each such field fits, it is due or was at the first showing. */
export function checkExclusions(numRuns: number): void {
  fc.assert(
    fc.property(cases, fc.integer({ min: 0, max: 2 * DAY }), ({ timeZone, rules, after }, minutes) => {
      const at = new Date((Math.floor(after / MINUTE) + minutes) * MINUTE);
      for (const rule of rules) {
        const isDue = compileSchedule([rule], timeZone).last(new Date(at.getTime() - 1), at) !== null;
        expect(findExclusion(rule, timeZone, at) === null).toBe(isDue);
        let relaxed = rule;
        for (let exclusion = findExclusion(rule, timeZone, at); exclusion?.field; ) {
          expect(relaxed[exclusion.field]).not.toBeNull();
          // An interval counts from the start.
          const interval = exclusion.field === 'start' ? { intervalDays: null } : {};
          relaxed = { ...relaxed, ...interval, [exclusion.field]: null };
          exclusion = findExclusion(relaxed, timeZone, at);
        }
      }
    }),
    { numRuns },
  );
}
