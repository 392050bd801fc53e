// Migrates while older processes use the same tables: a migration that must wait for a lock lets them go first.
import type pg from 'pg';
import { LOCK_TIMEOUT_MS, type Patience, patiently } from './lock-patience.ts';
import type { Orm } from './orm.ts';

/**
 * Applies the pending migrations in one transaction. `watch` is another session, which looks up who holds the locks.
 * Throws an OperatorError if other transactions hold them for too long.
 */
export function applyMigrations(orm: Orm, watch: pg.Client, patience: Patience): Promise<void> {
  return patiently(() => tryOnce(orm), {
    ...patience,
    ask: async <Row>(text: string) => (await watch.query(text)).rows as Row[],
    waits: (others) => `The migration waits because ${others}; running processes continue meanwhile.`,
    givesUp: (others) =>
      `The tables could not be migrated because ${others}: end them, or start again after they have ended. Nothing was changed.`,
  });
}

function tryOnce(orm: Orm): Promise<void> {
  return orm.em.fork().transactional(async (em) => {
    await em.execute(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await orm.migrator.up({ transaction: em.getTransactionContext() });
  });
}
