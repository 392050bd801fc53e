// Writes a snapshot of the database to a file. It streams from end to end: memory does not grow with the tables.
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { ZipFile } from 'yazl';
import { connect } from '../database/connect.ts';
import { readMigrationsInCode } from '../database/migrate.ts';
import { MIGRATIONS_TABLE } from '../database/orm.ts';
import {
  BackupFault,
  Digest,
  digested,
  entryOf,
  FORMAT,
  MANIFEST_ENTRY,
  type Manifest,
  SEAL_BYTES,
  sealed,
  type TableInManifest,
} from './archive.ts';
import { readProductVersion } from './product-version.ts';
import { copyOut, readNext, readShapes, setUpSession, type TableShape, tablesInBackup } from './tables.ts';

/** Reserves the bytes of the seal. */
const PLACEHOLDER = '0'.repeat(SEAL_BYTES);
/** Much faster than the default, 6; files become a tenth larger. */
const COMPRESSION_LEVEL = 3;

interface WriteOptions {
  /** Ends the work at its next step, without waiting for the database. */
  signal: AbortSignal;
  /** Called with the fraction that is done, 0 to 1, by the size of the tables. */
  progress(fraction: number): void;
}

/**
 * Writes a snapshot of all tables to a new file that only this account can read, and syncs it to disk. It takes only a
 * reader's locks, for which nothing but a migration that changes a table waits. On failure the caller removes the file.
 */
export async function writeBackup(
  em: EntityManager,
  databaseUrl: string,
  path: string,
  { signal, progress }: WriteOptions,
): Promise<Manifest> {
  const client = await connect(databaseUrl, 'slotkeeper backup');
  const stop = () => void cancel(em, client);
  signal.addEventListener('abort', stop);
  try {
    signal.throwIfAborted();
    const { head, shapes, sizes } = await beginSnapshot(em, client);
    const tables: TableInManifest[] = [];
    const manifest = { ...head, tables };
    const meter = new Meter(sizes, progress);
    const archive = archiveOf(client, shapes, meter, manifest);
    const file = await open(path, 'wx', 0o600);
    // On success the bytes are on the disk; the file is closed in any case.
    await pipeline(archive, sealed, file.createWriteStream({ flush: true }), { signal });
    return manifest;
  } finally {
    signal.removeEventListener('abort', stop);
    // A running query is not waited for.
    await client.end();
  }
}

/** The server may be sorting, and would notice a closed connection only when it sends the next row. */
async function cancel(em: EntityManager, client: pg.Client & { processID?: number }): Promise<void> {
  const { processID } = client;
  if (processID === undefined) return;
  // If it fails, the connection is closed anyway.
  await em
    .fork()
    .execute('select pg_cancel_backend(?)', [processID])
    .catch(() => undefined);
}

interface Snapshot {
  head: Omit<Manifest, 'tables'>;
  shapes: TableShape[];
  /** Approximate bytes by table. */
  sizes: Map<string, number>;
}

/**
 * The tables are locked before the snapshot is taken: to an older snapshot, a table that a migration has rewritten
 * since looks empty. A database that newer code has migrated is refused: only that code knows all of its tables.
 */
async function beginSnapshot(em: EntityManager, client: pg.Client): Promise<Snapshot> {
  const names = tablesInBackup(em);
  await setUpSession(client);
  await client.query('begin isolation level repeatable read read only');
  await client.query(`lock table ${[...names, MIGRATIONS_TABLE].join(', ')} in access share mode`);
  const { rows: migrations } = await client.query<{ name: string }>(`select name from ${MIGRATIONS_TABLE} order by id`);
  const applied = migrations.map(({ name }) => name);
  if (applied.join() !== (await readMigrationsInCode()).join()) {
    throw new BackupFault(
      'The database was migrated by another version of Slotkeeper: a runner of that version must make the backup.',
    );
  }
  const { rows } = await client.query<{ now: string; version: string; uuid: string }>(
    `select to_char(now(), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as now, current_setting('server_version') as version, uuid
     from installation`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the table installation has no row');
  const { rows: sizes } = await client.query<{ name: string; bytes: number }>(
    `select relname::text as name, pg_table_size(oid)::float8 as bytes from pg_class
     where relnamespace = current_schema()::regnamespace and relname = any($1::text[])`,
    [names],
  );
  return {
    head: {
      format: FORMAT,
      product: 'slotkeeper',
      version: await readProductVersion(),
      schemaVersion: applied.at(-1) ?? '',
      migrations: applied,
      createdAt: row.now,
      installation: row.uuid,
      postgresql: row.version,
    },
    shapes: await readShapes(client, names),
    sizes: new Map(sizes.map(({ name, bytes }) => [name, bytes])),
  };
}

/** Reports progress. A table counts with its size on disk, which is close to the bytes that are read of it. */
class Meter {
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #total: number;
  readonly #progress: (fraction: number) => void;
  #before = 0;

  constructor(sizes: ReadonlyMap<string, number>, progress: (fraction: number) => void) {
    this.#sizes = sizes;
    this.#total = Math.max(
      1,
      [...sizes.values()].reduce((sum, size) => sum + size, 0),
    );
    this.#progress = progress;
  }

  async *measure(table: string, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const size = this.#sizes.get(table) ?? 0;
    let read = 0;
    for await (const chunk of source) {
      yield chunk;
      read += chunk.length;
      this.#progress((this.#before + Math.min(size, read)) / this.#total);
    }
    this.#before += size;
  }
}

/**
 * The archive as a stream, which fills `manifest.tables` on the way. An error of a source destroys it with that error.
 */
function archiveOf(client: pg.Client, shapes: readonly TableShape[], meter: Meter, manifest: Manifest): Readable {
  const zip = new ZipFile();
  const output = zip.outputStream as Readable;
  let source: Readable | undefined;
  const fail = (error: Error) => output.destroy(error);
  zip.on('error', fail);
  output.once('close', () => source?.destroy());
  const options = { compressionLevel: COMPRESSION_LEVEL, mode: 0o100600, mtime: new Date(manifest.createdAt) };
  const add = (entry: string, content: AsyncIterable<Buffer>) =>
    zip.addReadStreamLazy(entry, options, (take) => {
      source = Readable.from(content, { objectMode: false });
      source.once('error', fail);
      take(null, source);
    });
  // Entries are read one after another, each started when its turn comes: the connection runs one query at a time.
  for (const shape of shapes) add(entryOf(shape.name), tableContent(client, shape, meter, manifest.tables));
  add(MANIFEST_ENTRY, manifestContent(manifest));
  zip.end({ comment: PLACEHOLDER, forceZip64Format: false });
  return output;
}

async function* tableContent(
  client: pg.Client,
  shape: TableShape,
  meter: Meter,
  tables: TableInManifest[],
): AsyncGenerator<Buffer> {
  const { name, columns } = shape;
  const digest = new Digest();
  const copy = client.query(copyTo(copyOut(shape)));
  yield* digested(meter.measure(name, copy), digest);
  const result = digest.result();
  const next = await readNext(client, shape);
  // Known only now, after another query on the same connection.
  if (copy.rowCount !== result.rows) {
    throw new Error(`PostgreSQL sent ${copy.rowCount} rows of ${name}, received ${result.rows}`);
  }
  tables.push({ name, columns, ...result, next });
}

async function* manifestContent(manifest: Manifest): AsyncGenerator<Buffer> {
  yield Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}
