// One PostgreSQL server for the whole run, with a migrated template that each test database is cloned from.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import type { TestProject } from 'vitest/node';
import { startEmbedded } from '../../src/database/embedded.ts';
import { migrate } from '../../src/database/migrate.ts';
import { openOrm } from '../../src/database/orm.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { databaseUrl, TEMPLATE } from './template.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The database to connect to for creating others. */
    serverUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'slotkeeper-test-'));
  const server = await startEmbedded({
    dataDir: folder,
    log: () => undefined,
    // The data is thrown away, so nothing need reach the disk.
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '400' },
  });
  await makeTemplate(server.url);
  project.provide('serverUrl', server.url);
  return async () => {
    await server.release();
    await rm(folder, { recursive: true, force: true });
  };
}

async function makeTemplate(serverUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(`create database ${TEMPLATE}`);
  await client.end();
  const url = databaseUrl(serverUrl, TEMPLATE);
  const orm = await openOrm(url);
  await migrate(orm, url, { say: () => undefined });
  await orm.close();
  const jobs = new Jobs(url, pino({ level: 'silent' }), false);
  await jobs.start();
  await jobs.stop();
}
