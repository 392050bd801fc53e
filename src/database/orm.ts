import { fileURLToPath } from 'node:url';
import { Migrator } from '@mikro-orm/migrations';
import { defineConfig, type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { GraphQLError } from 'graphql';
import pg from 'pg';
import { entities } from '../entities/index.ts';

export const MIGRATIONS_PATH = fileURLToPath(new URL('./migrations', import.meta.url));

// Our bigint columns are counters far below 2^53; the driver's default, text, would have to be converted at every read.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** Connections that one process holds for its own queries; pg-boss has a small pool of its own. */
const POOL_SIZE = 16;

export function ormOptions(url: string, poolSize = POOL_SIZE) {
  return defineConfig({
    clientUrl: url,
    entities,
    extensions: [Migrator],
    pool: { min: 0, max: poolSize },
    driverOptions: { application_name: 'slotkeeper', connectionTimeoutMillis: 10_000 },
    migrations: {
      path: MIGRATIONS_PATH,
      pathTs: MIGRATIONS_PATH,
      emit: 'ts',
      snapshot: false,
      silent: true,
      allOrNothing: true,
    },
    forceUtcTimezone: true,
    findOneOrFailHandler: (entityName) =>
      new GraphQLError(`${entityName} not found`, { extensions: { code: 'NOT_FOUND' } }),
    // A forgotten fork would share one identity map among all requests.
    allowGlobalContext: false,
  });
}

export type Orm = MikroORM;
export type { EntityManager };

export function openOrm(url: string, poolSize?: number): Promise<MikroORM> {
  return MikroORM.init(ormOptions(url, poolSize));
}
