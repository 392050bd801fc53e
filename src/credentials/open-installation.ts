import type { DatabaseSettings } from '../database/find-database.ts';
import { notStarted } from '../database/not-started.ts';
import { type DatabaseUse, type OpenDatabase, openDatabase } from '../database/open-database.ts';
import { User } from '../entities/index.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Releasers } from '../lib/releasers.ts';
import { checkMasterKey } from './first-admin.ts';
import { readMasterKey } from './master-key.ts';
import { Vault } from './vault.ts';

/** The settings that say which installation it is. */
interface InstallationSettings extends DatabaseSettings {
  /** 32 bytes; undefined for the key in DATA_DIR. */
  MASTER_KEY?: Buffer | undefined;
}

interface OpenInstallation extends OpenDatabase {
  vault: Vault;
}

/** Opens the database of an installation for a command. Throws OperatorError if it was never started. */
export async function openStarted(
  settings: DatabaseSettings,
  releasers: Releasers,
  log: (message: string) => void,
  use?: DatabaseUse,
): Promise<OpenDatabase> {
  const opened = await openDatabase(settings, releasers, log, use);
  if ((await opened.orm.em.fork().count(User)) === 0) throw notStarted('There is no admin yet');
  return opened;
}

/** The same with its master key. Throws OperatorError if it is missing or another one. */
export async function openInstallation(
  settings: InstallationSettings,
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
