// The dates of a rule, as day numbers: calendar only, no clock and no zone.
import { Cron } from 'croner';
import { LRUCache } from 'lru-cache';
import { dayNumber, FIRST_DAY, LAST_DAY, MS_PER_DAY, parseDay, type RepeatRule } from './repeat-rule.ts';

export interface RuleDates {
  /** The first date of the rule on or after `day`. */
  onOrAfter(day: number): number | null;
  /** The last date of the rule on or before `day`. */
  onOrBefore(day: number): number | null;
}

const NO_DATES: RuleDates = { onOrAfter: () => null, onOrBefore: () => null };
const EVERY_DATE: RuleDates = { onOrAfter: (day) => day, onOrBefore: (day) => day };

/** Expects a rule whose fields are each in range; a rule that no date can meet has no dates. */
export function ruleDates(rule: RepeatRule): RuleDates {
  const start = rule.start === null ? FIRST_DAY : (parseDay(rule.start) ?? LAST_DAY + 1);
  const end = rule.end === null ? LAST_DAY : (parseDay(rule.end) ?? FIRST_DAY - 1);
  if (rule.intervalDays !== null) return within(start, end, everyNthDay(start, rule.intervalDays));
  if (rule.year === null) return within(start, end, calendarDates(rule));
  const [newYear, newYearsEve] = [dayNumber(rule.year, 1, 1), dayNumber(rule.year, 12, 31)];
  return within(Math.max(start, newYear), Math.min(end, newYearsEve), calendarDates(rule));
}

function within(first: number, last: number, dates: RuleDates): RuleDates {
  return {
    onOrAfter(day) {
      if (day > last) return null;
      const found = dates.onOrAfter(Math.max(day, first));
      return found !== null && found <= last ? found : null;
    },
    onOrBefore(day) {
      if (day < first) return null;
      const found = dates.onOrBefore(Math.min(day, last));
      return found !== null && found >= first ? found : null;
    },
  };
}

function everyNthDay(start: number, step: number): RuleDates {
  return {
    onOrAfter: (day) => start + Math.ceil((day - start) / step) * step,
    onOrBefore: (day) => start + Math.floor((day - start) / step) * step,
  };
}

function calendarDates(rule: RepeatRule): RuleDates {
  const days = daysOfMonth(rule);
  if (days === null) return NO_DATES;
  if (days === '*' && rule.month === null && rule.dayOfWeek === null) return EVERY_DATE;
  return cronDates(`0 0 0 ${days} ${rule.month ?? '*'} ${rule.dayOfWeek ?? '*'}`);
}

/**
 * The n-th weekday of a month is that weekday within days 7n-6 to 7n, so week and weekday need no pattern of their own.
 * null: the day is not in the week.
 */
function daysOfMonth({ dayOfMonth, weekOfMonth }: RepeatRule): string | null {
  if (weekOfMonth === null) return dayOfMonth === null ? '*' : String(dayOfMonth);
  const [first, last] = [weekOfMonth * 7 - 6, Math.min(weekOfMonth * 7, 31)];
  if (dayOfMonth === null) return `${first}-${last}`;
  return dayOfMonth >= first && dayOfMonth <= last ? String(dayOfMonth) : null;
}

// The calendar, weekdays included, repeats after 400 years.
const CYCLE_DAYS = 146_097;
const CYCLE_START = dayNumber(2000, 1, 1);

// There are about 4,000 patterns; constructing one takes longer than searching with it.
const MAX_PATTERNS = 4_000;
const crons = new LRUCache<string, Cron>({
  max: MAX_PATTERNS,
  memoMethod: (pattern) => new Cron(pattern, { mode: '6-part', domAndDow: true, utcOffset: 0, paused: true }),
});

/**
 * croner finds nothing from the year 3000 on for a pattern without a year, and a pattern with years costs 80 kB; so it
 * is asked about 2000-2399, and the answer moved back. It looks no further than 400 years, so an impossible pattern ends.
 */
function cronDates(pattern: string): RuleDates {
  const cron = crons.memo(pattern);
  const search = (day: number, find: (day: number) => Date | null | undefined): number | null => {
    const shift = Math.floor((day - CYCLE_START) / CYCLE_DAYS) * CYCLE_DAYS;
    const found = find(day - shift);
    return found ? found.getTime() / MS_PER_DAY + shift : null;
  };
  const nextRun = (day: number) => cron.nextRun(new Date(day * MS_PER_DAY - 1000));
  const previousRun = (day: number) => cron.previousRuns(1, new Date(day * MS_PER_DAY + 1000))[0];
  return {
    onOrAfter: rememberLast((day) => search(day, nextRun), 1),
    onOrBefore: rememberLast((day) => search(day, previousRun), -1),
  };
}

/**
 * Cached, since walking the minutes of a day or the slots up to a date repeats the same look-up; a search takes some 10
 * µs.
 */
function rememberLast(search: (day: number) => number | null, direction: 1 | -1): (day: number) => number | null {
  let asked: number | undefined;
  let found: number | null = null;
  return (day) => {
    const known =
      asked !== undefined && (day - asked) * direction >= 0 && (found === null || (found - day) * direction >= 0);
    if (!known) {
      found = search(day);
      asked = day;
    }
    return found;
  };
}
