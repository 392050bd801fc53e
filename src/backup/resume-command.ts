// npm run resume: says that the restored installation is the real one now; its runners begin.
import { findDatabase } from '../database/find-database.ts';
import { migrate } from '../database/migrate.ts';
import { openOrm } from '../database/orm.ts';
import { inTransaction } from '../database/transaction.ts';
import { readSettings } from '../env.ts';
import { runCommand, say } from './command.ts';
import { releaseInstallation } from './installation.ts';

await runCommand(async (releasers) => {
  const { url, release } = await findDatabase(readSettings(), () => undefined);
  releasers.push(release);
  const orm = await openOrm(url, 2);
  releasers.push(() => orm.close());
  await migrate(orm, url);
  const released = await inTransaction(orm.em, async (em) => {
    // Delivered with the commit.
    await em.execute("select pg_notify('slotkeeper_installation', '')");
    return releaseInstallation(em);
  });
  say(released ? 'The runners of this installation are released.' : 'The runners of this installation were not held.');
});
