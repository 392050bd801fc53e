// Migrates while older processes work on the same tables: a migration that has to wait for a lock gives way to them.
import type pg from 'pg';
import { LOCK_TIMEOUT_MS, type Patience, patiently } from './lock-patience.ts';
import type { Orm } from './orm.ts';

/**
 * Applies what is pending in one transaction. `watch` is another session, to see who is in the way. Throws an OperatorError
 * where others stay in the way for too long.
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
