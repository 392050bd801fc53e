import { openBackup } from '../backup/read-backup.ts';
import { restoreBackup } from '../backup/restore-backup.ts';
import { checkMasterKey } from '../credentials/first-admin.ts';
import { readMasterKey } from '../credentials/master-key.ts';
import { Vault } from '../credentials/vault.ts';
import { findDatabase } from '../database/find-database.ts';
import { openOrm } from '../database/orm.ts';
import type { Releasers } from '../lib/releasers.ts';
import { readSettings, type Settings } from '../settings.ts';
import type { CommandContext } from './run-command.ts';

const MASTER_KEY_NEEDED =
  'Its API secrets are encrypted with the master key of the original: set MASTER_KEY, or copy its master.key into DATA_DIR, before the start.';
const HELD = 'Its runners are held, so that a copy runs no task. To make it the live installation: npm run resume';

interface RestoreOptions {
  file: string;
}

/** Restores a backup into the empty database of the settings. */
export async function restore({ file }: RestoreOptions, { releasers, output }: CommandContext): Promise<void> {
  const settings = readSettings();
  const backup = await openBackup(file);
  releasers.push(() => backup.close());
  const { url, release } = await findDatabase(settings, output.say);
  releasers.push(release);
  await restoreBackup(url, backup, output.say);
  const { createdAt } = backup.manifest;
  const opens = await opensSecrets(settings, url, releasers);
  const restored = `Restored ${file}, made at ${createdAt}, and compared every row.`;
  output.result([restored, ...(opens ? [] : [MASTER_KEY_NEEDED]), HELD].join('\n'), {
    file,
    createdAt,
    opensSecrets: opens,
  });
}

/** Whether a start with these settings would use the backup's master key. */
async function opensSecrets(settings: Settings, url: string, releasers: Releasers): Promise<boolean> {
  const key = settings.MASTER_KEY ?? (await readMasterKey(settings.DATA_DIR));
  if (key === null) return false;
  const orm = await openOrm(url, 1);
  releasers.push(() => orm.close());
  return checkMasterKey(orm.em, new Vault(key)).then(
    () => true,
    () => false,
  );
}
