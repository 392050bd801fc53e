import { hash, timingSafeEqual } from 'node:crypto';
import DataLoader from 'dataloader';
import { CompiledQuery } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { EntityManager } from '../database/orm.ts';
import { PREPARED_MARK, readOften } from '../database/prepared.ts';
import { User } from '../entities/index.ts';
import type { Role } from '../entities/user.ts';
import { signatureMatches } from './signature.ts';
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
export class Identity {
  readonly apiKeyId: number;
  /** The public half of the key. */
  readonly apiKey: string;
  readonly #em: EntityManager;
  readonly #stored: StoredKey;
  #viewer: User | undefined;

  constructor(em: EntityManager, stored: StoredKey) {
    this.#em = em;
    this.#stored = stored;
    this.apiKeyId = stored.key_id;
    this.apiKey = stored.key;
  }

  /** Made when it is asked for, and for this call alone: most reads never look at it. */
  get viewer(): User {
    const { id, name, role } = this.#stored;
    this.#viewer ??= this.#em.fork().map(User, { id, name, role });
    return this.#viewer;
  }
}

interface StoredKey {
  key: string;
  key_id: number;
  sealed_secret: Buffer;
  id: number;
  name: string;
  role: Role;
}

const FIND_KEYS = `${PREPARED_MARK}
  select api_key.key, api_key.id as key_id, api_key.sealed_secret, app_user.id, app_user.name, app_user.role
  from api_key join app_user on app_user.id = api_key.user_id
  where api_key.key = any($1::text[]) and (api_key.revoked_at is null or api_key.revoked_at > now())
    and app_user.disabled_at is null`;

/** Looks up the keys of the calls that came in one turn of the event loop, by one query that is sent after they came. */
function keyLoader(em: EntityManager): DataLoader<string, StoredKey | null> {
  const find = async (keys: readonly string[]) => {
    const rows = await readOften(
      em.fork(),
      CompiledQuery.raw(FIND_KEYS, [[...new Set(keys)]]) as CompiledQuery<StoredKey>,
    );
    const found = new Map(rows.map((row) => [row.key, row]));
    return keys.map((key) => found.get(key) ?? null);
  };
  // Nothing is cached across ticks: a revoked key stops working at once.
  return new DataLoader(find, { cache: false, batchScheduleFn: (send) => setImmediate(send) });
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

/** Keys whose secret was opened before. */
const MAX_DIGESTS = 1_000;

/** Tells who calls, by any of the ways in which credentials come. Null is for missing or wrong ones. */
export class Credentials {
  readonly #em: EntityManager;
  readonly #vault: Vault;
  readonly #keys: DataLoader<string, StoredKey | null>;
  /** Digests of opened secrets, by the sealed secret. */
  readonly #digests = new LRUCache<string, Buffer>({
    max: MAX_DIGESTS,
    memoMethod: (sealed) => digest(this.#vault.open(Buffer.from(sealed, 'latin1'))),
  });

  constructor(em: EntityManager, vault: Vault) {
    this.#em = em;
    this.#vault = vault;
    this.#keys = keyLoader(em);
  }

  /** By the key and secret of an Authorization header. */
  async ofKeyAndSecret(given: KeyAndSecret): Promise<Identity | null> {
    const stored = await this.#find(given.key);
    // Compared in constant time.
    if (stored === null || !timingSafeEqual(this.#digestOf(stored), digest(given.secret))) return null;
    return new Identity(this.#em, stored);
  }

  /** The key that signed an old call: `signed` is the query string up to its hash. */
  async ofSignature(key: string, signed: string, signature: string): Promise<Identity | null> {
    const stored = await this.#find(key);
    if (stored === null) return null;
    const secret = this.#vault.open(stored.sealed_secret);
    return signatureMatches(secret, signed, signature) ? new Identity(this.#em, stored) : null;
  }

  #digestOf({ sealed_secret: sealed }: StoredKey): Buffer {
    return this.#digests.memo(sealed.toString('latin1'));
  }

  async #find(key: string): Promise<StoredKey | null> {
    // A text of PostgreSQL holds no NUL.
    return key.includes('\0') ? null : this.#keys.load(key);
  }
}
