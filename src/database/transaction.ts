import type { EntityManager } from '@mikro-orm/postgresql';

const ATTEMPTS = 5;

/** A deadlock (40P01) or a serialization failure (40001): the transaction did nothing and may be tried again. */
function isTransient(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === '40P01' || code === '40001';
}

/**
 * Runs `work` in a transaction of its own, on a fork of `em`, and tries it again where PostgreSQL asks for that. `work`
 * must therefore have no effect outside the database.
 */
export async function inTransaction<T>(em: EntityManager, work: (em: EntityManager) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await em.fork().transactional(work);
    } catch (error) {
      if (attempt === ATTEMPTS || !isTransient(error)) throw error;
    }
  }
}
