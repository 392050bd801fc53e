import { type OpenDatabase, openDatabase } from '../database/open-database.ts';
import { StartupError } from '../database/startup-error.ts';
import { User } from '../entities/index.ts';
import type { Settings } from '../env.ts';
import type { Releasers } from '../releasers.ts';
import { checkMasterKey } from './first-admin.ts';
import { readOrMakeMasterKey } from './master-key.ts';
import { Vault } from './vault.ts';

export interface OpenInstallation extends OpenDatabase {
  vault: Vault;
}

/** An installation for a command that changes it; a StartupError where it was never started, or with another master key. */
export async function openInstallation(
  settings: Settings,
  releasers: Releasers,
  log: (message: string) => void,
): Promise<OpenInstallation> {
  const { orm, url } = await openDatabase(settings, releasers, log);
  if ((await orm.em.fork().count(User)) === 0) {
    throw new StartupError('There is no admin yet: start Slotkeeper once first.');
  }
  const vault = new Vault(settings.MASTER_KEY ?? (await readOrMakeMasterKey(settings.DATA_DIR)));
  await checkMasterKey(orm.em, vault);
  return { orm, url, vault };
}
