import { importApiKey } from '../credentials/import-key.ts';
import { openInstallation } from '../credentials/open-installation.ts';
import { inTransaction } from '../database/transaction.ts';
import type { Role } from '../entities/user.ts';
import { readSettings } from '../settings.ts';
import type { CommandContext } from './run-command.ts';
import { readSecretInput } from './secret-input.ts';

interface ImportKeyOptions {
  key: string;
  userId: number;
  userName?: string;
  role: Role;
}

/** Stores a key and secret that callers already have; idempotent. */
export async function importKey(options: ImportKeyOptions, { releasers, output }: CommandContext): Promise<void> {
  const { key, userId, userName = null, role } = options;
  const secret = await readSecretInput();
  const { orm, vault } = await openInstallation(readSettings(), releasers, () => undefined);
  const by = { actorId: null, apiKey: null, origin: 'npm run import-key' };
  const { isNew } = await inTransaction(orm.em, (em) =>
    importApiKey(em, vault, by, { key, secret, userLegacyId: userId, userName, role }),
  );
  output.result(`Stored the key ${key} of user ${userId}.`, { key, userId, isNew });
}
