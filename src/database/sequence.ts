import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';

/**
 * Whoever adds a row to the table next gets an id after `id`. Moved at once and not with the commit, and never back:
 * ids that others take at this moment stay below.
 */
export async function moveSequence(
  em: EntityManager,
  table: 'task' | 'repeat_item' | 'event',
  id: number,
): Promise<void> {
  await sql`
    select setval(sequence, ${id})
    from (select pg_get_serial_sequence(${table}, 'id')::regclass as sequence) as its
    where ${id} > coalesce(pg_sequence_last_value(sequence), 0)
  `.execute(em.getKysely());
}
