// How many slots lie in each step of a range, by outcome: the past from the ledger, the future from the schedules.
// Everything is read in one snapshot, so that a slot that fires in the meantime is counted once.

import type { EntityManager } from '@mikro-orm/postgresql';
import { type Kysely, sql } from 'kysely';
import { MS_PER_MINUTE } from '../calendar/repeat-rule.ts';
import { compileSchedule, type RepeatRule } from '../calendar/schedule.ts';
import type { ReadTables } from '../database/rows.ts';
import { readSnapshot } from '../database/snapshot.ts';
import { millisecondsOf } from '../database/timestamp.ts';
import type { RunState, SkipReason } from '../entities/run.ts';
import { readLedgerFrom } from './ledger-begin.ts';
import { countPlanned, readPlanned, type SlotRange, scheduleHash } from './planned-slots.ts';
import { YieldBudget } from './slot-budget.ts';

/** The outcomes of a slot: the states of its run, or no run yet. */
export const SLOT_STATES = [
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'SKIPPED',
  'RUNNING',
  'QUEUED',
  'PLANNED',
] as const satisfies readonly (RunState | 'PLANNED')[];
export type SlotState = (typeof SLOT_STATES)[number];

/** The slots of one minute. */
export interface BusyMinute {
  at: Date;
  count: number;
}

/** The slots of one step. */
export interface SlotBucket {
  at: Date;
  counts: Record<SlotState, number>;
  busiest: BusyMinute;
}

/** Slots of one task that were skipped in a row, kept as one record. */
export interface SlotGap {
  taskId: number;
  from: Date;
  to: Date;
  reason: SkipReason;
  count: number;
}

export interface SlotLoad {
  /** The database's clock. */
  now: Date;
  /** The start of the count: the requested one, or the beginning of the ledger. */
  from: Date;
  /** All future slots before this instant are counted; later ones may be missing. */
  plannedUntil: Date;
  /** Those with a slot, in order. */
  buckets: SlotBucket[];
  /** The minutes with the most slots, in descending order. */
  busiest: BusyMinute[];
  /** The newest of those that touch the range. */
  gaps: SlotGap[];
  /** Gaps of which the slots are not counted. */
  gapsLeftOut: number;
}

export const MAX_STEPS = 750;
export const MAX_DAYS = 32;
const MAX_BUSIEST = 10;
const MAX_GAPS = 100;
/** Gaps that differ in schedule or extent, and slots in all of them, that are counted one by one. */
const MAX_GAP_GROUPS = 10_000;
const MAX_GAP_SLOTS = 3_000_000;

interface RunRow {
  at: number;
  state: RunState;
  runs: number;
}

/** Gaps of tasks that had the same schedule, from and to the same slots. */
interface GapRow {
  time_zone: string;
  rules: RepeatRule[];
  from_slot: number;
  to_slot: number;
  gaps: number;
  /** Of all rows together. */
  all_gaps: number;
}

/** Counts the slots in [from, to), which are whole minutes, in steps from `from` on. */
export async function readSlotLoad(em: EntityManager, asked: SlotRange, stepMinutes: number): Promise<SlotLoad> {
  const read = await readSnapshot(em, async (database) => {
    const { rows: clock } = await sql<{ now: Date }>`select now() as now`.execute(database);
    const ledgerFrom = await readLedgerFrom(database);
    const from = ledgerFrom === null || ledgerFrom < asked.from ? asked.from : ledgerFrom;
    const range = { ...asked, from: from < asked.to ? from : asked.to };
    return {
      now: new Date(clock[0]?.now ?? Number.NaN),
      range,
      runs: await readRuns(database, range),
      gapGroups: await readGapGroups(database, range),
      gaps: await readGaps(database, range),
      planned: await readPlanned(database, range),
    };
  });
  const { now, range, runs, gapGroups, gaps, planned } = read;
  const minutes = new Minutes(asked.from, asked.to);
  for (const row of runs) minutes.add(row.state, row.at, row.runs);
  const gapsLeftOut = await countGaps(gapGroups, range, (at, count) => minutes.add('SKIPPED', at, count));
  const plannedUntil = await countPlanned(planned, range, (at, count) => minutes.add('PLANNED', at, count));
  const { buckets, busiest } = minutes.inSteps(stepMinutes);
  return { now, from: range.from, plannedUntil, buckets, busiest, gaps, gapsLeftOut };
}

function ofTask(column: string, taskId: number | null) {
  return taskId === null ? sql`` : sql`and ${sql.ref(column)} = ${taskId}`;
}

async function readRuns(database: Kysely<ReadTables>, { from, to, taskId }: SlotRange): Promise<RunRow[]> {
  const { rows } = await sql<RunRow>`
    select ${millisecondsOf('slot')} as at, state, count(*)::int as runs from run
    where trigger = 'SCHEDULE' and slot >= ${from} and slot < ${to} ${ofTask('task_id', taskId)}
    group by slot, state
  `.execute(database);
  return rows;
}

/** The smallest first, so that as few as possible are left out. */
async function readGapGroups(database: Kysely<ReadTables>, { from, to, taskId }: SlotRange): Promise<GapRow[]> {
  const { rows } = await sql<GapRow>`
    select v.time_zone, v.rules, ${millisecondsOf('from_slot')} as from_slot, ${millisecondsOf('to_slot')} as to_slot, gaps, all_gaps
    from (
      select min(v.id) as version_id, gap.from_slot, gap.to_slot, min(gap.count) as slots, count(*)::int as gaps,
        (sum(count(*)) over ())::int as all_gaps
      from slot_gap as gap join schedule_version v on v.task_id = gap.task_id
        and v.valid_from < gap.from_slot and (v.valid_to is null or v.valid_to >= gap.from_slot)
      where gap.to_slot >= ${from} and gap.from_slot < ${to} ${ofTask('gap.task_id', taskId)}
      group by v.time_zone, ${scheduleHash}, gap.from_slot, gap.to_slot
      order by slots limit ${MAX_GAP_GROUPS}
    ) as alike join schedule_version v on v.id = version_id
    order by slots
  `.execute(database);
  return rows;
}

/** Returns how many gaps are too many to be counted. */
async function countGaps(
  groups: readonly GapRow[],
  { from, to }: SlotRange,
  add: (at: number, count: number) => void,
): Promise<number> {
  const turns = new YieldBudget();
  let left = groups[0]?.all_gaps ?? 0;
  let room = MAX_GAP_SLOTS;
  for (const { time_zone, rules, from_slot, to_slot, gaps } of groups) {
    await turns.pass();
    const after = new Date(Math.max(from_slot, from.getTime()) - 1);
    const until = new Date(Math.min(to_slot, to.getTime() - 1));
    const slots = compileSchedule(rules, time_zone).slots(after, until, room + 1);
    if (slots.length > room) break;
    room -= slots.length;
    left -= gaps;
    for (const slot of slots) add(slot.getTime(), gaps);
  }
  return left;
}

async function readGaps(database: Kysely<ReadTables>, { from, to, taskId }: SlotRange): Promise<SlotGap[]> {
  const { rows } = await sql<{ task_id: number; from_ms: number; to_ms: number; reason: SkipReason; count: number }>`
    select task_id, ${millisecondsOf('from_slot')} as from_ms, ${millisecondsOf('to_slot')} as to_ms, reason, count from slot_gap
    where to_slot >= ${from} and from_slot < ${to} ${ofTask('task_id', taskId)}
    order by to_slot desc, task_id limit ${MAX_GAPS}
  `.execute(database);
  return rows.map(({ task_id, from_ms, to_ms, reason, count }) => {
    return { taskId: task_id, from: new Date(from_ms), to: new Date(to_ms), reason, count };
  });
}

function ofEachState<Value>(make: (state: SlotState) => Value): Record<SlotState, Value> {
  return Object.fromEntries(SLOT_STATES.map((state) => [state, make(state)])) as Record<SlotState, Value>;
}

function sum(counts: Float64Array): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** The slots of each minute of a range, by outcome. */
class Minutes {
  readonly #first: number;
  readonly #counts: Record<SlotState, Float64Array>;
  readonly #totals: Float64Array;

  constructor(from: Date, to: Date) {
    this.#first = from.getTime() / MS_PER_MINUTE;
    const length = Math.ceil(to.getTime() / MS_PER_MINUTE) - this.#first;
    this.#counts = ofEachState(() => new Float64Array(length));
    this.#totals = new Float64Array(length);
  }

  add(state: SlotState, at: number, count: number): void {
    const minute = at / MS_PER_MINUTE - this.#first;
    const counts = this.#counts[state];
    if (!(minute in counts)) throw new RangeError(`no place for a slot at ${at}`);
    counts[minute] = (counts[minute] ?? 0) + count;
    this.#totals[minute] = (this.#totals[minute] ?? 0) + count;
  }

  inSteps(step: number): Pick<SlotLoad, 'buckets' | 'busiest'> {
    const buckets: SlotBucket[] = [];
    for (let start = 0; start < this.#totals.length; start += step) {
      const minutes = this.#totals.subarray(start, start + step);
      const most = minutes.reduce((found, count) => Math.max(found, count), 0);
      if (most === 0) continue;
      const counts = ofEachState((state) => sum(this.#counts[state].subarray(start, start + step)));
      const busiest = { at: this.#at(start + minutes.indexOf(most)), count: most };
      buckets.push({ at: this.#at(start), counts, busiest });
    }
    return { buckets, busiest: this.#busiest() };
  }

  /** For equal numbers of slots, the earlier minute first. */
  #busiest(): BusyMinute[] {
    const minutes = [...this.#totals.keys()].filter((minute) => this.#totals[minute] !== 0);
    return minutes
      .map((minute) => ({ at: this.#at(minute), count: this.#totals[minute] ?? 0 }))
      .sort((left, right) => right.count - left.count || left.at.getTime() - right.at.getTime())
      .slice(0, MAX_BUSIEST);
  }

  #at(minute: number): Date {
    return new Date((this.#first + minute) * MS_PER_MINUTE);
  }
}
