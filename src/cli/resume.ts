// npm run resume: says that the restored installation is the real one now; its runners begin.

import { releaseInstallation } from '../backup/installation.ts';
import { openDatabase } from '../database/open-database.ts';
import { inTransaction } from '../database/transaction.ts';
import { readSettings } from '../env.ts';
import { runCommand, say } from './run-command.ts';

await runCommand(async (releasers) => {
  const { orm } = await openDatabase(readSettings(), releasers, () => undefined);
  const released = await inTransaction(orm.em, async (em) => {
    // Delivered with the commit.
    await em.execute("select pg_notify('slotkeeper_installation', '')");
    return releaseInstallation(em);
  });
  say(released ? 'The runners of this installation are released.' : 'The runners of this installation were not held.');
});
