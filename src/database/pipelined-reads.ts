import type pg from 'pg';
import { isConnectionLost } from './connection-lost.ts';

/** Statements in flight on one connection before another is used. */
const STATEMENTS_A_LINE = 8;
/** With as many, statements queue at the one that has fewest; half of a pool is left to whatever else there is. */
const MAX_LINES = 8;
/** Far more than such a statement takes: one that has no reply by then waits for a lock, and would hold up who comes behind. */
export const HELD_UP_AFTER_MS = 25;

/** More than one connection of a pool may be lost. */
const ATTEMPTS = 5;

/** A connection while reads share it. */
class Line {
  readonly client: Promise<pg.PoolClient>;
  users = 0;
  /** The time of the last reply: replies come in the order of the statements. */
  movedAt = performance.now();

  constructor(pool: pg.Pool) {
    this.client = pool.connect();
  }

  get hasRoom(): boolean {
    return this.users < STATEMENTS_A_LINE && performance.now() - this.movedAt < HELD_UP_AFTER_MS;
  }
}

/**
 * Sends short statements that stand alone over few connections, each without waiting for the reply to the one before
 * (pipelining): waking one process of PostgreSQL for each costs more than such a statement does. A few share a connection,
 * and nobody gets on one that is held up. A statement that fails does not touch the others, since each is followed by a
 * Sync; those whose connection is lost are sent again, each by itself: they must not change anything.
 */
export class PipelinedReads {
  readonly #pool: pg.Pool;
  readonly #lines = new Set<Line>();

  /** `pool` is one whose clients pipeline. */
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
      // The connection may be lost: no other statement may use it.
      this.#lines.delete(line);
      throw error;
    } finally {
      line.users -= 1;
      if (line.users === 0) this.#close(line);
    }
  }

  /** The first that has room, so that they do not all come to be used. */
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
      // The callers got the error.
      () => undefined,
    );
  }
}
