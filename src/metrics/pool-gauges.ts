import type { EntityManager, PostgreSqlConnection } from '@mikro-orm/postgresql';
import type { Metrics } from './metrics.ts';

/** How many connections to the database are used, idle, and waited for. */
export async function measurePool(em: EntityManager, metrics: Metrics): Promise<void> {
  const pool = await (em.getConnection() as PostgreSqlConnection).getNativeClient();
  metrics.gaugeOf(
    'database_pool_connections',
    'Connections of the process to the database, used and idle, and how many queries wait for one.',
    ['state'],
    (gauge) => {
      gauge.set({ state: 'used' }, pool.totalCount - pool.idleCount);
      gauge.set({ state: 'idle' }, pool.idleCount);
      gauge.set({ state: 'waiting' }, pool.waitingCount);
    },
  );
}
