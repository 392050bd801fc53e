import { findFieldFault, findNeverDue, type RepeatRule, type RuleFault } from '../calendar/schedule.ts';
import { badInput } from '../lib/faults.ts';
import { readList } from '../lib/input.ts';

/** Rules of one task. */
export const MAX_ITEMS = 100;

/** A rule as it is given: a field that is left out is null. */
export type GivenRule = { [Field in keyof RepeatRule]?: RepeatRule[Field] | undefined };

/**
 * The rules, 100 at most. BAD_USER_INPUT names the field at fault, as `repeatItems.0.hour`; a rule that can never fire is
 * a fault. `timeZone` must be one that isTimeZone takes.
 */
export function readRepeatItems(items: readonly GivenRule[], timeZone: string): RepeatRule[] {
  const rules = readDraftRules(items);
  refuseFaults(rules, (rule) => findNeverDue(rule, timeZone));
  return rules;
}

/** The same, but for rules that can never fire. */
export function readDraftRules(items: readonly GivenRule[]): RepeatRule[] {
  const rules = readList(items, 'repeatItems', { most: MAX_ITEMS }).map(toRule);
  refuseFaults(rules, findFieldFault);
  return rules;
}

function refuseFaults(rules: readonly RepeatRule[], find: (rule: RepeatRule) => RuleFault | null): void {
  for (const [index, rule] of rules.entries()) {
    const fault = find(rule);
    if (fault !== null) throw badInput(['repeatItems', index, fault.field], fault.message);
  }
}

function toRule(given: GivenRule): RepeatRule {
  return {
    start: given.start ?? null,
    end: given.end ?? null,
    intervalDays: given.intervalDays ?? null,
    year: given.year ?? null,
    month: given.month ?? null,
    dayOfMonth: given.dayOfMonth ?? null,
    weekOfMonth: given.weekOfMonth ?? null,
    dayOfWeek: given.dayOfWeek ?? null,
    hour: given.hour ?? null,
    minute: given.minute ?? null,
  };
}
