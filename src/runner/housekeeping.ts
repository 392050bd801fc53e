import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Coalesced } from '../coalesced.ts';
import { CALLS_KEPT_FOR } from '../entities/idempotency-key.ts';

const EVERY_MS = 3_600_000;
const BATCH = 1_000;
const TABLES = ['idempotency_key', 'legacy_reply'];

/** Removes what has served its time: remembered calls. Any number of processes may. The composition root stops it. */
export class Housekeeping {
  readonly #em: EntityManager;
  readonly #removing: Coalesced;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(em: EntityManager, log: Logger) {
    this.#em = em;
    this.#removing = new Coalesced(
      () => this.#remove(),
      (error) => log.warn({ err: error }, 'could not remove what is out of date; trying again in an hour'),
    );
  }

  start(): void {
    this.#timer = setInterval(() => this.#removing.request(), EVERY_MS);
    this.#removing.request();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#removing.idle();
  }

  async #remove(): Promise<void> {
    for (const table of TABLES) {
      while (!this.#stopped && (await removeBatch(this.#em.fork(), table)) === BATCH);
    }
  }
}

/** In small batches, so that nobody waits long for a lock. Returns how many rows it removed. */
async function removeBatch(em: EntityManager, table: string): Promise<number> {
  const { rows } = await sql`
    delete from ${sql.table(table)} where ctid = any(array(
      select ctid from ${sql.table(table)} where created_at < now() - ${CALLS_KEPT_FOR}::interval limit ${BATCH}
      for update skip locked))
    returning 1
  `.execute(em.getKysely());
  return rows.length;
}
