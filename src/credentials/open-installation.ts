import { notStarted } from '../database/not-started.ts';
import { type DatabaseUse, type OpenDatabase, openDatabase } from '../database/open-database.ts';
import { User } from '../entities/index.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Releasers } from '../lib/releasers.ts';
import type { Settings } from '../settings.ts';
import { checkMasterKey } from './first-admin.ts';
import { readMasterKey } from './master-key.ts';
import { Vault } from './vault.ts';

export interface OpenInstallation extends OpenDatabase {
  vault: Vault;
}

/** The database of an installation for a command; an OperatorError where it was never started. */
export async function openStarted(
  settings: Settings,
  releasers: Releasers,
  log: (message: string) => void,
  use?: DatabaseUse,
): Promise<OpenDatabase> {
  const opened = await openDatabase(settings, releasers, log, use);
  if ((await opened.orm.em.fork().count(User)) === 0) throw notStarted('There is no admin yet');
  return opened;
}

/** The same with its master key; an OperatorError where there is none, or another one. */
export async function openInstallation(
  settings: Settings,
  releasers: Releasers,
  log: (message: string) => void,
  use?: DatabaseUse,
): Promise<OpenInstallation> {
  const { orm, url } = await openStarted(settings, releasers, log, use);
  const key = settings.MASTER_KEY ?? (await readMasterKey(settings.DATA_DIR));
  // One that is made now would open nothing.
  if (key === null) {
    throw new OperatorError(
      `There is no master key in ${settings.DATA_DIR}: set MASTER_KEY, or DATA_DIR with its master.key, to those that this database was started with first.`,
    );
  }
  const vault = new Vault(key);
  await checkMasterKey(orm.em, vault);
  return { orm, url, vault };
}
