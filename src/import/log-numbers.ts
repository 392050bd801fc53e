// For old callers log_id only grows, so events here are numbered after the imported history.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { LOCK_TIMEOUT_MS, type Patience, patiently } from '../database/lock-patience.ts';
import { moveSequence } from '../database/sequence.ts';
import { inTransaction } from '../database/transaction.ts';
import { HISTORY_EVENT_TYPES } from '../entities/event.ts';

/**
 * The old server continues with its own numbers until it is switched off, and a later import brings them. This many
 * numbers are reserved for it between the highest imported one and the next one here.
 */
const MARGIN = 1_000_000;
/** The sequence is moved when at most this many numbers are left, not after each task. */
const LEAST_MARGIN = MARGIN / 2;

/** The number that was given last here. */
export async function lastNumber(em: EntityManager): Promise<number> {
  const { rows } = await sql<{ last: number }>`
    select coalesce(pg_sequence_last_value(pg_get_serial_sequence('event', 'id')::regclass), 0) as last
  `.execute(em.getKysely());
  return Number(rows[0]?.last ?? 0);
}

/**
 * Sees to it that what happens here from now on is numbered well after `highest`, the highest number of the history of a
 * task. It is to be done before that is stored.
 */
export async function continueNumbers(
  em: EntityManager,
  taskId: number,
  highest: number,
  patience: Patience,
): Promise<void> {
  // Numbers only grow, so no lock is needed to read the current one.
  if (highest === 0 || (await lastNumber(em.fork())) >= highest + LEAST_MARGIN) return;
  await patiently(() => moveUnderLock(em, highest + MARGIN), {
    ...patience,
    ask: (text) => em.fork().getConnection().execute(text),
    waits: (others) => `The import waits to number what happens here, since ${others}; what is up goes on meanwhile.`,
    givesUp: (others) =>
      `The history of task ${taskId} could not be stored, since ${others}: end them, or import again once they have ended; what is stored stays.`,
  });
}

/** Under a table lock, so that no transaction holds a lower number uncommitted: readers would see it after the history. */
function moveUnderLock(em: EntityManager, id: number): Promise<void> {
  return inTransaction(em, async (transaction) => {
    const database = transaction.getKysely();
    await sql`set local lock_timeout = ${sql.lit(LOCK_TIMEOUT_MS)}`.execute(database);
    await sql`lock table event in share row exclusive mode`.execute(database);
    await moveSequence(transaction, 'event', id);
  });
}

/** How many of these rows of the history of a task have the number of something that happened to it here. */
export async function countRepeated(em: EntityManager, taskId: number, logIds: readonly number[]): Promise<number> {
  if (logIds.length === 0) return 0;
  const { rows } = await sql<{ repeated: number }>`
    select count(*)::int as repeated from event
    where id = any(${logIds}::bigint[]) and task_id = ${taskId} and type = any(${[...HISTORY_EVENT_TYPES]}::text[])
  `.execute(em.getKysely());
  return rows[0]?.repeated ?? 0;
}
