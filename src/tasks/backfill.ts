// Backfills: runs of past slots on request.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { compileSchedule } from '../calendar/schedule.ts';
import { readRows } from '../database/rows.ts';
import { millisecondsOf, toText } from '../database/timestamp.ts';
import type { Task } from '../entities/index.ts';
import { readLedgerFrom } from '../ledger/ledger-begin.ts';
import { badInput } from '../lib/faults.ts';
import { checkRange } from '../lib/input.ts';
import { backfillSlots } from '../scheduling/requests.ts';
import { currentRules } from '../scheduling/schedule-change.ts';
import type { Actor } from './actor.ts';
import { lockForChange } from './lock-task.ts';
import type { Requester } from './run-requests.ts';

/** Slots of one backfill at most. */
export const MAX_SLOTS = 500;

/** The slots of the task in [from, to); `to` is not in the future. */
interface BackfillRange {
  from: Date;
  to: Date;
  /** Whether slots with a run that succeeded, or has not ended yet, are run again. */
  includeSucceeded: boolean;
}

export interface Backfill {
  slots: Date[];
  /** The new runs of the slots, in the same order; none where it was only asked which slots it would be. */
  runIds: number[];
}

/**
 * The slots that a backfill would run, earliest first: those that the task's present rules have in the range, whether or
 * not they were its rules then. BAD_USER_INPUT for `from` or `to`.
 */
export async function planBackfill(
  actor: Actor,
  em: EntityManager,
  taskId: number,
  range: BackfillRange,
): Promise<Date[]> {
  const { slots } = await findSlots(actor, em, taskId, range);
  return slots;
}

/** Makes the runs of a backfill, and returns the id of the first; null where there is no slot to run. */
export async function backfillTask(
  requester: Requester,
  em: EntityManager,
  taskId: number,
  range: BackfillRange,
): Promise<number | null> {
  const { jobs, viewer, span } = requester;
  const { task, slots } = await findSlots(requester, em, taskId, range);
  return slots.length === 0 ? null : backfillSlots(em, jobs, task, slots, { actor: viewer, span });
}

/** The runs that were made together with the first one. */
export async function readBackfill(em: EntityManager, firstRunId: number): Promise<Backfill> {
  const { rows } = await sql<{ id: number; at: number }>`
    select run.id, ${millisecondsOf('run.slot')} as at
    from run join run first on first.id = ${firstRunId}
    where run.task_id = first.task_id and run.trigger = 'BACKFILL' and run.queued_at = first.queued_at
    order by run.slot
  `.execute(readRows(em));
  return { slots: rows.map(({ at }) => new Date(at)), runIds: rows.map(({ id }) => id) };
}

async function findSlots(
  actor: Actor,
  em: EntityManager,
  taskId: number,
  { from, to, includeSucceeded }: BackfillRange,
): Promise<{ task: Task; slots: Date[] }> {
  const { task, now } = await lockForChange(actor, em, taskId);
  checkRange(from, to);
  if (to > now) throw badInput('to', `must not be in the future, got ${to.toISOString()}`);
  const schedule = compileSchedule(await currentRules(em, task), task.timeZone);
  const [after, until] = [new Date(from.getTime() - 1), new Date(to.getTime() - 1)];
  const slots = schedule.slots(after, until, MAX_SLOTS + 1);
  if (slots.length > MAX_SLOTS) {
    throw badInput('to', `must leave at most ${MAX_SLOTS} slots in the range: ask for a shorter range`);
  }
  if (includeSucceeded) return { task, slots };
  await checkKnown(em, from);
  return { task, slots: await withoutDone(em, task.id, slots) };
}

/** Checks that the records of slots since `from` still exist. */
async function checkKnown(em: EntityManager, from: Date): Promise<void> {
  const ledgerFrom = await readLedgerFrom(readRows(em));
  if (ledgerFrom === null || from >= ledgerFrom) return;
  const accepted = `must be ${ledgerFrom.toISOString()} or later without includeSucceeded, got ${from.toISOString()}`;
  throw badInput('from', `${accepted}: which earlier slots succeeded is no longer known`);
}

async function withoutDone(em: EntityManager, taskId: number, slots: readonly Date[]): Promise<Date[]> {
  const { rows } = await sql<{ at: number }>`
    select distinct ${millisecondsOf('slot')} as at from run
    where task_id = ${taskId} and slot = any(${slots.map(toText)}::timestamptz[])
      and state in ('SUCCEEDED', 'QUEUED', 'RUNNING')
  `.execute(em.getKysely());
  const done = new Set(rows.map(({ at }) => at));
  return slots.filter((slot) => !done.has(slot.getTime()));
}
