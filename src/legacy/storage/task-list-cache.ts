import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { PREPARED } from '../../database/prepared.ts';

/** A longer reply is built each time. */
const MAX_CACHED_LENGTH = 32 * 1024 * 1024;
const MAX_AGE_MS = 3_600_000;

/**
 * The last reply of getTasks, which old callers poll, though it seldom changes. Before it is used again, one statement
 * asks the database whether it would be the same. A reply depends only on the rows of the tasks and their rules (the
 * owner is shown by id), and a changed row is a new row version: with another transaction id (xmin), at another place
 * (ctid). So as long as a statement sees the row versions of the reply, a reply that is built at that instant would be
 * the same, whichever process committed what, in any order. The versions are combined into one 64-bit hash, so that
 * they need not be sent; two states have the same hash with a chance of 1 in 2^64. The hash of a version recurs only if
 * its place is used again by a transaction with the same number, four thousand million transactions later, and no reply
 * is cached for that long.
 */
export class TaskListCache {
  readonly #em: EntityManager;
  #cached: { reply: string; state: string; at: number } | undefined;
  #building: Promise<unknown> = Promise.resolve();

  constructor(em: EntityManager) {
    this.#em = em.fork();
  }

  /** The current reply: the cached one, or the result of `build`. */
  async get(build: () => Promise<string>): Promise<string> {
    return this.#current(await this.#state()) ?? (await this.#inTurn(build));
  }

  #current(state: string): string | undefined {
    const cached = this.#cached;
    return cached?.state === state && performance.now() - cached.at < MAX_AGE_MS ? cached.reply : undefined;
  }

  /** Concurrent calls after a change wait for the first, and usually use its reply. */
  #inTurn(build: () => Promise<string>): Promise<string> {
    const built = this.#building.then(() => this.#build(build));
    this.#building = built.catch(() => undefined);
    return built;
  }

  async #build(build: () => Promise<string>): Promise<string> {
    const before = await this.#state();
    const current = this.#current(before);
    if (current !== undefined) return current;
    const reply = await build();
    // It was built page by page; it is that of one instant only if nothing changed meanwhile.
    const isWhole = reply.length <= MAX_CACHED_LENGTH && (await this.#state()) === before;
    this.#cached = isWhole ? { reply, state: before, at: performance.now() } : undefined;
    return reply;
  }

  async #state(): Promise<string> {
    const { rows } = await sql<{ state: string }>`${PREPARED}
      select concat_ws(' ',
        (select concat(count(*), ':', bit_xor(hash_record_extended(row(id, xmin, ctid), 0))) from task
          where deleted_at is null),
        (select concat(count(*), ':', bit_xor(hash_record_extended(row(id, xmin, ctid), 0))) from repeat_item)) as state
    `.execute(this.#em.getKysely());
    if (rows[0] === undefined) throw new Error('the database did not say in which state the tasks are');
    return rows[0].state;
  }
}
