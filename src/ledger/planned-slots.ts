// How many slots are to come at each minute: those from each task's next slot on, due and unfired ones included. A task
// whose second slot lies beyond the range is counted by the columns of its row; the others by their schedules, once for
// all tasks that share it.

import { type Kysely, sql } from 'kysely';
import { MS_PER_MINUTE } from '../calendar/repeat-rule.ts';
import { compileSchedule, type RepeatRule } from '../calendar/schedule.ts';
import type { ReadTables } from '../database/rows.ts';
import { millisecondsOf } from '../database/timestamp.ts';
import { SlotShares, YieldBudget } from './slot-budget.ts';

/** The most schedules computed for one query, a tenth of a millisecond each if not cached. */
const MAX_PLANNED_SCHEDULES = 10_000;
/** Slots that are computed for one question; a million take a quarter of a second. */
const MAX_PLANNED_SLOTS = 3_000_000;

/**
 * Tells schedules apart a few times faster than comparing their rules does. Of 100,000 different ones two have the same
 * with a chance of one in four billion.
 */
export const scheduleHash = sql`jsonb_hash_extended(v.rules, 0)`;
const isKnown = sql`task.following_of is not distinct from task.next_run_at`;

/** Which slots: from an instant up to before another, of one task or of all. */
export interface SlotRange {
  from: Date;
  to: Date;
  taskId: number | null;
}

/** Tasks that share their schedule and where they stand in it; times in milliseconds since 1970. */
interface Sharers {
  time_zone: string;
  rules: RepeatRule[];
  next: number;
  /** The slot after `next`; null if it is not computed yet. */
  following: number | null;
  tasks: number;
}

interface Counted {
  at: number;
  tasks: number;
}

/** The future slots as the database has them. */
interface PlannedRows {
  /** Tasks with one slot in the range at most, by that slot. */
  single: Counted[];
  computed: Sharers[];
  /** If there are too many schedules to compute, only the next two slots of the rest are known. */
  rest: Omit<Sharers, 'time_zone' | 'rules'>[];
}

export async function readPlanned(database: Kysely<ReadTables>, range: SlotRange): Promise<PlannedRows> {
  const { to, taskId } = range;
  const isDue = sql`task.next_run_at < ${to} ${taskId === null ? sql`` : sql`and task.id = ${taskId}`}`;
  const { rows: single } = await sql<Counted>`
    select ${millisecondsOf('task.next_run_at')} as at, count(*)::int as tasks from task
    where ${isDue} and ${isKnown} and (task.following_run_at is null or task.following_run_at >= ${to})
    group by task.next_run_at
  `.execute(database);
  // Those with the earliest following slots come first, so that as much as possible is known of the rest.
  const sharers = sql`
    select min(v.id) as version_id, task.next_run_at, count(*)::int as tasks,
      case when bool_and(${isKnown}) then min(task.following_run_at) end as following_run_at
    from task join schedule_version v on v.task_id = task.id and v.valid_to is null
    where ${isDue} and not (${isKnown} and (task.following_run_at is null or task.following_run_at >= ${to}))
    group by task.next_run_at, v.time_zone, ${scheduleHash}
    order by following_run_at nulls first, version_id`;
  const standing = sql`${millisecondsOf('next_run_at')} as next, ${millisecondsOf('following_run_at')} as following`;
  const { rows: computed } = await sql<Sharers>`
    select v.time_zone, v.rules, ${standing}, tasks
    from (${sharers} limit ${MAX_PLANNED_SCHEDULES}) as sharers join schedule_version v on v.id = version_id
    order by following_run_at nulls first, version_id
  `.execute(database);
  if (computed.length < MAX_PLANNED_SCHEDULES) return { single, computed, rest: [] };
  const { rows: rest } = await sql<PlannedRows['rest'][number]>`
    select ${standing}, sum(tasks)::int as tasks from (${sharers} offset ${MAX_PLANNED_SCHEDULES}) as left_out
    group by next_run_at, following_run_at
  `.execute(database);
  return { single, computed, rest };
}

/**
 * Passes all known slots of the range to `add`, and returns the instant before which they are complete: the end of the
 * range, unless there are too many schedules or slots.
 */
export async function countPlanned(
  { single, computed, rest }: PlannedRows,
  { from, to }: SlotRange,
  add: (at: number, tasks: number) => void,
): Promise<Date> {
  let completeUntil = to.getTime();
  const addIn = (at: number, tasks: number) => {
    if (at >= from.getTime() && at < to.getTime()) add(at, tasks);
  };
  for (const { at, tasks } of single) addIn(at, tasks);
  for (const { next, following, tasks } of rest) {
    addIn(next, tasks);
    if (following !== null) addIn(following, tasks);
    completeUntil = Math.min(completeUntil, (following ?? next) + MS_PER_MINUTE);
  }
  const turns = new YieldBudget();
  const shares = new SlotShares(MAX_PLANNED_SLOTS, computed.length);
  // From the rarest to the most frequent, which get the remainder.
  for (const { time_zone, rules, next, tasks } of computed.toReversed()) {
    await turns.pass();
    const share = shares.next();
    const begin = new Date(Math.max(next, from.getTime()) - 1);
    const slots = compileSchedule(rules, time_zone).slots(begin, new Date(to.getTime() - 1), share + 1);
    if (slots.length > share) completeUntil = Math.min(completeUntil, slots.pop()?.getTime() ?? 0);
    shares.took(slots.length);
    for (const slot of slots) add(slot.getTime(), tasks);
  }
  return new Date(Math.max(completeUntil, from.getTime()));
}
