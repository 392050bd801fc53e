// Why a rule is not due at an instant.
import { MINUTES_PER_DAY, MS_PER_DAY, MS_PER_MINUTE, parseDay, type RepeatRule } from './repeat-rule.ts';
import { ruleSlots } from './rule-slots.ts';
import { zoneClock } from './zone-clock.ts';

/** The first field of the rule that the instant does not meet. */
export interface RuleExclusion {
  /** null if every field fits: the clock shows this time for the second time, and the rule was due at the first. */
  field: keyof RepeatRule | null;
  message: string;
}

/** The local time at the instant, as fields of a rule. */
interface Shown {
  day: number;
  date: string;
  year: number;
  month: number;
  dayOfMonth: number;
  weekOfMonth: number;
  dayOfWeek: number;
  hour: number;
  minute: number;
}

/** null for a rule that is due at `at`, a whole minute. Expects a rule without a fault and a zone that there is. */
export function findExclusion(rule: RepeatRule, timeZone: string, at: Date): RuleExclusion | null {
  const clock = zoneClock(timeZone);
  const instant = at.getTime() / MS_PER_MINUTE;
  if (ruleSlots(rule, clock).previous(instant) === instant) return null;
  const shown = read(instant + clock.stretchAt(instant).offset);
  return (
    excludedByBounds(rule, shown) ??
    (rule.intervalDays === null ? excludedByCalendar(rule, shown) : excludedByInterval(rule, shown)) ??
    excludedByTime(rule, shown) ?? {
      field: null,
      message: 'the clock shows this time for the second time; the rule was due at the first',
    }
  );
}

function read(wall: number): Shown {
  const day = Math.floor(wall / MINUTES_PER_DAY);
  const date = new Date(day * MS_PER_DAY);
  const minuteOfDay = wall - day * MINUTES_PER_DAY;
  return {
    day,
    date: date.toISOString().slice(0, 10),
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    dayOfMonth: date.getUTCDate(),
    weekOfMonth: Math.ceil(date.getUTCDate() / 7),
    dayOfWeek: date.getUTCDay(),
    hour: Math.floor(minuteOfDay / 60),
    minute: minuteOfDay % 60,
  };
}

function excludedByBounds({ start, end }: RepeatRule, { day, date }: Shown): RuleExclusion | null {
  if (start !== null && day < (parseDay(start) ?? day)) {
    return { field: 'start', message: `the rule starts on ${start}; the clock shows ${date}` };
  }
  if (end !== null && day > (parseDay(end) ?? day)) {
    return { field: 'end', message: `the rule ended on ${end}; the clock shows ${date}` };
  }
  return null;
}

function excludedByInterval({ start, intervalDays }: RepeatRule, { day, date }: Shown): RuleExclusion | null {
  const since = day - (parseDay(start ?? '') ?? day);
  if (intervalDays === null || since % intervalDays === 0) return null;
  return {
    field: 'intervalDays',
    message: `the rule is due every ${intervalDays} days from ${start}; ${date} is ${since} days after it`,
  };
}

const CALENDAR_FIELDS = ['year', 'month', 'dayOfMonth', 'weekOfMonth', 'dayOfWeek'] as const;
const TIME_FIELDS = ['hour', 'minute'] as const;

function excludedByCalendar(rule: RepeatRule, shown: Shown): RuleExclusion | null {
  return excludedByField(CALENDAR_FIELDS, rule, shown);
}

function excludedByTime(rule: RepeatRule, shown: Shown): RuleExclusion | null {
  return excludedByField(TIME_FIELDS, rule, shown);
}

function excludedByField(
  fields: readonly (typeof CALENDAR_FIELDS | typeof TIME_FIELDS)[number][],
  rule: RepeatRule,
  shown: Shown,
): RuleExclusion | null {
  const field = fields.find((each) => rule[each] !== null && rule[each] !== shown[each]);
  if (field === undefined) return null;
  return { field, message: `the rule has ${field} ${rule[field]}; the clock shows ${shown[field]}` };
}
