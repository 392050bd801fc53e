// Which of the slots that are due are run, and which are recorded as skipped. Pure: no clock, no database.

import type { Schedule } from '../calendar/schedule.ts';
import type { SkipReason } from '../entities/run.ts';
import type { CatchUpPolicy } from '../entities/task.ts';

interface CatchUpRule {
  policy: CatchUpPolicy;
  /** A slot that is later than this is missed. */
  misfireGraceSeconds: number;
  /** A missed slot older than this is never run; null for no bound. */
  maxAgeSeconds: number | null;
  /** Why the slot was not fired in time. */
  missedBecause: Extract<SkipReason, 'MISSED' | 'NO_RUNNER'>;
}

interface DueSlot {
  slot: Date;
  /** Whether it is run although it was missed. */
  late: boolean;
}

interface SkippedSlot {
  slot: Date;
  reason: SkipReason;
}

/** Slots from `from` to `to`, both in it, in one line. */
export interface Gap {
  from: Date;
  to: Date;
  reason: SkipReason;
  count: number;
}

export interface DuePlan {
  fire: DueSlot[];
  skip: SkippedSlot[];
  gaps: Gap[];
  /** The first slot that the plan does not cover, or null if there are no more slots. */
  next: Date | null;
}

/** A run of missed slots longer than this becomes one gap. */
const MAX_SKIPPED_ROWS = 100;
/** Slots of one task that one plan fires at most; the rest stay due and come with the next plan. */
const MAX_FIRED = 1_000;
/** Above this a gap's count is given as this; nothing that a person reads needs more. */
const MAX_COUNT = 2_000_000;

const seconds = (count: number) => count * 1_000;

/** Decides about every slot from `first` (which is due) up to `now`. */
export function planDueSlots(schedule: Schedule, rule: CatchUpRule, first: Date, now: Date): DuePlan {
  const missedUpTo = new Date(now.getTime() - seconds(rule.misfireGraceSeconds));
  const before = new Date(first.getTime() - 1);
  const plan: DuePlan = { fire: [], skip: [], gaps: [], next: null };
  let covered = before;
  if (first <= missedUpTo) covered = planMissed(plan, schedule, rule, before, missedUpTo, now);
  if (covered >= missedUpTo) {
    const onTime = schedule.slots(covered, now, MAX_FIRED);
    plan.fire.push(...onTime.map((slot) => ({ slot, late: false })));
    covered = onTime.length < MAX_FIRED ? now : (onTime.at(-1) ?? now);
  }
  plan.next = schedule.next(covered);
  return plan;
}

/** The plan with its skips only: the first slot to run stays due, and so do those that follow. */
export function withoutFiring(plan: DuePlan): DuePlan {
  return { ...plan, fire: [], next: plan.fire[0]?.slot ?? plan.next };
}

/** Plans the missed slots in (after, upTo]; returns the instant up to which it did. */
function planMissed(plan: DuePlan, schedule: Schedule, rule: CatchUpRule, after: Date, upTo: Date, now: Date): Date {
  const oldest = rule.maxAgeSeconds === null ? null : new Date(now.getTime() - seconds(rule.maxAgeSeconds) - 1);
  let from = after;
  if (oldest !== null && oldest > after) {
    const tooOldUpTo = oldest < upTo ? oldest : upTo;
    skipRange(plan, schedule, from, tooOldUpTo, 'TOO_OLD');
    from = tooOldUpTo;
  }
  if (rule.policy === 'ALL') {
    const slots = schedule.slots(from, upTo, MAX_FIRED);
    plan.fire.push(...slots.map((slot) => ({ slot, late: true })));
    return slots.length < MAX_FIRED ? upTo : (slots.at(-1) ?? upTo);
  }
  const latest = rule.policy === 'LATEST' ? schedule.last(from, upTo) : null;
  if (latest === null) {
    skipRange(plan, schedule, from, upTo, rule.missedBecause);
  } else {
    skipRange(plan, schedule, from, new Date(latest.getTime() - 1), rule.missedBecause);
    plan.fire.push({ slot: latest, late: true });
  }
  return upTo;
}

/** Records the slots in (after, upTo] as skipped: one by one, or as one gap when they are many. */
function skipRange(plan: DuePlan, schedule: Schedule, after: Date, upTo: Date, reason: SkipReason): void {
  const slots = schedule.slots(after, upTo, MAX_SKIPPED_ROWS + 1);
  const from = slots[0];
  if (from === undefined) return;
  if (slots.length <= MAX_SKIPPED_ROWS) {
    plan.skip.push(...slots.map((slot) => ({ slot, reason })));
    return;
  }
  const count = schedule.count(after, upTo, MAX_COUNT);
  plan.gaps.push({ from, to: schedule.last(after, upTo) ?? from, reason, count });
}
