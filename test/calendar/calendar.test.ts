import { describe, expect, test } from 'vitest';
import { findExclusion } from '../../src/calendar/rule-exclusion.ts';
import { compileSchedule, findRuleFault, isTimeZone, type RepeatRule } from '../../src/calendar/schedule.ts';
import { EVERY } from '../support/calendar-oracle.ts';
import {
  checkAgainstOracle,
  checkDailyInterval,
  checkExclusions,
  checkFarDates,
  checkNeverDue,
} from '../support/calendar-properties.ts';

type Differing = Partial<RepeatRule>;

function schedule(timeZone: string, ...rules: Differing[]) {
  return compileSchedule(
    rules.map((rule) => ({ ...EVERY, ...rule })),
    timeZone,
  );
}

/** The next slots as UTC text to the minute. */
function slots(timeZone: string, after: string, limit: number, ...rules: Differing[]): string[] {
  return schedule(timeZone, ...rules)
    .slots(new Date(after), null, limit)
    .map((slot) => slot.toISOString().slice(0, 16));
}

function note(timeZone: string, slot: string, ...rules: Differing[]) {
  return schedule(timeZone, ...rules).dstNote(new Date(slot));
}

function fault(rule: Differing, timeZone = 'UTC') {
  return findRuleFault({ ...EVERY, ...rule }, timeZone);
}

describe('slots', () => {
  test('Thursday to Sunday at 20:00, as four rules, come in order', () => {
    const rules = [4, 5, 6, 0].map((dayOfWeek) => ({ start: '2015-05-06', dayOfWeek, hour: 20, minute: 0 }));
    expect(slots('UTC', '2015-05-01T00:00Z', 5, ...rules)).toEqual([
      '2015-05-07T20:00',
      '2015-05-08T20:00',
      '2015-05-09T20:00',
      '2015-05-10T20:00',
      '2015-05-14T20:00',
    ]);
  });

  test('a slot is strictly after the first bound and may be at the second', () => {
    const hourly = schedule('UTC', { minute: 0 });
    const [one, three] = [new Date('2024-05-01T01:00Z'), new Date('2024-05-01T03:00Z')];
    expect(hourly.slots(one, three, 10)).toEqual([new Date('2024-05-01T02:00Z'), three]);
    expect(hourly.count(one, three, 10)).toBe(2);
    expect(hourly.last(one, three)).toEqual(three);
    expect(hourly.last(one, new Date('2024-05-01T01:59:59.999Z'))).toBeNull();
    expect(hourly.next(new Date('2024-05-01T00:59:59.999Z'))).toEqual(one);
  });

  test('two rules due at once are one slot', () => {
    const rules = [{ hour: 9, minute: 0 }, { minute: 0 }, { hour: 9, minute: 0 }];
    expect(slots('UTC', '2024-05-01T08:30Z', 2, ...rules)).toEqual(['2024-05-01T09:00', '2024-05-01T10:00']);
  });

  test('start and end are inclusive dates on the task’s own clock', () => {
    const rule = { start: '2024-05-01', end: '2024-05-02', hour: 0, minute: 30 };
    expect(slots('Asia/Kathmandu', '2024-01-01T00:00Z', 9, rule)).toEqual(['2024-04-30T18:45', '2024-05-01T18:45']);
  });

  test('no rule has no slot, and a limit or cap of none finds none', () => {
    expect(slots('UTC', '2024-01-01T00:00Z', 9)).toEqual([]);
    expect(slots('UTC', '2024-01-01T00:00Z', 0, {})).toEqual([]);
    expect(schedule('UTC', {}).count(new Date(0), new Date(1e9), 0)).toBe(0);
  });

  test('an ended rule, and a 29 February on a Monday after the last, answer null', () => {
    expect(schedule('UTC', { end: '2016-01-01' }).next(new Date('2024-01-01T00:00Z'))).toBeNull();
    const leapMonday = { month: 2, dayOfMonth: 29, dayOfWeek: 1, hour: 0, minute: 0 };
    expect(slots('UTC', '2016-03-01T00:00Z', 1, leapMonday)).toEqual(['2044-02-29T00:00']);
    expect(slots('UTC', '9990-01-01T00:00Z', 1, leapMonday)).toEqual([]);
  });

  test('years beyond 3000 have slots, up to the end of 9999 and not beyond', () => {
    const monday = { dayOfWeek: 1, hour: 0, minute: 0 };
    expect(slots('UTC', '3500-01-01T00:00Z', 1, monday)).toEqual(['3500-01-08T00:00']);
    expect(slots('UTC', '9999-12-31T23:58Z', 5, {})).toEqual(['9999-12-31T23:59']);
    expect(slots('UTC', '+275760-09-13T00:00:00Z', 5, {})).toEqual([]);
    expect(slots('UTC', '-000001-01-01T00:00:00Z', 1, {})).toEqual(['1000-01-01T00:00']);
  });

  test('no slot lies in the year 10000 of UTC, whose instants cannot be read, in any time zone', () => {
    const [before, after] = [new Date('9999-12-01T00:00Z'), new Date('+010000-01-03T00:00Z')];
    const hourly = schedule('America/New_York', { start: '9999-12-31', minute: 59 });
    const daily = schedule('America/New_York', { year: 9999, hour: 23, minute: 59 });
    const last = new Date('9999-12-31T23:59Z');
    expect(slots('America/New_York', '9999-12-31T22:00Z', 9, { minute: 59 })).toEqual([
      '9999-12-31T22:59',
      '9999-12-31T23:59',
    ]);
    expect([hourly.last(before, after), hourly.count(before, after, 100), hourly.next(last)]).toEqual([last, 19, null]);
    // That of New Year's Eve would be at five in the morning.
    expect(daily.last(before, after)).toEqual(new Date('9999-12-31T04:59Z'));
    expect(daily.next(new Date('9999-12-31T04:59Z'))).toBeNull();
    expect(daily.dstNote(new Date('+010000-01-01T04:59Z'))).toBeNull();
  });

  test('an invalid Date is refused', () => {
    expect(() => schedule('UTC', {}).next(new Date('soon'))).toThrow(RangeError);
  });

  test('ten years of minutes have a last one at once, and are counted no further than the cap', () => {
    const [start, end] = [new Date('2016-01-01T00:00Z'), new Date('2026-01-01T00:00Z')];
    // Walked through one by one they would take longer than a test may.
    expect(schedule('Europe/Berlin', {}).last(start, end)).toEqual(end);
    expect(schedule('Europe/Berlin', {}).count(start, end, 100_000)).toBe(100_000);
  });
});

describe('weeks and intervals', () => {
  test('week 5 with a weekday is only in months that have five of them', () => {
    const rule = { weekOfMonth: 5, dayOfWeek: 1, hour: 9, minute: 0 };
    expect(slots('UTC', '2024-01-01T00:00Z', 3, rule)).toEqual([
      '2024-01-29T09:00',
      '2024-04-29T09:00',
      '2024-07-29T09:00',
    ]);
  });

  test('week 2 with a weekday is the second such weekday', () => {
    const rule = { weekOfMonth: 2, dayOfWeek: 2, hour: 9, minute: 0 };
    expect(slots('UTC', '2024-09-30T00:00Z', 2, rule)).toEqual(['2024-10-08T09:00', '2024-11-12T09:00']);
  });

  test('week n alone is days 7n-6 to 7n', () => {
    const days = (weekOfMonth: number) =>
      slots('UTC', '2024-01-31T12:00Z', 7, { month: 2, year: 2024, weekOfMonth, hour: 9, minute: 0 }).map((slot) =>
        Number(slot.slice(8, 10)),
      );
    expect(days(1)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(days(4)).toEqual([22, 23, 24, 25, 26, 27, 28]);
    expect(days(5)).toEqual([29]);
  });

  test('day of month, week and weekday must all hold', () => {
    const rule = { dayOfMonth: 13, weekOfMonth: 2, dayOfWeek: 5, hour: 9, minute: 0 };
    expect(slots('UTC', '2024-01-01T00:00Z', 2, rule)).toEqual(['2024-09-13T09:00', '2024-12-13T09:00']);
  });

  test('every third day keeps its wall time over a change of the clock and looks at no other field', () => {
    const rule = { start: '2024-03-29', intervalDays: 3, month: 7, dayOfWeek: 2, hour: 9, minute: 0 };
    expect(slots('Europe/Berlin', '2024-01-01T00:00Z', 3, rule)).toEqual([
      '2024-03-29T08:00',
      '2024-04-01T07:00',
      '2024-04-04T07:00',
    ]);
  });
});

describe('changes of the clock', () => {
  const at = (hour: number, minute: number) => ({ hour, minute });

  test('a time that Berlin skips in spring fires at the first instant after the gap', () => {
    expect(slots('Europe/Berlin', '2024-03-30T12:00Z', 2, at(2, 30))).toEqual(['2024-03-31T01:00', '2024-04-01T00:30']);
    expect(note('Europe/Berlin', '2024-03-31T01:00Z', at(2, 30))).toBe('SKIPPED_WALL_TIME');
    expect(note('Europe/Berlin', '2024-03-31T01:00Z', at(3, 0))).toBeNull();
  });

  test('a time that Berlin shows twice in autumn fires once, the first time', () => {
    expect(slots('Europe/Berlin', '2024-10-26T12:00Z', 2, at(2, 30))).toEqual(['2024-10-27T00:30', '2024-10-28T01:30']);
    expect(note('Europe/Berlin', '2024-10-27T00:30Z', at(2, 30))).toBe('REPEATED_WALL_TIME');
    expect(note('Europe/Berlin', '2024-10-27T01:30Z', at(2, 30))).toBeNull();
    expect(schedule('Europe/Berlin', at(2, 30)).next(new Date('2024-10-27T00:30Z'))).toEqual(
      new Date('2024-10-28T01:30Z'),
    );
  });

  test('an hourly rule follows real time through both', () => {
    const hourly = { minute: 30 };
    const spring = ['2024-03-31T00:30', '2024-03-31T01:30', '2024-03-31T02:30'];
    const autumn = ['2024-10-27T00:30', '2024-10-27T01:30', '2024-10-27T02:30'];
    expect(slots('Europe/Berlin', '2024-03-31T00:00Z', 3, hourly)).toEqual(spring);
    expect(slots('Europe/Berlin', '2024-10-27T00:00Z', 3, hourly)).toEqual(autumn);
    expect(note('Europe/Berlin', '2024-10-27T00:30Z', hourly)).toBeNull();
  });

  test('every minute of one hour follows real time too: 120 in autumn, none in spring', () => {
    const minutes = (from: string, to: string) =>
      schedule('Europe/Berlin', { hour: 2 }).count(new Date(from), new Date(to), 1_000);
    expect(minutes('2024-10-26T12:00Z', '2024-10-27T12:00Z')).toBe(120);
    expect(minutes('2024-03-30T12:00Z', '2024-03-31T12:00Z')).toBe(0);
  });

  test('Lord Howe moves by half an hour', () => {
    expect(slots('Australia/Lord_Howe', '2024-10-05T00:00Z', 1, at(2, 15))).toEqual(['2024-10-05T15:30']);
    expect(slots('Australia/Lord_Howe', '2024-04-06T00:00Z', 1, at(1, 45))).toEqual(['2024-04-06T14:45']);
    expect(slots('Australia/Lord_Howe', '2024-04-06T14:30Z', 3, { minute: 45 })).toEqual([
      '2024-04-06T14:45',
      '2024-04-06T15:15',
      '2024-04-06T16:15',
    ]);
  });

  test('the last slot is found on the other side of a change, on the rule’s first date too', () => {
    const hourly = schedule('Australia/Lord_Howe', { start: '2024-10-06', minute: 10 });
    expect(hourly.last(new Date('2024-10-01T00:00Z'), new Date('2024-10-05T15:35Z'))).toEqual(
      new Date('2024-10-05T14:40Z'),
    );
  });

  test('midnight that Santiago skips fires at one o’clock of the same date, also on the last date', () => {
    const lastDate = { ...at(0, 0), end: '2024-09-08' };
    expect(slots('America/Santiago', '2024-09-07T12:00Z', 2, lastDate)).toEqual(['2024-09-08T04:00']);
  });

  test('a skipped time belongs to the date it was due, though the gap ends on the next', () => {
    const nuuk = { ...at(23, 30), start: '2025-03-29', end: '2025-03-29' };
    expect(slots('America/Nuuk', '2025-01-01T00:00Z', 2, nuuk)).toEqual(['2025-03-30T01:00']);
    expect(note('America/Nuuk', '2025-03-30T01:00Z', nuuk)).toBe('SKIPPED_WALL_TIME');
    const apia = { ...at(10, 0), start: '2011-12-30', end: '2011-12-30' };
    expect(slots('Pacific/Apia', '2011-01-01T00:00Z', 2, apia)).toEqual(['2011-12-30T10:00']);
  });

  test('an instant that is not a slot has no note', () => {
    expect(note('Europe/Berlin', '2024-03-31T01:01Z', at(2, 30))).toBeNull();
    expect(note('Europe/Berlin', '2024-03-31T01:00:30Z', at(2, 30))).toBeNull();
  });
});

describe('faults', () => {
  const faults: [string, Differing, keyof RepeatRule, RegExp][] = [
    ['an hour of 24', { hour: 24 }, 'hour', /hour must be a whole number from 0 to 23 or null, got 24/],
    ['half a minute', { minute: 0.5 }, 'minute', /0\.5/],
    ['a weekday of 7', { dayOfWeek: 7 }, 'dayOfWeek', /0 to 6/],
    ['a year of three digits', { year: 999 }, 'year', /1000 to 9999/],
    ['a week of 6', { weekOfMonth: 6 }, 'weekOfMonth', /1 to 5/],
    ['an interval of no days', { intervalDays: 0, start: '2024-01-01' }, 'intervalDays', /1 to 36500/],
    ['an interval without a start', { intervalDays: 2 }, 'intervalDays', /needs a start date/],
    [
      'a date that does not exist',
      { start: '2015-02-30' },
      'start',
      /must be a date that exists, as YYYY-MM-DD, .*, got "2015-02-30"/,
    ],
    ['a date in another form', { end: '2015-2-3' }, 'end', /"2015-2-3"/],
    [
      'an end before the start',
      { start: '2024-02-01', end: '2024-01-31' },
      'end',
      /must not be before start \(2024-02-01\), got 2024-01-31/,
    ],
    ['30 February', { month: 2, dayOfMonth: 30 }, 'dayOfMonth', /30; no date has it together with month 2/],
    ['the 1st in week 2', { weekOfMonth: 2, dayOfMonth: 1 }, 'weekOfMonth', /dayOfMonth 1/],
    ['29 February 2023', { year: 2023, month: 2, dayOfMonth: 29 }, 'dayOfMonth', /month 2, year 2023/],
    ['a Monday that is none', { year: 2024, month: 5, dayOfMonth: 1, dayOfWeek: 1 }, 'dayOfWeek', /year 2024/],
    ['a year before the start', { year: 2023, start: '2024-01-01' }, 'year', /start 2024-01-01/],
    ['a day without the month', { start: '2024-05-01', end: '2024-05-01', month: 6 }, 'month', /end 2024-05-01/],
    ['two misses', { start: '2024-05-01', end: '2024-05-01', month: 6, dayOfWeek: 1 }, 'end', /dayOfWeek 1, month 6/],
  ];
  test.each(faults)('%s is refused, naming the field and the reason', (_, rule, field, message) => {
    expect(fault({ hour: 8, minute: 0, ...rule })).toEqual({ field, message: expect.stringMatching(message) });
  });

  test('a rule in real time that falls wholly into a gap is refused, in that zone only', () => {
    const gap = { start: '2024-03-31', end: '2024-03-31', hour: 2 };
    expect(fault(gap, 'Europe/Berlin')).toEqual({ field: 'hour', message: expect.stringMatching(/clock of Europe/) });
    expect(fault(gap, 'Europe/London')).toBeNull();
    expect(fault({ ...gap, minute: 30 }, 'Europe/Berlin')).toBeNull();
    expect(fault({ year: 2011, month: 12, dayOfMonth: 30 }, 'Pacific/Apia')?.field).toBe('year');
  });

  test('a rule that has ended, an empty one and a rare one have no fault', () => {
    expect(fault({ end: '1999-12-31' })).toBeNull();
    expect(fault({})).toBeNull();
    expect(fault({ month: 2, dayOfMonth: 29, dayOfWeek: 1, hour: 1, minute: 0 })).toBeNull();
    expect(fault({ start: '2024-01-31', intervalDays: 36_500, month: 2, dayOfMonth: 30 })).toBeNull();
  });

  test('a zone has a name of the IANA database, in any case, and is not a bare offset', () => {
    expect(['UTC', 'Europe/Kyiv', 'europe/berlin', 'EST5EDT', 'Etc/GMT+5'].filter(isTimeZone)).toHaveLength(5);
    expect(['', 'local', '+01:00', 'Europe/Nowhere', 'Europe/Berlin ', '0'].filter(isTimeZone)).toEqual([]);
    expect(() => compileSchedule([EVERY], 'Mars/Olympus')).toThrow(/Mars\/Olympus/);
  });
});

describe('properties', () => {
  test('it agrees with a clock read minute by minute, in twenty zones', () => checkAgainstOracle(80));
  test('it agrees with a search date by date', () => checkFarDates(60));
  test('it refuses a rule as never due exactly when no date has it', () => checkNeverDue(80));
  test('an interval of one day is the daily rule', () => checkDailyInterval(150));
});

describe('why a rule is not due', () => {
  test('is said of every rule, in every zone, by a field that does not fit', () => checkExclusions(150));

  test('names the second time that the clock shows', () => {
    const rule = { ...EVERY, hour: 2, minute: 30 };
    expect(findExclusion(rule, 'Europe/Berlin', new Date('2026-10-25T00:30:00Z'))).toBeNull();
    expect(findExclusion(rule, 'Europe/Berlin', new Date('2026-10-25T01:30:00Z'))).toMatchObject({ field: null });
  });
});
