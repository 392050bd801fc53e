import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Notifications } from '../database/notifications.ts';
import type { Role } from '../entities/user.ts';
import { Coalesced } from '../lib/coalesced.ts';
import { tooMany } from '../lib/faults.ts';

/** Makes up for a notification that was lost, and finds the keys whose time is over. */
const LOOK_MS = 4_000;

/** The rights with which a stream, or the socket under it, was opened. */
interface StreamRights {
  apiKeyId: number;
  role: Role;
}

interface Watched extends StreamRights {
  end: () => void;
}

/**
 * Bounds how many streams a key has open, and ends those whose key was revoked, or whose user has got another role: queries are checked one by one, but a stream
 * outlives the check that it began with. One look at the database serves all that are open; while none is, there is
 * none. The HTTP host stops it.
 */
export class StreamGuard {
  readonly #em: EntityManager;
  readonly #watched = new Set<Watched>();
  readonly #looking: Coalesced;
  readonly #unlisten: () => void;
  readonly #perKey: number;
  readonly #counts = new Map<number, number>();
  #timer: NodeJS.Timeout | undefined;

  /** `perKey` is how many a key may have open at once, in this process. */
  constructor(em: EntityManager, notifications: Notifications, log: Logger, perKey: number) {
    this.#em = em;
    this.#perKey = perKey;
    this.#looking = new Coalesced('look for revoked keys', log, () => this.#look());
    this.#unlisten = notifications.on('slotkeeper_keys', () => this.#looking.request());
  }

  /** How many streams and sockets are open. */
  get count(): number {
    return this.#watched.size;
  }

  /**
   * `end` is called once, when the rights are no more; returns what ends the watch. TOO_MANY_REQUESTS where the key has as
   * many open as it may.
   */
  watch(rights: StreamRights, end: () => void): () => void {
    const open = this.#counts.get(rights.apiKeyId) ?? 0;
    if (open >= this.#perKey) {
      throw tooMany(`this key has ${open} subscriptions and WebSockets open, as many as it may; close some`);
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
      // One that was opened since has an id that was not asked for.
      if (!ids.includes(watched.apiKeyId) || roles.get(watched.apiKeyId) === watched.role) continue;
      this.#leave(watched);
      watched.end();
    }
  }
}
