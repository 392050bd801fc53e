import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';

/**
 * The highest id of a task or an item that is taken from elsewhere: ids that are given here come after, and the columns, like
 * that of versions, end at 2^31 - 1.
 */
export const MAX_GIVEN_ID = 2 ** 31 - 1_000_000;

/** More numbers than all others draw within one statement. */
const NEAR = 1_000;

/**
 * Whoever adds a row to the table next gets an id after `id`. Moved at once and not with the commit, and never back:
 * ids that others take at this moment stay below.
 */
export async function moveSequence(
  em: EntityManager,
  table: 'task' | 'repeat_item' | 'event',
  id: number,
): Promise<void> {
  await em.transactional(async (transaction) => {
    const database = transaction.getKysely();
    // Of two who look at once, the one with the lower id would set it last now and then, and ids be given out twice.
    await sql`select pg_advisory_xact_lock(hashtextextended(${`slotkeeper sequence ${table}`}, 0))`.execute(database);
    // Whoever adds rows draws numbers without that lock, so a short way, which they might be over first, is drawn as well.
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
