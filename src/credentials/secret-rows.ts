// Stored secrets as they are read: their names, hosts and times, without their values.
import type { EntityManager } from '@mikro-orm/postgresql';
import { type ReadTables, readRows } from '../database/rows.ts';

/** Without the sealed value, which is never shown again. */
export type SecretRow = Omit<ReadTables['secret'], 'sealed_value'>;

export function secretRows(em: EntityManager) {
  return readRows(em)
    .selectFrom('secret')
    .select(['id', 'name', 'allowed_hosts', 'created_at', 'updated_at', 'updated_by_id']);
}
