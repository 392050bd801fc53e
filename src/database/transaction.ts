import type { EntityManager } from '@mikro-orm/postgresql';
import { codeOf } from '../lib/describe-error.ts';
import { isConnectionLost } from './connection-lost.ts';

const ATTEMPTS = 5;

/**
 * Whether it is a deadlock (40P01) or a serialization failure (40001): the transaction was rolled back and may be
 * retried.
 */
function isTransient(error: unknown): boolean {
  const code = codeOf(error);
  return code === '40P01' || code === '40001';
}

/**
 * Runs `work` in a transaction of its own, on a fork of `em`. It retries after a deadlock or a serialization failure,
 * and if the connection is lost before the commit is sent, because then nothing was stored. `work` must therefore have
 * no effect outside the database. If the connection is lost later, the outcome is unknown, so the error is thrown.
 */
export async function inTransaction<T>(em: EntityManager, work: (em: EntityManager) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    let isDone = false;
    try {
      return await em.fork().transactional(async (fork) => {
        const result = await work(fork);
        isDone = true;
        return result;
      });
    } catch (error) {
      const nothingStored = isTransient(error) || (!isDone && isConnectionLost(error));
      if (attempt === ATTEMPTS || !nothingStored) throw error;
    }
  }
}
