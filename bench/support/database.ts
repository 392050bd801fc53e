// The PostgreSQL that all sides of a comparison share: the embedded one, which writes to disk as it does for a user.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbedded } from '../../src/database/embedded.ts';

export interface BenchDatabases {
  /** A folder that goes away at the end. */
  folder: string;
  /** Makes an empty database, and gives its URL. */
  create(name: string): Promise<string>;
  release(): Promise<void>;
}

export async function startDatabases(): Promise<BenchDatabases> {
  const folder = await mkdtemp(join(tmpdir(), 'slotkeeper-bench-'));
  const server = await startEmbedded({ dataDir: folder, log: () => undefined });
  return {
    folder,
    create: async (name) => {
      const client = await connect(server.url);
      await client.query(`create database ${pg.escapeIdentifier(name)}`);
      await client.end();
      const url = new URL(server.url);
      url.pathname = `/${name}`;
      return url.href;
    },
    release: async () => {
      await server.release();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  // A server that goes away fails the query that is under way; between two there is none to fail.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
