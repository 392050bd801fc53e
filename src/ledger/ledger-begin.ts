import type { Kysely } from 'kysely';
import type { ReadTables } from '../database/rows.ts';
import { toDate } from '../database/timestamp.ts';

/** Records of slots before this may have been removed; null while all exist. */
export async function readLedgerFrom(database: Kysely<ReadTables>): Promise<Date | null> {
  const { ledger_from } = await database.selectFrom('retention').select('ledger_from').executeTakeFirstOrThrow();
  return ledger_from === null ? null : toDate(ledger_from);
}
