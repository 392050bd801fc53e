import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Role } from '../entities/user.ts';
import { badInput, conflict } from '../lib/faults.ts';
import { type AuditedBy, recordAudit } from './audit.ts';
import type { KeyAndSecret } from './credentials.ts';
import { checkUserId, insertUser, lockUsers, readUserName } from './users.ts';
import type { Vault } from './vault.ts';

/** A key and secret that callers have already, and whose they are. */
interface KeyToImport extends KeyAndSecret {
  /** The id by which old callers know the user. */
  userLegacyId: number;
  /** Needed for a user that there is not yet; null takes the name that the user has. */
  userName: string | null;
  /** For a user that there is not yet. */
  role: Role;
}

const MAX_LENGTH = 255;
/** Text that a header and a query string both carry unambiguously. */
const PRINTABLE = /^[\x21-\x7e]+$/;

function readPart(text: string, path: string): string {
  if (text.length > MAX_LENGTH || !PRINTABLE.test(text)) {
    throw badInput(path, `must be 1 to ${MAX_LENGTH} printable ASCII characters without spaces`);
  }
  return text;
}

/**
 * Stores an existing key and secret of callers, in the caller's transaction, and creates the user if necessary. Returns
 * the id of the key, and whether it is new. Repeating it with the same values changes nothing. CONFLICT if the key, the
 * id or the name belongs to another; unique indexes decide between two concurrent imports.
 */
export async function importApiKey(
  em: EntityManager,
  vault: Vault,
  by: AuditedBy,
  imported: KeyToImport,
): Promise<{ keyId: number; isNew: boolean }> {
  const { keyId, isNew } = await storeKey(em, vault, imported);
  if (isNew) {
    const change = { userLegacyId: imported.userLegacyId };
    await recordAudit(em, by, { action: 'importApiKey', target: imported.key, change });
  }
  return { keyId, isNew };
}

async function storeKey(em: EntityManager, vault: Vault, imported: KeyToImport) {
  checkUserId(imported.userLegacyId, 'userLegacyId');
  if (imported.userName !== null) readUserName(imported.userName, 'userName');
  const key = readPart(imported.key, 'key');
  const secret = readPart(imported.secret, 'secret');
  const userId = await findOrMakeUser(em, imported);
  const database = em.getKysely();
  const { rows: inserted } = await sql<{ id: number }>`
    insert into api_key (key, sealed_secret, user_id) values (${key}, ${vault.seal(secret)}, ${userId})
    on conflict (key) do nothing returning id
  `.execute(database);
  if (inserted[0] !== undefined) return { keyId: inserted[0].id, isNew: true };
  const { rows } = await sql<{ id: number; sealed_secret: Buffer; user_id: number; revoked: boolean }>`
    select id, sealed_secret, user_id, coalesce(revoked_at <= now(), false) as revoked from api_key where key = ${key}
  `.execute(database);
  const stored = rows[0];
  if (stored?.user_id === userId && !stored.revoked && vault.open(stored.sealed_secret) === secret) {
    return { keyId: stored.id, isNew: false };
  }
  throw conflict('the key is stored already, with another secret or user, or revoked', 'key');
}

async function findOrMakeUser(
  em: EntityManager,
  { userLegacyId: id, userName: name, role }: KeyToImport,
): Promise<number> {
  if (name !== null) {
    await lockUsers(em);
    await insertUser(em, { legacyId: id, name, role });
  }
  const { rows } = await sql<{ id: number; name: string }>`
    select id, name from app_user where id = ${id} or name = ${name}
  `.execute(em.getKysely());
  const [user] = rows;
  if (user === undefined)
    throw badInput('userName', `is required, since user ${id} does not exist yet: must be the name of the new user`);
  if (rows.length === 1 && user.id === id && (name === null || user.name === name)) return id;
  const taken = rows.map((row) => `user ${row.id} is named ${JSON.stringify(row.name)}`).join(', ');
  throw conflict(`the id and the name belong to others: ${taken}`, 'userName');
}
