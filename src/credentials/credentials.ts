import { createHash, timingSafeEqual } from 'node:crypto';
import { sql } from 'kysely';
import type { EntityManager } from '../database/orm.ts';
import { PREPARED } from '../database/prepared.ts';
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

/** Who calls, and with which of their keys. */
export interface Identity {
  viewer: User;
  apiKeyId: number;
  /** The public half of the key. */
  apiKey: string;
}

interface StoredKey {
  key_id: number;
  sealed_secret: Buffer;
  id: number;
  name: string;
  role: Role;
}

/** The one query that a request's credentials cost; a revoked key is none from that moment on. */
async function findKey(em: EntityManager, key: string): Promise<StoredKey | undefined> {
  if (key.includes('\0')) return undefined;
  const { rows } = await sql<StoredKey>`${PREPARED}
    select api_key.id as key_id, api_key.sealed_secret, app_user.id, app_user.name, app_user.role
    from api_key join app_user on app_user.id = api_key.user_id
    where api_key.key = ${key} and api_key.revoked_at is null
  `.execute(em.getKysely());
  return rows[0];
}

function identityOf(em: EntityManager, { key_id, id, name, role }: StoredKey, apiKey: string): Identity {
  return { viewer: em.map(User, { id, name, role }), apiKeyId: key_id, apiKey };
}

/** Equal or not, in a time that does not depend on where they differ. */
function equalSecrets(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

/** Tells who calls, by any of the ways in which credentials come. Null is for missing or wrong ones. */
export class Credentials {
  readonly #em: EntityManager;
  readonly #vault: Vault;

  constructor(em: EntityManager, vault: Vault) {
    this.#em = em;
    this.#vault = vault;
  }

  /** The key and secret of an Authorization header. */
  async ofHeader(header: string | undefined): Promise<Identity | null> {
    const given = parseAuthorization(header);
    return given === null ? null : this.#identify(given.key, (secret) => equalSecrets(secret, given.secret));
  }

  /** The key that signed an old call: `signed` is the query string up to its hash. */
  ofSignature(key: string, signed: string, hash: string): Promise<Identity | null> {
    return this.#identify(key, (secret) => signatureMatches(secret, signed, hash));
  }

  async #identify(key: string, knows: (secret: string) => boolean): Promise<Identity | null> {
    const em = this.#em.fork();
    const stored = await findKey(em, key);
    if (stored === undefined || !knows(this.#vault.open(stored.sealed_secret))) return null;
    return identityOf(em, stored, key);
  }
}
