// When a task is due: its repeat rules and its zone turned into slots. Pure: no clock, no database.
import { LRUCache } from 'lru-cache';
import { FIRST_DAY, LAST_DAY, MINUTES_PER_DAY, MS_PER_MINUTE, type RepeatRule } from './repeat-rule.ts';
import { type DstNote, type RuleSlots, ruleSlots } from './rule-slots.ts';
import { zoneClock } from './zone-clock.ts';

export type { RepeatRule } from './repeat-rule.ts';
export {
  findFieldFault,
  findNeverDue,
  findRuleFault,
  type NumberField,
  RULE_RANGES,
  type RuleFault,
} from './rule-faults.ts';
export type { DstNote } from './rule-slots.ts';
export { isTimeZone } from './zone-clock.ts';

/**
 * The slots of a task: the distinct union of its rules' slots, each a UTC instant at a whole minute.
 *
 * A wall time that the clock skips is due at the first instant after the gap, one that it shows twice at the first; a
 * rule for every hour or every minute follows real time instead. `start` and `end` bound the date on which a slot was
 * due by the wall clock, so a skipped 23:30 on the last date still counts, though it fires on the next. The last slot
 * there can be is at 9999-12-31T23:59Z.
 */
export interface Schedule {
  /** The first slot strictly after the instant, or null if there is none. */
  next(after: Date): Date | null;
  /** Up to `limit` slots in (after, until], ascending and distinct; `until` null is without end. */
  slots(after: Date, until: Date | null, limit: number): Date[];
  /** The newest slot in (after, until]; takes as long whether one slot or a million lie between. */
  last(after: Date, until: Date): Date | null;
  /** The number of slots in (after, until], counting no further than `cap`: about 0.2 s a million. */
  count(after: Date, until: Date, cap: number): number;
  /**
   * Why this slot looks odd on the wall clock: it stands for a time that the clock skipped, or is the first of two
   * occurrences of which the second does not fire. null for other slots, and for what is no slot.
   */
  dstNote(slot: Date): DstNote | null;
}

const MAX_SCHEDULES = 20_000;
const schedules = new LRUCache<string, Schedule>({ max: MAX_SCHEDULES });

/**
 * Compiled once for the same rules and zone, then kept; the order of the rules and other keys on them make no
 * difference. Expects rules without a fault (see findRuleFault) and throws a RangeError for a zone that is none.
 */
export function compileSchedule(rules: readonly RepeatRule[], timeZone: string): Schedule {
  const distinct = new Map(rules.map((rule) => [ruleKey(rule), rule]));
  const key = `${timeZone};${[...distinct.keys()].sort().join(';')}`;
  const known = schedules.get(key);
  if (known !== undefined) return known;
  const clock = zoneClock(timeZone);
  const schedule = new CompiledSchedule([...distinct.values()].map((rule) => ruleSlots(rule, clock)));
  schedules.set(key, schedule);
  return schedule;
}

function ruleKey(rule: RepeatRule): string {
  const { start, end, intervalDays, year, month, dayOfMonth, weekOfMonth, dayOfWeek, hour, minute } = rule;
  return JSON.stringify([start, end, intervalDays, year, month, dayOfMonth, weekOfMonth, dayOfWeek, hour, minute]);
}

class CompiledSchedule implements Schedule {
  readonly #rules: readonly RuleSlots[];

  constructor(rules: readonly RuleSlots[]) {
    this.#rules = rules;
  }

  next(after: Date): Date | null {
    for (const slot of this.#from(toMinute(after))) return toDate(slot);
    return null;
  }

  slots(after: Date, until: Date | null, limit: number): Date[] {
    const end = until === null ? Number.POSITIVE_INFINITY : toMinute(until);
    const found: Date[] = [];
    if (limit <= 0) return found;
    for (const slot of this.#from(toMinute(after))) {
      if (slot > end) break;
      found.push(toDate(slot));
      if (found.length >= limit) break;
    }
    return found;
  }

  last(after: Date, until: Date): Date | null {
    const [start, end] = [toMinute(after), toMinute(until)];
    let last = start;
    for (const rule of this.#rules) last = Math.max(last, rule.previous(end) ?? start);
    return last > start ? toDate(last) : null;
  }

  count(after: Date, until: Date, cap: number): number {
    const end = toMinute(until);
    let count = 0;
    if (cap <= 0) return count;
    for (const slot of this.#from(toMinute(after))) {
      if (slot > end) break;
      count += 1;
      if (count >= cap) break;
    }
    return count;
  }

  dstNote(slot: Date): DstNote | null {
    if (slot.getTime() % MS_PER_MINUTE !== 0 || slot >= toDate(LATEST + 1)) return null;
    const notes = this.#rules.map((rule) => rule.dstNote(toMinute(slot)));
    return notes.find((note) => note === 'SKIPPED_WALL_TIME') ?? notes.find((note) => note !== null) ?? null;
  }

  /** The union of the rules' slots after an instant, ascending, to the last that there is. */
  *#from(after: number): Generator<number, void> {
    const heads = this.#rules.map((rule) => rule.next(after) ?? Number.POSITIVE_INFINITY);
    for (;;) {
      const first = Math.min(...heads);
      if (first > LATEST) return;
      yield first;
      for (const [index, rule] of this.#rules.entries()) {
        if (heads[index] === first) heads[index] = rule.next(first) ?? Number.POSITIVE_INFINITY;
      }
    }
  }
}

// Two days before the dates that rules can reach, so that no zone's offset cuts one off.
const EARLIEST = (FIRST_DAY - 2) * MINUTES_PER_DAY;
// West of Greenwich the last date extends into the year 10000, whose instants neither PostgreSQL nor our clients can
// read.
const LATEST = (LAST_DAY + 1) * MINUTES_PER_DAY - 1;

function toMinute(instant: Date): number {
  const minute = Math.floor(instant.getTime() / MS_PER_MINUTE);
  if (Number.isNaN(minute)) throw new RangeError('an invalid Date is no instant');
  return Math.min(Math.max(minute, EARLIEST), LATEST);
}

function toDate(minute: number): Date {
  return new Date(minute * MS_PER_MINUTE);
}
