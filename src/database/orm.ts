import { fileURLToPath } from 'node:url';
import { Migrator } from '@mikro-orm/migrations';
import { defineConfig, type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { entities } from '../entities/index.ts';
import { notFound } from '../lib/faults.ts';
import { CONNECTION, DeadPeerClient } from './dead-peer-client.ts';
import { prepareMarked } from './prepared.ts';

export const MIGRATIONS_PATH = fileURLToPath(new URL('./migrations', import.meta.url));
/** The table with the names of the applied migrations. */
export const MIGRATIONS_TABLE = 'mikro_orm_migrations';

// Our bigint columns are counters far below 2^53; the driver's default, text, would need a conversion at every read.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** The most connections of one process for its own queries; pg-boss has a small pool of its own. */
const POOL_SIZE = 16;

/** Far longer than any pause of ours between two statements. */
const IDLE_IN_TRANSACTION_MS = 60_000;

export function ormOptions(url: string, poolSize = POOL_SIZE) {
  return defineConfig({
    clientUrl: url,
    entities,
    extensions: [Migrator],
    pool: { min: 0, max: poolSize },
    driverOptions: {
      application_name: 'slotkeeper',
      ...CONNECTION,
      Client: DeadPeerClient,
      // For `PipelinedReads`; code that has a connection to itself and awaits each statement sees no difference.
      pipeline: true,
      // A process that freezes or loses its network in a transaction holds its locks no longer than this. Set by a
      // statement, because poolers refuse connections with this startup parameter.
      onConnect: (client: pg.ClientBase) =>
        client.query(`set idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS}`),
      onPoolCreated: (pool: pg.Pool) => {
        releaseLostConnections(pool);
        prepareMarked(pool);
      },
    },
    migrations: {
      tableName: MIGRATIONS_TABLE,
      path: MIGRATIONS_PATH,
      pathTs: MIGRATIONS_PATH,
      emit: 'ts',
      snapshot: false,
      silent: true,
      allOrNothing: true,
    },
    forceUtcTimezone: true,
    findOneOrFailHandler: (entityName) => notFound(`${entityName} not found`),
    // Without a fork, all requests would share one identity map.
    allowGlobalContext: false,
  });
}

/**
 * Returns a connection that ends while it is in use to the pool, which then drops it. A transaction that loses its
 * connection does not return it (MikroORM's rollback fails before Kysely releases), so each such loss would shrink the
 * pool for good.
 */
function releaseLostConnections(pool: pg.Pool): void {
  const used = new Set<pg.PoolClient>();
  pool.on('connect', (client) => {
    client.once('end', () => {
      if (!used.has(client)) return;
      const { release } = client;
      // Its user, which may notice only now, must not release it again.
      client.release = () => undefined;
      release(true);
    });
  });
  pool.on('acquire', (client) => used.add(client));
  pool.on('release', (_error, client) => used.delete(client));
}

export type Orm = MikroORM;
export type { EntityManager };

export function openOrm(url: string, poolSize?: number): Promise<MikroORM> {
  return MikroORM.init(ormOptions(url, poolSize));
}
