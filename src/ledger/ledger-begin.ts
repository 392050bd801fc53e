import type { Kysely } from 'kysely';
import type { ReadTables } from '../database/rows.ts';
import { toDate } from '../database/timestamp.ts';

/** Of slots before this the records may be gone; null while all are there. */
export async function readLedgerFrom(database: Kysely<ReadTables>): Promise<Date | null> {
  const { ledger_from } = await database.selectFrom('retention').select('ledger_from').executeTakeFirstOrThrow();
  return ledger_from === null ? null : toDate(ledger_from);
}
