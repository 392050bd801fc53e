import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Coalesced } from '../lib/coalesced.ts';

const FLUSH_MS = 30_000;

/**
 * Stores when each key was last used: one statement twice a minute for all calls, none in a call's way. What a killed
 * process had not stored yet is lost, half a minute at most. The composition root stops it.
 */
export class KeyUse {
  readonly #em: EntityManager;
  readonly #flushing: Coalesced;
  #used = new Set<number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(em: EntityManager, log: Logger) {
    this.#em = em;
    this.#flushing = new Coalesced('store when keys were used', log, () => this.#flush());
  }

  note(apiKeyId: number): void {
    this.#used.add(apiKeyId);
    this.#timer ??= setTimeout(() => this.#flushing.request(), FLUSH_MS);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#flushing.request();
    await this.#flushing.stop();
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    const used = [...this.#used];
    this.#used = new Set();
    if (used.length === 0) return;
    try {
      // In id order, and without keys that another process has just stored, so that two processes do not deadlock.
      await sql`
        update api_key set last_used_at = now() where id in (
          select id from api_key where id = any(${used}) and (last_used_at is null or last_used_at < now() - interval '10 seconds')
          order by id for no key update skip locked)
      `.execute(this.#em.fork().getKysely());
    } catch (error) {
      // The next flush stores them, if a little late.
      for (const id of used) this.#used.add(id);
      throw error;
    }
  }
}
