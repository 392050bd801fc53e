import { randomBytes } from 'node:crypto';
import type { MikroORM } from '@mikro-orm/postgresql';
import pg from 'pg';
import { inject } from 'vitest';
import { openOrm } from '../../src/database/orm.ts';
import { addClock } from './database-clock.ts';
import { databaseUrl, TEMPLATE } from './template.ts';

const CLOSE_WITHIN_MS = 5_000;

export interface TestDatabase {
  url: string;
  orm: MikroORM;
  /** Drops the database; throws where a connection to it was left open. */
  close(): Promise<void>;
}

/** PostgreSQL's own empty template, for a database without tables. */
export const EMPTY = 'template0';

/** A database of its own, cloned from the migrated template unless told otherwise; with a clock for `setClock` on demand. */
export async function testDatabase(template = TEMPLATE, { hasClock = false } = {}): Promise<TestDatabase> {
  const serverUrl = inject('serverUrl');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(serverUrl, (client) =>
    client.query(`create database ${name} template ${template} strategy file_copy`),
  );
  const url = databaseUrl(serverUrl, name);
  if (hasClock) await addClock(url);
  const orm = await openOrm(url, 8);
  return {
    url,
    orm,
    close: async () => {
      await orm.close();
      const leaked = await onServer(serverUrl, (client) => leakedConnections(client, name));
      await onServer(serverUrl, (client) => client.query(`drop database ${name} with (force)`));
      if (leaked.length > 0) throw new Error(`connections were left open: ${leaked.join(', ')}`);
    },
  };
}

async function onServer<T>(serverUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** What is still connected after the time that a closed connection's server process takes to end. */
async function leakedConnections(client: pg.Client, name: string): Promise<string[]> {
  const deadline = Date.now() + CLOSE_WITHIN_MS;
  for (;;) {
    const { rows } = await client.query<{ application_name: string }>(
      `select application_name from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [name],
    );
    if (rows.length === 0 || Date.now() > deadline) return rows.map(({ application_name }) => application_name);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
