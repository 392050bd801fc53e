// Whether every slot is accounted for: the slots that the schedules of their time had, against the ledger.
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Kysely, sql } from 'kysely';
import { compileSchedule, type RepeatRule } from '../calendar/schedule.ts';
import type { ReadTables } from '../database/rows.ts';
import { readSnapshot } from '../database/snapshot.ts';
import { millisecondsOf } from '../database/timestamp.ts';
import { readLedgerFrom } from './ledger-begin.ts';

export interface Coverage {
  /** The start of the count: the requested one, or the beginning of the ledger. */
  from: Date;
  expected: number;
  ran: number;
  skipped: number;
  pending: number;
  unaccounted: number;
  /** The first of the unaccounted slots. */
  missing: { taskId: number; slot: Date }[];
}

/** More slots than this are too many for one question. */
export const MAX_EXPECTED = 1_000_000;
const MAX_MISSING = 100;
const TASKS_AT_ONCE = 500;

interface VersionRow {
  task_id: number;
  rules: RepeatRule[];
  time_zone: string;
  /** Milliseconds since 1970, cut to the range that was asked for. */
  after: number;
  until: number;
  next_run_at: number | null;
  is_current: boolean;
}

interface LedgerRow {
  task_id: number;
  slot: number;
  outcome: 'ran' | 'skipped' | 'pending';
}

interface GapRow {
  task_id: number;
  from_slot: number;
  to_slot: number;
}

/**
 * Counts the slots in [from, to) of one task or of all, as far back as the ledger goes: recorded ones, future ones, and
 * those that are neither. Null if there are more than MAX_EXPECTED. Everything is read in one snapshot.
 */
export function readCoverage(em: EntityManager, from: Date, to: Date, taskId: number | null): Promise<Coverage | null> {
  return readSnapshot(em, async (database) => {
    const ledgerFrom = await readLedgerFrom(database);
    const begin = ledgerFrom === null || ledgerFrom < from ? from : ledgerFrom;
    const nothing = { expected: 0, ran: 0, skipped: 0, pending: 0, unaccounted: 0, missing: [] };
    const coverage: Coverage = { from: begin, ...nothing };
    if (begin >= to) return coverage;
    const range = { after: new Date(begin.getTime() - 1), until: new Date(to.getTime() - 1) };
    for (let last = 0; ; ) {
      const ids = await nextTasks(database, range, taskId, last);
      if (ids.length === 0) return coverage;
      if (!(await addTasks(database, range, ids, coverage))) return null;
      last = ids.at(-1) ?? last;
    }
  });
}

interface Range {
  /** Exclusive. */
  after: Date;
  /** Inclusive. */
  until: Date;
}

/** The tasks that expected slots in the range, deleted ones included, in id order. */
async function nextTasks(database: Kysely<ReadTables>, { after, until }: Range, taskId: number | null, last: number) {
  const { rows } = await sql<{ id: number }>`
    select id from task
    where id > ${last} and (${taskId}::int is null or id = ${taskId}) and (
      -- Not "exists", for which each page may read all versions.
      select true from schedule_version v where v.task_id = task.id and v.active
        and v.valid_from < ${until} and (v.valid_to is null or v.valid_to > ${after}) limit 1)
    order by id limit ${TASKS_AT_ONCE}
  `.execute(database);
  return rows.map(({ id }) => id);
}

/** Adds the slots of the tasks; false if there are too many. */
async function addTasks(
  database: Kysely<ReadTables>,
  range: Range,
  taskIds: readonly number[],
  coverage: Coverage,
): Promise<boolean> {
  const versions = await readVersions(database, range, taskIds);
  const ledger = Map.groupBy(await readLedger(database, range, taskIds), ({ task_id }) => task_id);
  const gaps = Map.groupBy(await readGaps(database, range, taskIds), ({ task_id }) => task_id);
  const outcomes = new Map([...ledger].map(([id, rows]) => [id, new Map(rows.map((row) => [row.slot, row.outcome]))]));
  for (const version of versions) {
    const slots = compileSchedule(version.rules, version.time_zone).slots(
      new Date(version.after),
      new Date(version.until),
      MAX_EXPECTED - coverage.expected + 1,
    );
    coverage.expected += slots.length;
    if (coverage.expected > MAX_EXPECTED) return false;
    const recorded = outcomes.get(version.task_id);
    const skipped = gaps.get(version.task_id) ?? [];
    for (const slot of slots) countSlot(coverage, version, slot, recorded?.get(slot.getTime()), skipped);
  }
  return true;
}

function countSlot(
  coverage: Coverage,
  { task_id, is_current, next_run_at }: VersionRow,
  slot: Date,
  outcome: LedgerRow['outcome'] | undefined,
  gaps: readonly GapRow[],
): void {
  const at = slot.getTime();
  if (outcome !== undefined) {
    coverage[outcome] += 1;
  } else if (gaps.some(({ from_slot, to_slot }) => from_slot <= at && at <= to_slot)) {
    coverage.skipped += 1;
  } else if (is_current && next_run_at !== null && at >= next_run_at) {
    // The task's pointer is at or before it: the slot is in the future.
    coverage.pending += 1;
  } else {
    coverage.unaccounted += 1;
    if (coverage.missing.length < MAX_MISSING) coverage.missing.push({ taskId: task_id, slot });
  }
}

/** The ranges in which the tasks were active. Milliseconds of a boundary do not matter: slots are whole minutes. */
async function readVersions(database: Kysely<ReadTables>, { after, until }: Range, taskIds: readonly number[]) {
  const { rows } = await sql<VersionRow>`
    select v.task_id, v.rules, v.time_zone, v.valid_to is null as is_current, ${millisecondsOf('task.next_run_at')} as next_run_at,
      floor(extract(epoch from greatest(v.valid_from, ${after}::timestamptz)) * 1000)::float8 as after,
      floor(extract(epoch from least(v.valid_to, ${until}::timestamptz)) * 1000)::float8 as until
    from schedule_version v join task on task.id = v.task_id and task.id = any(${taskIds})
    where v.task_id = any(${taskIds}) and v.active
      and v.valid_from < ${until}::timestamptz and (v.valid_to is null or v.valid_to > ${after}::timestamptz)
    order by v.task_id, v.valid_from
  `.execute(database);
  return rows;
}

async function readLedger(database: Kysely<ReadTables>, { after, until }: Range, taskIds: readonly number[]) {
  const { rows } = await sql<LedgerRow>`
    select task_id, ${millisecondsOf('slot')} as slot,
      case when state = 'SKIPPED' then 'skipped' when state in ('QUEUED', 'RUNNING') then 'pending' else 'ran' end as outcome
    from run
    where trigger = 'SCHEDULE' and task_id = any(${taskIds}) and slot > ${after} and slot <= ${until}
    limit ${2 * MAX_EXPECTED}
  `.execute(database);
  return rows;
}

async function readGaps(database: Kysely<ReadTables>, { after, until }: Range, taskIds: readonly number[]) {
  const { rows } = await sql<GapRow>`
    select task_id, ${millisecondsOf('from_slot')} as from_slot, ${millisecondsOf('to_slot')} as to_slot from slot_gap
    where task_id = any(${taskIds}) and to_slot > ${after} and from_slot <= ${until}
  `.execute(database);
  return rows;
}
