import type { EntityManager } from '@mikro-orm/postgresql';
import { codeOf } from '../lib/describe-error.ts';
import { isConnectionLost } from './connection-lost.ts';

const ATTEMPTS = 5;

/** A deadlock (40P01) or a serialization failure (40001): the transaction did nothing and may be tried again. */
function isTransient(error: unknown): boolean {
  const code = codeOf(error);
  return code === '40P01' || code === '40001';
}

/**
 * Runs `work` in a transaction of its own, on a fork of `em`, and tries it again where PostgreSQL asks for that, or where
 * the connection is lost before the commit is sent: nothing of it can be stored then. `work` must therefore have no effect
 * outside the database. Of a connection that is lost later nobody knows, so that is told.
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
