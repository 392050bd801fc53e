import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { CALLS_KEPT_FOR } from '../../entities/idempotency-key.ts';
import type { KeptReplies } from '../adapter.ts';

/**
 * The replies to old calls of a user that carried an Idempotency-Key. That the work is done once is the mutation's own
 * affair (see `src/database/idempotency.ts`); this only makes the repeated call's answer the same to the byte. Of two that
 * answer at the same instant the primary key lets one be kept, and both answer with it.
 */
export function keptReplies(em: EntityManager, userId: number): KeptReplies {
  const find = async (key: string, fingerprint: Buffer) => {
    const { rows } = await sql<{ reply: string; fingerprint: Buffer }>`
      select reply, fingerprint from legacy_reply
      where user_id = ${userId} and key = ${key} and created_at >= now() - ${CALLS_KEPT_FOR}::interval
    `.execute(em.fork().getKysely());
    const kept = rows[0];
    return kept === undefined ? null : { reply: kept.reply, isSameCall: kept.fingerprint.equals(fingerprint) };
  };
  return {
    find,
    async keep(key, fingerprint, reply) {
      await sql`
        insert into legacy_reply (user_id, key, fingerprint, reply) values (${userId}, ${key}, ${fingerprint}, ${reply})
        on conflict (user_id, key) do update
          set fingerprint = excluded.fingerprint, reply = excluded.reply, created_at = excluded.created_at
          where legacy_reply.created_at < now() - ${CALLS_KEPT_FOR}::interval
      `.execute(em.fork().getKysely());
      return (await find(key, fingerprint))?.reply ?? reply;
    },
  };
}
