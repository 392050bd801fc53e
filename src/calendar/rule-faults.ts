// What is wrong with a repeat rule, said before it is stored.
import { FIRST_DAY, formatDay, LAST_DAY, MINUTES_PER_DAY, parseDay, type RepeatRule } from './repeat-rule.ts';
import { ruleDates } from './rule-dates.ts';
import { followsRealTime, ruleSlots } from './rule-slots.ts';
import { zoneClock } from './zone-clock.ts';

/** `message` says what came and what is accepted. */
export interface RuleFault {
  field: keyof RepeatRule;
  message: string;
}

/** The fields that are numbers. */
export type NumberField = Exclude<keyof RepeatRule, 'start' | 'end'>;

/** The least and the most of each. */
export const RULE_RANGES: Record<NumberField, readonly [number, number]> = {
  intervalDays: [1, 36_500],
  year: [1000, 9999],
  month: [1, 12],
  dayOfMonth: [1, 31],
  weekOfMonth: [1, 5],
  dayOfWeek: [0, 6],
  hour: [0, 23],
  minute: [0, 59],
};
const NUMBER_FIELDS = Object.keys(RULE_RANGES) as NumberField[];

/**
 * The first fault of a rule, or null. A rule that can never fire is one; a rule that has merely ended is none. Throws a
 * RangeError for a zone that isTimeZone refuses.
 */
export function findRuleFault(rule: RepeatRule, timeZone: string): RuleFault | null {
  return findFieldFault(rule) ?? findNeverDue(rule, timeZone);
}

/** The first field that is out of its range, or lacks another that it needs. */
export function findFieldFault(rule: RepeatRule): RuleFault | null {
  for (const field of NUMBER_FIELDS) {
    const fault = findRangeFault(field, rule[field]);
    if (fault !== null) return fault;
  }
  return findDateFault(rule) ?? findIntervalFault(rule);
}

/** Why a rule whose fields are each in order can never fire, or null. */
export function findNeverDue(rule: RepeatRule, timeZone: string): RuleFault | null {
  return findNoDates(rule) ?? findAlwaysSkipped(rule, timeZone);
}

function findRangeFault(field: NumberField, value: number | null): RuleFault | null {
  const [least, most] = RULE_RANGES[field];
  if (value === null || (Number.isInteger(value) && value >= least && value <= most)) return null;
  return { field, message: `${field} must be a whole number from ${least} to ${most} or null, got ${value}` };
}

function findDateFault({ start, end }: RepeatRule): RuleFault | null {
  for (const [field, value] of Object.entries({ start, end }) as ['start' | 'end', string | null][]) {
    if (value === null || parseDay(value) !== null) continue;
    const accepted = `a date that exists, as YYYY-MM-DD, from ${formatDay(FIRST_DAY)} to ${formatDay(LAST_DAY)} or null`;
    return { field, message: `${field} must be ${accepted}, got ${JSON.stringify(value)}` };
  }
  if (start === null || end === null || start <= end) return null;
  return { field: 'end', message: `end must not be before start (${start}), got ${end}` };
}

function findIntervalFault({ intervalDays, start }: RepeatRule): RuleFault | null {
  if (intervalDays === null || start !== null) return null;
  return { field: 'intervalDays', message: `intervalDays is ${intervalDays}; it needs a start date to count from` };
}

const DATE_FIELDS = ['dayOfWeek', 'weekOfMonth', 'dayOfMonth', 'month', 'year'] as const;

/** The field to blame is one without which the rule has dates. */
function findNoDates(rule: RepeatRule): RuleFault | null {
  if (hasDates(rule)) return null;
  const set = DATE_FIELDS.filter((field) => rule[field] !== null);
  const blamed = set.find((field) => hasDates({ ...rule, [field]: null }));
  const field = blamed ?? (rule.end === null ? (set[0] ?? 'start') : 'end');
  const others = ([...set, 'start', 'end'] as const).filter((other) => other !== field && rule[other] !== null);
  const together = others.map((other) => `${other} ${rule[other]}`).join(', ');
  return { field, message: `${field} is ${rule[field]}; no date has it together with ${together}` };
}

function hasDates(rule: RepeatRule): boolean {
  return ruleDates(rule).onOrAfter(FIRST_DAY) !== null;
}

/** Only a rule in real time can fall wholly into a gap of the clock; others fire after it. */
function findAlwaysSkipped(rule: RepeatRule, timeZone: string): RuleFault | null {
  const clock = zoneClock(timeZone);
  if (!followsRealTime(rule) || ruleSlots(rule, clock).next((FIRST_DAY - 2) * MINUTES_PER_DAY) !== null) return null;
  const field = rule.hour !== null ? 'hour' : rule.end !== null ? 'end' : 'year';
  const message = `${field} is ${rule[field]}; the clock of ${timeZone} skips every minute at which the rule is due`;
  return { field, message };
}
