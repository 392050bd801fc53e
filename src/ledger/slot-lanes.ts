// The tasks with slots in a short range, each with those slots and their outcomes.
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Kysely, sql } from 'kysely';
import { compileSchedule, type RepeatRule } from '../calendar/schedule.ts';
import type { ReadTables } from '../database/rows.ts';
import { readSnapshot } from '../database/snapshot.ts';
import { millisecondsOf } from '../database/timestamp.ts';
import type { RunState, SkipReason } from '../entities/run.ts';
import { readLedgerFrom } from './ledger-begin.ts';
import { scheduleHash } from './planned-slots.ts';
import { YieldBudget } from './slot-budget.ts';
import type { SlotState } from './slot-load.ts';

export interface LaneSlot {
  at: Date;
  state: SlotState;
  skipReason: SkipReason | null;
  /** Null for a future slot, and for one that was skipped in a gap. */
  runId: number | null;
}

export interface SlotLane {
  /** The task's. */
  id: number;
  slots: LaneSlot[];
}

/** The page of tasks: the id range, the size, and the direction. */
interface LanePage {
  after: number | null;
  before: number | null;
  limit: number;
  backward: boolean;
}

/** The longest stretch, which bounds the slots of a task. */
export const MAX_LANE_MINUTES = 400;
/** Different schedules of tasks that may have a slot there, a tenth of a millisecond each. */
export const MAX_LANE_SCHEDULES = 10_000;
const TASKS_AT_ONCE = 500;

interface Range {
  from: Date;
  to: Date;
}

/**
 * The next tasks in id order with slots in [from, to), as far back as the ledger goes; null where there are more than
 * MAX_LANE_SCHEDULES different schedules to be looked at.
 */
export function readLanes(em: EntityManager, asked: Range, page: LanePage): Promise<SlotLane[] | null> {
  return readSnapshot(em, async (database) => {
    const ledgerFrom = await readLedgerFrom(database);
    const range = ledgerFrom === null || ledgerFrom < asked.from ? asked : { ...asked, from: ledgerFrom };
    const schedules = await dueSchedules(database, range);
    if (schedules === null) return null;
    const lanes: SlotLane[] = [];
    const rest = { ...page };
    for (;;) {
      const ids = await nextTasks(database, range, schedules, rest);
      lanes.push(...(await lanesOf(database, range, ids)));
      if (ids.length < TASKS_AT_ONCE || lanes.length >= page.limit) return lanes.slice(0, page.limit);
      rest[page.backward ? 'before' : 'after'] = ids.at(-1) ?? null;
    }
  });
}

interface Schedules {
  hashes: string[];
  timeZones: string[];
}

/**
 * Which schedules have slots in the range, of tasks whose next slot comes before it or that have a gap there: whether
 * such a task has a slot is seen by nothing else. Null for more than MAX_LANE_SCHEDULES.
 */
async function dueSchedules(database: Kysely<ReadTables>, { from, to }: Range): Promise<Schedules | null> {
  const { rows } = await sql<{ hash: string; time_zone: string; rules: RepeatRule[] }>`
    select hash::text, v.time_zone, v.rules
    from (
      select min(id) as version_id, hash from (
        select v.id, v.time_zone, ${scheduleHash} as hash
        from task join schedule_version v on v.task_id = task.id and v.valid_to is null where task.next_run_at < ${from}
        union all
        select v.id, v.time_zone, ${scheduleHash} from ${gapsOf} where ${isIn({ from, to })}
      ) as each group by time_zone, hash limit ${MAX_LANE_SCHEDULES + 1}
    ) as alike join schedule_version v on v.id = version_id
  `.execute(database);
  if (rows.length > MAX_LANE_SCHEDULES) return null;
  const turns = new YieldBudget();
  const found: Schedules = { hashes: [], timeZones: [] };
  for (const { hash, time_zone, rules } of rows) {
    await turns.pass();
    const [first] = compileSchedule(rules, time_zone).slots(
      new Date(from.getTime() - 1),
      new Date(to.getTime() - 1),
      1,
    );
    if (first === undefined) continue;
    found.hashes.push(hash);
    found.timeZones.push(time_zone);
  }
  return found;
}

const gapsOf = sql`slot_gap as gap join schedule_version v on v.task_id = gap.task_id
  and v.valid_from < gap.from_slot and (v.valid_to is null or v.valid_to >= gap.from_slot)`;
const isIn = ({ from, to }: Range) => sql`gap.to_slot >= ${from} and gap.from_slot < ${to}`;

/** Tasks with recorded or future slots; some of those with a gap may have none. */
async function nextTasks(
  database: Kysely<ReadTables>,
  { from, to }: Range,
  { hashes, timeZones }: Schedules,
  page: LanePage,
): Promise<number[]> {
  const after = page.after ?? 0;
  const before = page.before ?? 2 ** 31 - 1;
  const hasSlot = sql`(v.time_zone, ${scheduleHash}) in (
    select * from unnest(${timeZones}::text[], ${hashes}::bigint[]))`;
  const { rows } = await sql<{ id: number }>`
    select id from (
      select task_id as id from run where trigger = 'SCHEDULE' and slot >= ${from} and slot < ${to}
      union select gap.task_id from ${gapsOf} where ${isIn({ from, to })} and ${hasSlot}
      union select id from task where next_run_at >= ${from} and next_run_at < ${to}
      union select task.id from task join schedule_version v on v.task_id = task.id and v.valid_to is null
      where task.next_run_at < ${from} and ${hasSlot}
    ) as task where id > ${after} and id < ${before}
    order by id ${page.backward ? sql`desc` : sql`asc`} limit ${TASKS_AT_ONCE}
  `.execute(database);
  return rows.map(({ id }) => id);
}

/** In id order, without tasks that have no slot. */
async function lanesOf(database: Kysely<ReadTables>, range: Range, ids: readonly number[]): Promise<SlotLane[]> {
  if (ids.length === 0) return [];
  const lanes = new Map(ids.map((id) => [id, { id, slots: [] as LaneSlot[] }]));
  const add = (id: number, slot: LaneSlot) => lanes.get(id)?.slots.push(slot);
  await addRecorded(database, range, ids, add);
  await addGaps(database, range, ids, add);
  await addPlanned(database, range, ids, add);
  for (const { slots } of lanes.values()) slots.sort((left, right) => left.at.getTime() - right.at.getTime());
  return [...lanes.values()].filter(({ slots }) => slots.length > 0);
}

type Add = (taskId: number, slot: LaneSlot) => void;

async function addRecorded(database: Kysely<ReadTables>, { from, to }: Range, ids: readonly number[], add: Add) {
  const { rows } = await sql<{ id: number; task_id: number; at: number; state: RunState; skip: SkipReason | null }>`
    select id, task_id, ${millisecondsOf('slot')} as at, state, skip_reason as skip from run
    where trigger = 'SCHEDULE' and task_id = any(${ids}) and slot >= ${from} and slot < ${to}
  `.execute(database);
  for (const { id, task_id, at, state, skip } of rows) {
    add(task_id, { at: new Date(at), state, skipReason: skip, runId: id });
  }
}

async function addGaps(database: Kysely<ReadTables>, { from, to }: Range, ids: readonly number[], add: Add) {
  const { rows } = await sql<{
    task_id: number;
    time_zone: string;
    rules: RepeatRule[];
    first: number;
    last: number;
    reason: SkipReason;
  }>`
    select gap.task_id, v.time_zone, v.rules, gap.reason,
      ${millisecondsOf('gap.from_slot')} as first, ${millisecondsOf('gap.to_slot')} as last
    from ${gapsOf} where gap.task_id = any(${ids}) and ${isIn({ from, to })}
  `.execute(database);
  const turns = new YieldBudget();
  for (const { task_id, time_zone, rules, first, last, reason } of rows) {
    await turns.pass();
    const until = new Date(Math.min(last, to.getTime() - 1));
    const after = new Date(Math.max(first, from.getTime()) - 1);
    for (const at of compileSchedule(rules, time_zone).slots(after, until, MAX_LANE_MINUTES)) {
      add(task_id, { at, state: 'SKIPPED', skipReason: reason, runId: null });
    }
  }
}

async function addPlanned(database: Kysely<ReadTables>, { from, to }: Range, ids: readonly number[], add: Add) {
  const { rows } = await sql<{ id: number; time_zone: string; rules: RepeatRule[]; next: number }>`
    select task.id, v.time_zone, v.rules, ${millisecondsOf('task.next_run_at')} as next
    from task join schedule_version v on v.task_id = task.id and v.valid_to is null
    where task.id = any(${ids}) and task.next_run_at < ${to}
  `.execute(database);
  const turns = new YieldBudget();
  for (const { id, time_zone, rules, next } of rows) {
    await turns.pass();
    const after = new Date(Math.max(next, from.getTime()) - 1);
    for (const at of compileSchedule(rules, time_zone).slots(after, new Date(to.getTime() - 1), MAX_LANE_MINUTES)) {
      add(id, { at, state: 'PLANNED', skipReason: null, runId: null });
    }
  }
}
