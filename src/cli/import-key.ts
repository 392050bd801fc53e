// npm run import-key -- --key KEY --user-id 31 --user-name NAME: stores a key and secret that callers have already. The
// secret comes from standard input, since a command line can be read by every user of the machine.
import { parseArgs } from 'node:util';
import { recordAudit } from '../credentials/audit.ts';
import { importApiKey, type KeyToImport } from '../credentials/import-key.ts';
import { openInstallation } from '../credentials/open-installation.ts';
import { inTransaction } from '../database/transaction.ts';
import { ROLES, type Role } from '../entities/user.ts';
import { readSettings } from '../env.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { Releasers } from '../lib/releasers.ts';
import { readSecretInput } from './secret-input.ts';

const USAGE =
  'npm run -s import-key -- --key KEY --user-id 31 [--user-name NAME] [--role OPERATOR] < file-with-the-secret';
const MAX_ID = 2_147_483_647;

function readArguments(args: string[]): Omit<KeyToImport, 'secret'> {
  const { values } = parseArgs({
    args,
    options: {
      key: { type: 'string' },
      'user-id': { type: 'string' },
      'user-name': { type: 'string' },
      role: { type: 'string', default: 'OPERATOR' },
    },
  });
  const { key, role } = values;
  const id = Number(values['user-id']);
  if (key === undefined || !Number.isInteger(id) || id < 1 || id > MAX_ID) throw new OperatorError(`Usage: ${USAGE}`);
  if (!isRole(role)) throw new OperatorError(`--role is ${JSON.stringify(role)}; accepted is ${ROLES.join(', ')}.`);
  return { key, user: { id, name: values['user-name'] ?? null, role } };
}

function isRole(role: string): role is Role {
  return (ROLES as readonly string[]).includes(role);
}

async function store(key: KeyToImport, releasers: Releasers): Promise<void> {
  const { orm, vault } = await openInstallation(readSettings(), releasers, () => undefined);
  await inTransaction(orm.em, async (em) => {
    const { isNew } = await importApiKey(em, vault, key);
    const by = { actorId: null, apiKey: null, origin: 'npm run import-key' };
    const change = { userLegacyId: key.user.id };
    if (isNew) await recordAudit(em, by, { action: 'importApiKey', target: key.key, change });
  });
}

const releasers = new Releasers();
try {
  const wanted = readArguments(process.argv.slice(2));
  await store({ ...wanted, secret: await readSecretInput(USAGE) }, releasers);
  process.stdout.write(`Stored the key ${wanted.key} of user ${wanted.user.id}.\n`);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
} finally {
  await releasers.releaseAll();
}
