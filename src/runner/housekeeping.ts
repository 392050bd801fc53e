import type { EntityManager } from '@mikro-orm/postgresql';
import { type RawBuilder, sql } from 'kysely';
import type { Logger } from 'pino';
import { CALLS_KEPT_FOR } from '../entities/idempotency-key.ts';
import { sequenceEvents } from '../events/log.ts';
import { Coalesced } from '../lib/coalesced.ts';
import { type RetentionRule, removeOld } from './retention.ts';

const EVERY_MS = 3_600_000;
/** Readers sequence the events that they are about to read. Housekeeping does it at this interval if there are none. */
const NUMBER_EVERY_MS = 5_000;
const BATCH = 1_000;

/** What has served its time, table by table. */
const OUT_OF_DATE: Readonly<Record<string, RawBuilder<boolean>>> = {
  idempotency_key: sql`created_at < now() - ${CALLS_KEPT_FOR}::interval`,
  legacy_reply: sql`created_at < now() - ${CALLS_KEPT_FOR}::interval`,
  // Runners that did not sign off.
  runner: sql`lives_until < now() - interval '1 day'`,
  // Classes without a runner and without a task; a runner that returns with one registers it again.
  // Not "exists", which would read all tasks.
  registered_class: sql`registered_at < now() - interval '1 day'
    and (select id from task where class_name = registered_class.name and deleted_at is null limit 1) is null
    and name not in (select unnest(class_names) from runner)`,
};

/**
 * Removes expired rows: idempotency keys, dead runners, and records past their retention. Also sequences events without
 * a reader, so that the first reader need not wait for all of them. Any number of processes may run it. The composition
 * root starts and stops it.
 */
export class Housekeeping {
  readonly #em: EntityManager;
  readonly #retention: RetentionRule;
  readonly #removing: Coalesced;
  readonly #numbering: Coalesced;
  readonly #timers: NodeJS.Timeout[] = [];
  #stopped = false;

  constructor(em: EntityManager, log: Logger, retention: RetentionRule) {
    this.#em = em;
    this.#retention = retention;
    this.#removing = new Coalesced('remove what is out of date', log, () => this.#remove());
    this.#numbering = new Coalesced('number the events', log, async () => {
      await sequenceEvents(em);
    });
  }

  start(): void {
    this.#timers.push(
      setInterval(() => this.#removing.request(), EVERY_MS),
      setInterval(() => this.#numbering.request(), NUMBER_EVERY_MS),
    );
    this.#removing.request();
    this.#numbering.request();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all([this.#removing.stop(), this.#numbering.stop()]);
  }

  async #remove(): Promise<void> {
    for (const [table, condition] of Object.entries(OUT_OF_DATE)) {
      while (!this.#stopped && (await removeBatch(this.#em.fork(), table, condition)) === BATCH);
    }
    await removeOld(this.#em, this.#retention, () => this.#stopped);
  }
}

/** In small batches, so that no process waits long for a lock. Returns how many rows were removed. */
async function removeBatch(em: EntityManager, table: string, condition: RawBuilder<boolean>): Promise<number> {
  const { rows } = await sql`
    delete from ${sql.table(table)} where ctid = any(array(
      select ctid from ${sql.table(table)} where ${condition} limit ${BATCH} for update skip locked))
    returning 1
  `.execute(em.getKysely());
  return rows.length;
}
