import type { EntityManager } from '@mikro-orm/postgresql';
import type { Kysely } from 'kysely';
import type { ReadTables } from './rows.ts';

/** Reads that share one snapshot: without it, a slot that fires between two of them would look lost or duplicated. */
export function readSnapshot<Result>(
  em: EntityManager,
  read: (database: Kysely<ReadTables>) => Promise<Result>,
): Promise<Result> {
  return em
    .fork()
    .getKysely<ReadTables>()
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(read);
}
