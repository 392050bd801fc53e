import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Notifications } from '../database/notifications.ts';
import type { Role } from '../entities/user.ts';
import { Coalesced } from '../lib/coalesced.ts';
import { tooMany } from '../lib/faults.ts';

/** How often keys are checked: it covers lost notifications, and keys that expire. */
const LOOK_MS = 4_000;

/** The rights that a stream, or its socket, was opened with. */
interface StreamRights {
  apiKeyId: number;
  role: Role;
}

interface Watched extends StreamRights {
  end: () => void;
}

/**
 * Limits how many streams a key has open, and ends streams whose key was revoked, or whose user was disabled or got
 * another role: each query is checked when it arrives, but a stream outlives that check. One database query checks all
 * open streams; while none is open, none is sent. The HTTP server stops it.
 */
export class StreamGuard {
  readonly #em: EntityManager;
  readonly #watched = new Set<Watched>();
  readonly #looking: Coalesced;
  readonly #unlisten: () => void;
  readonly #perKey: number;
  readonly #counts = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;

  /** `perKey`: how many a key may have open at a time, in this process. */
  constructor(em: EntityManager, notifications: Notifications, log: Logger, perKey: number) {
    this.#em = em;
    this.#perKey = perKey;
    this.#looking = new Coalesced('check for revoked keys', log, () => this.#look());
    this.#unlisten = notifications.on('slotkeeper_keys', () => this.#looking.request());
  }

  /** How many streams and sockets are open. */
  get count(): number {
    return this.#watched.size;
  }

  /**
   * Watches a stream; returns a function that stops watching. `end` is called once, when the rights no longer hold.
   * Throws TOO_MANY_REQUESTS if the key has reached its limit.
   */
  watch(rights: StreamRights, end: () => void): () => void {
    const open = this.#counts.get(rights.apiKeyId) ?? 0;
    if (open >= this.#perKey) {
      throw tooMany(`a key may have at most ${this.#perKey} subscriptions and WebSockets open; close some`);
    }
    this.#counts.set(rights.apiKeyId, open + 1);
    const watched = { ...rights, end };
    this.#watched.add(watched);
    this.#timer ??= setInterval(() => this.#looking.request(), LOOK_MS);
    return () => this.#leave(watched);
  }

  async stop(): Promise<void> {
    this.#unlisten();
    clearInterval(this.#timer);
    await this.#looking.stop();
  }

  #leave(watched: Watched): void {
    if (!this.#watched.delete(watched)) return;
    const open = this.#counts.get(watched.apiKeyId) ?? 0;
    if (open > 1) this.#counts.set(watched.apiKeyId, open - 1);
    else this.#counts.delete(watched.apiKeyId);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    if (this.#watched.size === 0) return;
    const ids = [...new Set([...this.#watched].map(({ apiKeyId }) => apiKeyId))];
    const { rows } = await sql<{ id: number; role: Role }>`
      select api_key.id, app_user.role from api_key join app_user on app_user.id = api_key.user_id
      where api_key.id = any(${ids}) and (api_key.revoked_at is null or api_key.revoked_at > now())
        and app_user.disabled_at is null
    `.execute(this.#em.fork().getKysely());
    const roles = new Map(rows.map(({ id, role }) => [id, role]));
    for (const watched of this.#watched) {
      // A stream that was opened during the query may have a key that the query did not ask for.
      if (!ids.includes(watched.apiKeyId) || roles.get(watched.apiKeyId) === watched.role) continue;
      this.#leave(watched);
      watched.end();
    }
  }
}
