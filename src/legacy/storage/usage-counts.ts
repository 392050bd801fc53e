import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Coalesced } from '../../lib/coalesced.ts';

const FLUSH_MS = 2_000;

interface Use {
  apiKeyId: number;
  action: string;
  calls: number;
}

/**
 * Counts the calls of the old API by key and action. The counts are gathered here and added to the table now and then,
 * so that a call costs no statement; a process that is killed loses the last two seconds of them. The HTTP host stops it.
 */
export class UsageCounts {
  readonly #em: EntityManager;
  readonly #flushing: Coalesced;
  #uses = new Map<string, Use>();
  #timer: NodeJS.Timeout | undefined;

  constructor(em: EntityManager, log: Logger) {
    this.#em = em;
    this.#flushing = new Coalesced('store how the old API is used', log, () => this.#flush());
  }

  /** `action` is one of a fixed set, so that the number of pending entries is bounded. */
  count(apiKeyId: number, action: string): void {
    this.#add({ apiKeyId, action, calls: 1 });
    this.#timer ??= setTimeout(() => this.#flushing.request(), FLUSH_MS);
  }

  #add({ apiKeyId, action, calls }: Use): void {
    const id = `${apiKeyId} ${action}`;
    const earlier = this.#uses.get(id)?.calls ?? 0;
    this.#uses.set(id, { apiKeyId, action, calls: earlier + calls });
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#flushing.request();
    await this.#flushing.stop();
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    const uses = [...this.#uses.values()];
    this.#uses = new Map();
    if (uses.length === 0) return;
    try {
      await this.#store(uses);
    } catch (error) {
      // The next flush stores them.
      for (const use of uses) this.#add(use);
      throw error;
    }
  }

  async #store(uses: readonly Use[]): Promise<void> {
    await sql`
      insert into legacy_usage (api_key_id, action, calls, last_called_at)
      select "apiKeyId", action, calls, now()
      from json_to_recordset(${JSON.stringify(uses)}::json) as u ("apiKeyId" int, action text, calls bigint)
      order by 1, 2
      on conflict (api_key_id, action) do update
        set calls = legacy_usage.calls + excluded.calls, last_called_at = excluded.last_called_at
    `.execute(this.#em.fork().getKysely());
  }
}
