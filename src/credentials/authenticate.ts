import { createHash, timingSafeEqual } from 'node:crypto';
import { sql } from 'kysely';
import type { EntityManager } from '../database/orm.ts';
import { User } from '../entities/index.ts';
import type { Role } from '../entities/user.ts';
import { signatureMatches } from '../legacy/signature.ts';
import type { Vault } from './vault.ts';

export interface KeyAndSecret {
  key: string;
  secret: string;
}

const MAX_HEADER_LENGTH = 2_048;

/** Key and secret of `Basic base64(key:secret)` or `Bearer key.secret`; null for anything else. */
export function parseAuthorization(header: string | undefined): KeyAndSecret | null {
  if (header === undefined || header.length > MAX_HEADER_LENGTH) return null;
  const [, scheme = '', credentials = ''] = /^(\w+) +(\S+)$/.exec(header.trim()) ?? [];
  if (scheme.toLowerCase() === 'basic') return split(Buffer.from(credentials, 'base64').toString('utf8'), ':');
  if (scheme.toLowerCase() === 'bearer') return split(credentials, '.');
  return null;
}

function split(text: string, separator: string): KeyAndSecret | null {
  const at = text.indexOf(separator);
  return at < 1 ? null : { key: text.slice(0, at), secret: text.slice(at + 1) };
}

interface StoredKey {
  sealed_secret: Buffer;
  id: number;
  name: string;
  role: Role;
}

/** The one query that a request's credentials cost; a revoked key is none from that moment on. */
async function findKey(em: EntityManager, key: string): Promise<StoredKey | undefined> {
  if (key.includes('\0')) return undefined;
  const { rows } = await sql<StoredKey>`
    select api_key.sealed_secret, app_user.id, app_user.name, app_user.role
    from api_key join app_user on app_user.id = api_key.user_id
    where api_key.key = ${key} and api_key.revoked_at is null
  `.execute(em.getKysely());
  return rows[0];
}

function userOf(em: EntityManager, { id, name, role }: StoredKey): User {
  return em.map(User, { id, name, role });
}

/** Equal or not, in a time that does not depend on where they differ. */
function equalSecrets(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

/** The user whose key and secret an Authorization header carries; null for missing or wrong ones. */
export async function authenticate(em: EntityManager, vault: Vault, header: string | undefined): Promise<User | null> {
  const given = parseAuthorization(header);
  if (given === null) return null;
  const stored = await findKey(em, given.key);
  if (stored === undefined) return null;
  return equalSecrets(vault.open(stored.sealed_secret), given.secret) ? userOf(em, stored) : null;
}

/** The user whose key signed an old call: `signed` is the query string up to its hash. */
export async function authenticateSigned(
  em: EntityManager,
  vault: Vault,
  key: string,
  signed: string,
  hash: string,
): Promise<User | null> {
  const stored = await findKey(em, key);
  if (stored === undefined) return null;
  return signatureMatches(vault.open(stored.sealed_secret), signed, hash) ? userOf(em, stored) : null;
}
