import type pg from 'pg';
import { isConnectionLost } from './connection-lost.ts';

/** The most statements in flight on one connection before another connection is taken. */
const STATEMENTS_A_LINE = 8;
/** The most connections in use, half of the pool; further statements queue on the one that has the fewest. */
const MAX_LINES = 8;
/**
 * Far longer than such a statement takes: without a reply by then, it waits for a lock and would delay those behind it.
 */
export const HELD_UP_AFTER_MS = 25;

/** More than one connection of a pool may be lost. */
const ATTEMPTS = 5;

/** A connection that reads share. */
class Line {
  readonly client: Promise<pg.PoolClient>;
  users = 0;
  /** When a reply last arrived; replies come in the order of the statements. */
  movedAt = performance.now();

  constructor(pool: pg.Pool) {
    this.client = pool.connect();
  }

  get hasRoom(): boolean {
    return this.users < STATEMENTS_A_LINE && performance.now() - this.movedAt < HELD_UP_AFTER_MS;
  }
}

/**
 * Sends short, independent statements over few connections, each without waiting for the reply to the one before
 * (pipelining): waking a PostgreSQL process for each costs more than the statement itself. A few statements share a
 * connection, and none is added to one that is blocked. A failed statement does not affect the others, since each is
 * followed by a Sync. Statements whose connection is lost are sent again, each by itself, so they must not change
 * anything.
 */
export class PipelinedReads {
  readonly #pool: pg.Pool;
  readonly #lines = new Set<Line>();

  /** The clients of `pool` must have the option `pipeline`. */
  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async query(text: string, values: unknown[]): Promise<unknown[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return attempt === 1 ? await this.#share(text, values) : (await this.#pool.query(text, values)).rows;
      } catch (error) {
        if (attempt === ATTEMPTS || !isConnectionLost(error)) throw error;
      }
    }
  }

  async #share(text: string, values: unknown[]): Promise<unknown[]> {
    const line = this.#choose();
    line.users += 1;
    try {
      const client = await line.client;
      const { rows } = await client.query(text, values);
      line.movedAt = performance.now();
      return rows;
    } catch (error) {
      // Its connection may be lost: no other statement joins it.
      this.#lines.delete(line);
      throw error;
    } finally {
      line.users -= 1;
      if (line.users === 0) this.#close(line);
    }
  }

  /** The first line with room, so that as few lines as possible are used. */
  #choose(): Line {
    let least: Line | undefined;
    for (const line of this.#lines) {
      if (line.hasRoom) return line;
      if (least === undefined || line.users < least.users) least = line;
    }
    if (least !== undefined && this.#lines.size >= MAX_LINES) return least;
    const opened = new Line(this.#pool);
    this.#lines.add(opened);
    return opened;
  }

  #close(line: Line): void {
    this.#lines.delete(line);
    line.client.then(
      (client) => client.release(),
      // Its statements were rejected with this error.
      () => undefined,
    );
  }
}
