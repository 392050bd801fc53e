import { createHash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { CALLS_KEPT_FOR } from '../entities/idempotency-key.ts';
import { conflict } from '../lib/faults.ts';
import { readText } from '../lib/input.ts';
import { inTransaction } from './transaction.ts';

/** The caller, and the EntityManager of the call. */
interface Caller {
  em: EntityManager;
  viewer: { id: number };
}

/** The input of a call, which may have an idempotency key. */
interface KeyedInput {
  idempotencyKey?: string | null | undefined;
}

/**
 * Runs a call in one transaction. With an idempotency key, its work is done once: the key is inserted first, and the
 * table's primary key makes a concurrent call wait until the first has committed (and then answer with its result) or
 * rolled back (and then do the work). The same statement takes over an expired key. `work` returns the id of what it
 * created or changed.
 */
export function withIdempotencyKey(
  { em, viewer }: Caller,
  mutation: string,
  input: KeyedInput,
  work: (em: EntityManager) => Promise<number>,
): Promise<number> {
  const key = input.idempotencyKey;
  if (key === undefined || key === null) return inTransaction(em, work);
  readText(key, 'idempotencyKey', { least: 1 });
  // waitSeconds does not change what the call does.
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([mutation, { ...input, waitSeconds: undefined }]))
    .digest();
  return inTransaction(em, async (transaction) => {
    const database = transaction.getKysely();
    const { rows: inserted } = await sql`
      insert into idempotency_key (user_id, key, fingerprint) values (${viewer.id}, ${key}, ${fingerprint})
      on conflict (user_id, key) do update
        set fingerprint = excluded.fingerprint, result_id = null, created_at = excluded.created_at
        where idempotency_key.created_at < now() - ${CALLS_KEPT_FOR}::interval
      returning key
    `.execute(database);
    if (inserted.length === 0) return earlierResult(transaction, viewer.id, key, fingerprint);
    const id = await work(transaction);
    await sql`
      update idempotency_key set result_id = ${id} where user_id = ${viewer.id} and key = ${key}
    `.execute(database);
    return id;
  });
}

async function earlierResult(em: EntityManager, userId: number, key: string, fingerprint: Buffer): Promise<number> {
  const { rows } = await sql<{ fingerprint: Buffer; result_id: number }>`
    select fingerprint, result_id from idempotency_key where user_id = ${userId} and key = ${key}
  `.execute(em.getKysely());
  const earlier = rows[0];
  if (earlier === undefined || !earlier.fingerprint.equals(fingerprint)) {
    throw conflict('the idempotency key was used for another call', 'idempotencyKey');
  }
  return earlier.result_id;
}
