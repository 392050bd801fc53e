import { releaseInstallation } from '../backup/installation.ts';
import { openDatabase } from '../database/open-database.ts';
import { inTransaction } from '../database/transaction.ts';
import { readSettings } from '../settings.ts';
import type { CommandContext } from './run-command.ts';

/** Declares the restored installation the live one, so that its runners start. */
export async function resume(_options: object, { releasers, output }: CommandContext): Promise<void> {
  const { orm } = await openDatabase(readSettings(), releasers, () => undefined);
  const released = await inTransaction(orm.em, async (em) => {
    // Delivered at the commit.
    await em.execute("select pg_notify('slotkeeper_installation', '')");
    return releaseInstallation(em);
  });
  const text = released
    ? 'The runners of this installation are released.'
    : 'The runners of this installation were not held.';
  output.result(text, { released });
}
