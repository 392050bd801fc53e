import type { EntityManager } from '../database/orm.ts';
import { inTransaction } from '../database/transaction.ts';
import { ApiKey, User } from '../entities/index.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { KeyAndSecret } from './credentials.ts';
import { newPair } from './new-pair.ts';
import type { Vault } from './vault.ts';

const ADMIN_ID = 1;

/**
 * Creates the first admin (user 1, named `admin`) and their key if there are no users; returns the key and secret,
 * which are shown once only, or null if there are users. If two processes start at once, the primary key of the user
 * lets one create it.
 */
export async function makeFirstAdmin(
  em: EntityManager,
  vault: Vault,
  wanted: Partial<KeyAndSecret>,
): Promise<KeyAndSecret | null> {
  return inTransaction(em, async (transaction) => {
    const inserted = await transaction.execute<{ id: number }[]>(
      `insert into app_user (id, name, role) select ?, 'admin', 'ADMIN' where not exists (select from app_user)
       on conflict do nothing returning id`,
      [ADMIN_ID],
    );
    if (inserted.length === 0) return null;
    await transaction.execute("select setval(pg_get_serial_sequence('app_user', 'id'), ?)", [ADMIN_ID]);
    const made = newPair('admin');
    const pair = { key: wanted.key ?? made.key, secret: wanted.secret ?? made.secret };
    const user = transaction.getReference(User, ADMIN_ID, { wrapped: true });
    transaction.create(ApiKey, { key: pair.key, sealedSecret: vault.seal(pair.secret), user });
    return pair;
  });
}

/** Refuses to start with a master key that does not open the secrets: every call would fail later. */
export async function checkMasterKey(em: EntityManager, vault: Vault): Promise<void> {
  const [newest] = await em.fork().find(ApiKey, {}, { orderBy: { id: 'desc' }, limit: 1 });
  if (newest === undefined) return;
  try {
    vault.open(newest.sealedSecret);
  } catch {
    throw new OperatorError(
      'The master key does not open the stored API secrets: set MASTER_KEY, or DATA_DIR with its master.key, to those that this database was started with first.',
    );
  }
}
