import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { CALLS_KEPT_FOR } from '../../entities/idempotency-key.ts';
import type { ReplyStore } from '../adapter.ts';

/**
 * The replies to the calls of a user that had an Idempotency-Key. That the work is done once is the mutation's own affair
 * (see `src/database/idempotency.ts`); this only makes the repeated call's reply the same to the byte. Of two that reply at
 * the same instant the primary key lets one be stored, and both reply with it.
 */
export class DatabaseReplyStore implements ReplyStore {
  readonly #em: EntityManager;
  readonly #userId: number;

  constructor(em: EntityManager, userId: number) {
    this.#em = em;
    this.#userId = userId;
  }

  async find(key: string, fingerprint: Buffer): Promise<{ reply: string; isSameCall: boolean } | null> {
    const { rows } = await sql<{ reply: string; fingerprint: Buffer }>`
      select reply, fingerprint from legacy_reply
      where user_id = ${this.#userId} and key = ${key} and created_at >= now() - ${CALLS_KEPT_FOR}::interval
    `.execute(this.#em.fork().getKysely());
    const [stored] = rows;
    return stored === undefined ? null : { reply: stored.reply, isSameCall: stored.fingerprint.equals(fingerprint) };
  }

  /** A reply that is older than 24 hours is replaced. */
  async save(key: string, fingerprint: Buffer, reply: string): Promise<string> {
    await sql`
      insert into legacy_reply (user_id, key, fingerprint, reply)
      values (${this.#userId}, ${key}, ${fingerprint}, ${reply})
      on conflict (user_id, key) do update
        set fingerprint = excluded.fingerprint, reply = excluded.reply, created_at = excluded.created_at
        where legacy_reply.created_at < now() - ${CALLS_KEPT_FOR}::interval
    `.execute(this.#em.fork().getKysely());
    return (await this.find(key, fingerprint))?.reply ?? reply;
  }
}
