// The preview of a schedule before it is stored.

import { MS_PER_DAY, type NewSchedule } from './repeat-rule.ts';
import { rulesInWords } from './rule-words.ts';
import { compileSchedule } from './schedule.ts';

const NEXT_SLOTS = 3;
const LOOKAHEAD_MS = 366 * MS_PER_DAY;

/** The rules in words and the next slots after `now`: "Every day at 03:00; next at 2026-03-01 03:00, … UTC". */
export function scheduleInWords({ rules, timeZone, active }: NewSchedule, now: Date): string {
  const paused = active ? '' : ' (paused)';
  if (rules.length === 0) return `runs when asked to${paused}`;
  const next = compileSchedule(rules, timeZone)
    .slots(now, new Date(now.getTime() + LOOKAHEAD_MS), NEXT_SLOTS)
    .map((slot) => slot.toISOString().slice(0, 16).replace('T', ' '));
  const slots = next.length === 0 ? 'never again within a year' : `next at ${next.join(', ')} UTC`;
  return `${rulesInWords(rules).join('; ')}${paused}; ${slots}`;
}
