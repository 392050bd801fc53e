import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Coalesced } from '../lib/coalesced.ts';

const BEAT_MS = 3_000;

/**
 * Tells the other processes that this one runs tasks, and of which classes: a row that lapses unless it is renewed. The
 * composition root starts and stops it.
 */
export class Registration {
  /** The runner's, new at each start. */
  readonly id = randomUUID();
  readonly #em: EntityManager;
  readonly #classNames: readonly string[];
  readonly #places: number;
  readonly #leaseSeconds: number;
  readonly #announce: () => Promise<void>;
  readonly #log: Logger;
  readonly #renewing: Coalesced;
  #timer: NodeJS.Timeout | undefined;

  /** `announce` is called whenever others may not know the classes: at the start, and after the row had been removed. */
  constructor(
    em: EntityManager,
    { classNames, places }: { classNames: readonly string[]; places: number },
    leaseSeconds: number,
    log: Logger,
    announce: () => Promise<void> = async () => undefined,
  ) {
    this.#em = em;
    this.#classNames = classNames;
    this.#places = places;
    this.#leaseSeconds = leaseSeconds;
    this.#log = log;
    this.#announce = announce;
    this.#renewing = new Coalesced('renew the registration', log, () => this.#write());
  }

  async start(): Promise<void> {
    await this.#write();
    this.#timer = setInterval(() => this.#renewing.request(), BEAT_MS);
  }

  /** Nobody counts on this process any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewing.stop();
    await sql`delete from runner where id = ${this.id}`
      .execute(this.#em.fork().getKysely())
      .catch((error: unknown) => this.#log.warn({ err: error }, 'could not sign off; the registration lapses'));
  }

  async #write(): Promise<void> {
    const renewed = await this.#renew();
    if (renewed) return;
    await this.#announce();
    await sql`
      insert into runner (id, host, pid, class_names, places, lives_until)
      values (${this.id}, ${hostname()}, ${process.pid}, ${[...this.#classNames]}::text[], ${this.#places},
        now() + make_interval(secs => ${this.#leaseSeconds}))
    `.execute(this.#em.fork().getKysely());
  }

  async #renew(): Promise<boolean> {
    const { rows } = await sql`
      update runner set lives_until = now() + make_interval(secs => ${this.#leaseSeconds}) where id = ${this.id} returning id
    `.execute(this.#em.fork().getKysely());
    return rows.length > 0;
  }
}
