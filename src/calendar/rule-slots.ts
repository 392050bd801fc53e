// The slots of one rule: its dates laid on the wall clock, and the wall clock on the instants. Instants and wall times
// are whole minutes, see zone-clock.ts.
import { MINUTES_PER_DAY, type RepeatRule } from './repeat-rule.ts';
import { type RuleDates, ruleDates } from './rule-dates.ts';
import type { ZoneClock } from './zone-clock.ts';

export type DstNote = 'SKIPPED_WALL_TIME' | 'REPEATED_WALL_TIME';

export interface RuleSlots {
  /** The first slot strictly after an instant. */
  next(after: number): number | null;
  /** The last slot at or before an instant. */
  previous(until: number): number | null;
  dstNote(slot: number): DstNote | null;
}

/** Expects a rule whose fields are each in range. */
export function ruleSlots(rule: RepeatRule, clock: ZoneClock): RuleSlots {
  const times = new WallTimes(rule);
  return followsRealTime(rule) ? new RealTimeSlots(times, clock) : new FixedSlots(times, clock);
}

/** Every hour, or every minute of an hour: due whenever the clock shows it, so twice in a fold and never in a gap. */
export function followsRealTime(rule: RepeatRule): boolean {
  return rule.hour === null || rule.minute === null;
}

/** The wall times of a rule, whatever the zone's clock makes of them. */
class WallTimes {
  readonly #dates: RuleDates;
  readonly #hour: number | null;
  readonly #minute: number | null;
  readonly #first: number;
  readonly #last: number;

  constructor(rule: RepeatRule) {
    this.#dates = ruleDates(rule);
    this.#hour = rule.hour;
    this.#minute = rule.minute;
    this.#first = (rule.hour ?? 0) * 60 + (rule.minute ?? 0);
    this.#last = (rule.hour ?? 23) * 60 + (rule.minute ?? 59);
  }

  atOrAfter(wall: number): number | null {
    const today = Math.floor(wall / MINUTES_PER_DAY);
    const later = this.#laterInDay(wall - today * MINUTES_PER_DAY);
    const day = this.#dates.onOrAfter(later === null ? today + 1 : today);
    if (day === null) return null;
    return day * MINUTES_PER_DAY + (day === today && later !== null ? later : this.#first);
  }

  atOrBefore(wall: number): number | null {
    const today = Math.floor(wall / MINUTES_PER_DAY);
    const earlier = this.#earlierInDay(wall - today * MINUTES_PER_DAY);
    const day = this.#dates.onOrBefore(earlier === null ? today - 1 : today);
    if (day === null) return null;
    return day * MINUTES_PER_DAY + (day === today && earlier !== null ? earlier : this.#last);
  }

  #laterInDay(minuteOfDay: number): number | null {
    if (minuteOfDay <= this.#first) return this.#first;
    if (minuteOfDay > this.#last) return null;
    if (this.#minute === null) return minuteOfDay;
    return this.#hour === null ? this.#minute + Math.ceil((minuteOfDay - this.#minute) / 60) * 60 : this.#first;
  }

  #earlierInDay(minuteOfDay: number): number | null {
    if (minuteOfDay >= this.#last) return this.#last;
    if (minuteOfDay < this.#first) return null;
    if (this.#minute === null) return minuteOfDay;
    return this.#hour === null ? this.#minute + Math.floor((minuteOfDay - this.#minute) / 60) * 60 : this.#last;
  }
}

/**
 * One time a date. A wall time w is due at the first instant the clock reaches it, so it is due after an instant if and
 * only if it is later than all that the clock has shown up to there.
 *
 * croner's own zone arithmetic agrees except where a gap reaches the next date (Nuuk every spring from 2024 on, Apia on
 * 2011-12-30): there it drops the slot. Hence croner gives the dates, and the clock is ours.
 */
class FixedSlots implements RuleSlots {
  readonly #times: WallTimes;
  readonly #clock: ZoneClock;

  constructor(times: WallTimes, clock: ZoneClock) {
    this.#times = times;
    this.#clock = clock;
  }

  next(after: number): number | null {
    const wall = this.#times.atOrAfter(this.#clock.latestShown(after) + 1);
    return wall === null ? null : this.#clock.firstReaching(wall);
  }

  previous(until: number): number | null {
    const wall = this.#times.atOrBefore(this.#clock.latestShown(until));
    return wall === null ? null : this.#clock.firstReaching(wall);
  }

  dstNote(slot: number): DstNote | null {
    const shown = this.#clock.latestShown(slot);
    const due = this.#times.atOrAfter(this.#clock.latestShown(slot - 1) + 1);
    if (due === null || due > shown) return null;
    if (due < shown) return 'SKIPPED_WALL_TIME';
    return this.#clock.isShownAgain(slot) ? 'REPEATED_WALL_TIME' : null;
  }
}

class RealTimeSlots implements RuleSlots {
  readonly #times: WallTimes;
  readonly #clock: ZoneClock;

  constructor(times: WallTimes, clock: ZoneClock) {
    this.#times = times;
    this.#clock = clock;
  }

  // Within a stretch wall time and real time run alike. Beyond it nothing is certain but that the two are less than a
  // day apart, which is enough to leap over the months without a slot.
  next(after: number): number | null {
    let instant = after + 1;
    for (;;) {
      const { offset, to } = this.#clock.stretchAt(instant);
      const wall = this.#times.atOrAfter(instant + offset);
      if (wall !== null && wall - offset < to) return wall - offset;
      const later = this.#times.atOrAfter(to - MINUTES_PER_DAY);
      if (later === null) return null;
      instant = Math.max(to, later - MINUTES_PER_DAY);
    }
  }

  previous(until: number): number | null {
    let instant = until;
    for (;;) {
      const { offset, from } = this.#clock.stretchAt(instant);
      const wall = this.#times.atOrBefore(instant + offset);
      if (wall !== null && wall - offset >= from) return wall - offset;
      const earlier = this.#times.atOrBefore(from - 1 + MINUTES_PER_DAY);
      if (earlier === null) return null;
      instant = Math.min(from - 1, earlier + MINUTES_PER_DAY);
    }
  }

  dstNote(): null {
    return null;
  }
}
