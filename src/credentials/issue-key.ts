// Creates API keys: for a user, or as the replacement of a key, which keeps working for a while.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { badInput, conflict, notFound } from '../lib/faults.ts';
import { readText } from '../lib/input.ts';
import { type AuditedBy, recordAudit } from './audit.ts';
import type { KeyAndSecret } from './credentials.ts';
import { newPair } from './new-pair.ts';
import { lockUsers } from './users.ts';
import type { Vault } from './vault.ts';

interface IssuedKey {
  id: number;
  /** To be shown once only: it is stored sealed and cannot be read back. */
  secret: string;
}

/** Creates a key for a user; NOT_FOUND at `user` if the user does not exist. */
export async function createApiKey(em: EntityManager, vault: Vault, by: AuditedBy, userId: number): Promise<IssuedKey> {
  const { rows } = await sql<{ name: string }>`
    select name from app_user where id = ${userId}
  `.execute(em.getKysely());
  const [user] = rows;
  if (user === undefined) throw notFound('the user does not exist', 'user');
  const pair = newPair(user.name);
  await recordAudit(em, by, { action: 'createApiKey', target: pair.key, change: { user: user.name } });
  return insertKey(em, vault, pair, userId);
}

/** A day, in which callers take the new key into use. */
export const OVERLAP_SECONDS = 86_400;
export const MAX_OVERLAP_SECONDS = 90 * 86_400;

interface Rotation {
  /** The public half of the key to replace. */
  key: string;
  /** For so long that key still opens: 0 to MAX_OVERLAP_SECONDS. */
  overlapSeconds: number;
}

/** Returns a valid `rotation`; BAD_USER_INPUT if the key or the overlap is not. */
export function readRotation(rotation: Rotation): Rotation {
  const { key, overlapSeconds } = rotation;
  readText(key, 'key', { least: 1 });
  if (overlapSeconds < 0 || overlapSeconds > MAX_OVERLAP_SECONDS) {
    throw badInput('overlapSeconds', `must be 0 to ${MAX_OVERLAP_SECONDS}, got ${overlapSeconds}`);
  }
  return rotation;
}

/**
 * Replaces a key by a new one of the same user, for a rotation that `readRotation` has let pass. Both open until the former
 * one ends by itself. NOT_FOUND for no key, CONFLICT for a revoked one. Who serves its calls is to be notified after the commit.
 */
export async function rotateApiKey(
  em: EntityManager,
  vault: Vault,
  by: AuditedBy,
  { key, overlapSeconds }: Rotation,
): Promise<IssuedKey> {
  const former = await retire(em, key, overlapSeconds);
  const pair = newPair(former.user_name);
  const change = { replacedBy: pair.key, overlapSeconds };
  await recordAudit(em, by, { action: 'rotateApiKey', target: key, change });
  return insertKey(em, vault, pair, former.user_id);
}

/** Sets the end of a key that opens, at most so far away. The lock keeps two from replacing it at once. */
async function retire(em: EntityManager, key: string, seconds: number) {
  await lockUsers(em);
  const { rows } = await sql<{ user_id: number; user_name: string; revoked: boolean }>`
    select user_id, app_user.name as user_name, coalesce(revoked_at <= now(), false) as revoked
    from api_key join app_user on app_user.id = user_id where key = ${key}
  `.execute(em.getKysely());
  const [former] = rows;
  if (former === undefined) throw notFound(`there is no key ${JSON.stringify(key)}`, 'key');
  if (former.revoked) throw conflict('the key is revoked', 'key');
  await sql`
    update api_key set revoked_at = least(revoked_at, now() + make_interval(secs => ${seconds})) where key = ${key}
  `.execute(em.getKysely());
  return former;
}

async function insertKey(em: EntityManager, vault: Vault, pair: KeyAndSecret, userId: number): Promise<IssuedKey> {
  const { key, secret } = pair;
  const { rows } = await sql<{ id: number }>`
    insert into api_key (key, sealed_secret, user_id) values (${key}, ${vault.seal(secret)}, ${userId}) returning id
  `.execute(em.getKysely());
  const [row] = rows;
  if (row === undefined) throw new Error('the key was not stored');
  return { id: row.id, secret };
}
