import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';

/**
 * The highest id of a task or an item that an import may bring: ids that are assigned here come after it, and the
 * columns, like that of versions, end at 2^31 - 1.
 */
export const MAX_GIVEN_ID = 2 ** 31 - 1_000_000;

/** More numbers than all other sessions draw during one statement. */
const NEAR = 1_000;

/**
 * Moves the sequence so that the next row of the table gets an id after `id`. It takes effect at once, not at the
 * commit, and never moves back: ids that others draw meanwhile are not given out again.
 */
export async function moveSequence(
  em: EntityManager,
  table: 'task' | 'repeat_item' | 'event',
  id: number,
): Promise<void> {
  await em.transactional(async (transaction) => {
    const database = transaction.getKysely();
    // Without the lock, of two concurrent calls the one with the lower id could set it last, and ids would be given out
    // twice.
    await sql`select pg_advisory_xact_lock(hashtextextended(${`slotkeeper sequence ${table}`}, 0))`.execute(database);
    // Inserts draw numbers without this lock and could pass a near `id` first, so a short distance is drawn instead of
    // set.
    await sql`
      select case when missing > ${NEAR} then setval(sequence, ${id})
        else (select max(id) from (select nextval(sequence) as id from generate_series(1, missing)) as drawn) end
      from (
        select sequence, ${id}::bigint - coalesce(pg_sequence_last_value(sequence), 0) as missing
        from (select pg_get_serial_sequence(${table}, 'id')::regclass as sequence) as its
      ) as way
      where missing > 0
    `.execute(database);
  });
}
