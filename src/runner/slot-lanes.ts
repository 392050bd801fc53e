// The tasks that have slots in a short stretch of time, each with those slots and what became of them.
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Kysely, sql } from 'kysely';
import type { ReadTables } from '../database/rows.ts';
import { readSnapshot } from '../database/snapshot.ts';
import type { RunState, SkipReason } from '../entities/run.ts';
import { compileSchedule, type RepeatRule } from './calendar.ts';
import { readLedgerFrom } from './retention.ts';
import { Turns } from './slot-budget.ts';
import type { SlotState } from './slot-load.ts';

export interface LaneSlot {
  at: Date;
  state: SlotState;
  skipReason: SkipReason | null;
  /** None of what is to come, nor of what was skipped in a gap. */
  runId: number | null;
}

export interface SlotLane {
  /** The task's. */
  id: number;
  slots: LaneSlot[];
}

/** Which of the tasks: those whose ids lie between, so many of them, read in descending order where it is backward. */
export interface LanePage {
  after: number | null;
  before: number | null;
  limit: number;
  backward: boolean;
}

/** The longest stretch, which bounds the slots of a task. */
export const MAX_LANE_MINUTES = 400;
/** Tasks whose schedules are looked at for one page, since their next slot is earlier than what is asked for. */
export const MAX_LOOKED_AT = 10_000;
const TASKS_AT_ONCE = 500;

const epoch = (column: string) => sql`(extract(epoch from ${sql.ref(column)}) * 1000)::float8`;

interface Range {
  from: Date;
  to: Date;
}

/**
 * The next tasks in id order with slots in [from, to), as far back as the ledger goes. Fewer than asked for where
 * MAX_LOOKED_AT tasks were looked at, `hasMore` then being true; null where none of those has a slot.
 */
export function readLanes(
  em: EntityManager,
  asked: Range,
  page: LanePage,
): Promise<{ lanes: SlotLane[]; hasMore: boolean } | null> {
  return readSnapshot(em, async (database) => {
    const ledgerFrom = await readLedgerFrom(database);
    const range = ledgerFrom === null || ledgerFrom < asked.from ? asked : { ...asked, from: ledgerFrom };
    const lanes: SlotLane[] = [];
    const rest = { ...page };
    for (let lookedAt = 0; lookedAt < MAX_LOOKED_AT; lookedAt += TASKS_AT_ONCE) {
      const ids = await nextTasks(database, range, rest);
      lanes.push(...(await lanesOf(database, range, ids)));
      const isEnd = ids.length < TASKS_AT_ONCE;
      if (isEnd || lanes.length >= page.limit) {
        return { lanes: lanes.slice(0, page.limit), hasMore: !isEnd || lanes.length > page.limit };
      }
      rest[page.backward ? 'before' : 'after'] = ids.at(-1) ?? null;
    }
    return lanes.length === 0 ? null : { lanes, hasMore: true };
  });
}

/** Tasks that have something recorded, or may have something to come. */
async function nextTasks(database: Kysely<ReadTables>, { from, to }: Range, page: LanePage): Promise<number[]> {
  const after = page.after ?? 0;
  const before = page.before ?? 2 ** 31 - 1;
  const { rows } = await sql<{ id: number }>`
    select id from (
      select task_id as id from run where trigger = 'SCHEDULE' and slot >= ${from} and slot < ${to}
      union select task_id from slot_gap where to_slot >= ${from} and from_slot < ${to}
      union select id from task where next_run_at < ${to}
    ) as task where id > ${after} and id < ${before}
    order by id ${page.backward ? sql`desc` : sql`asc`} limit ${TASKS_AT_ONCE}
  `.execute(database);
  return rows.map(({ id }) => id);
}

/** In the order of the ids, without those that have no slot. */
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
    select id, task_id, ${epoch('slot')} as at, state, skip_reason as skip from run
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
      ${epoch('gap.from_slot')} as first, ${epoch('gap.to_slot')} as last
    from slot_gap as gap join schedule_version v on v.task_id = gap.task_id
      and v.valid_from < gap.from_slot and (v.valid_to is null or v.valid_to >= gap.from_slot)
    where gap.task_id = any(${ids}) and gap.to_slot >= ${from} and gap.from_slot < ${to}
  `.execute(database);
  const turns = new Turns();
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
    select task.id, v.time_zone, v.rules, ${epoch('task.next_run_at')} as next
    from task join schedule_version v on v.task_id = task.id and v.valid_to is null
    where task.id = any(${ids}) and task.next_run_at < ${to}
  `.execute(database);
  const turns = new Turns();
  for (const { id, time_zone, rules, next } of rows) {
    await turns.pass();
    const after = new Date(Math.max(next, from.getTime()) - 1);
    for (const at of compileSchedule(rules, time_zone).slots(after, new Date(to.getTime() - 1), MAX_LANE_MINUTES)) {
      add(id, { at, state: 'PLANNED', skipReason: null, runId: null });
    }
  }
}
