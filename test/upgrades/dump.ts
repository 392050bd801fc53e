// A version of the product as it leaves an installation behind: the rows of each table at that version's schema, those of
// the job engine, and how it answered. Restored, it is what the next version finds.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import pg from 'pg';
import { getConstructionPlans } from 'pg-boss';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { copyIn, copyOut, readNext, readShapes, setUpSession } from '../../src/backup/tables.ts';
import { MIGRATIONS_TABLE, type Orm } from '../../src/database/orm.ts';
import { CATALOG, catalogOf, type Definition } from '../support/catalog.ts';
import type { Question } from './questions.ts';

const SUFFIX = '.json.gz';

interface TableDump {
  name: string;
  columns: string[];
  /** PostgreSQL's COPY text. */
  rows: string;
  next: Record<string, number>;
}

export interface Dump {
  version: string;
  /** In the order in which they were applied. */
  migrations: string[];
  /** What these migrations had made of the tables when that version applied them. */
  catalog: Definition[];
  tables: TableDump[];
  /** What makes the schema of the job engine's version, and its rows. */
  jobs: { schema: string; tables: TableDump[] };
  /** In which tasks were due. */
  period: { from: string; to: string };
  /** Of the newest event. */
  cursor: string;
  answers: (Question & { answer: unknown })[];
}

/** The versions that have a dump. */
export async function dumpedVersions(): Promise<string[]> {
  const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(SUFFIX));
  return files.map((name) => basename(name, SUFFIX)).sort();
}

function pathOf(version: string): string {
  return join(import.meta.dirname, `${version}${SUFFIX}`);
}

export async function readDump(version: string): Promise<Dump> {
  return JSON.parse(gunzipSync(await readFile(pathOf(version))).toString());
}

/** Returns the size of the file in bytes. */
export async function writeDump(dump: Dump): Promise<number> {
  const file = gzipSync(JSON.stringify(dump), { level: 9 });
  await writeFile(pathOf(dump.version), file);
  return file.length;
}

/** Reads everything that is in a database, whatever version made it. */
export async function readDatabase(
  client: pg.Client,
): Promise<Pick<Dump, 'migrations' | 'catalog' | 'tables' | 'jobs'>> {
  await setUpSession(client);
  const { rows: migrations } = await client.query<{ name: string }>(`select name from ${MIGRATIONS_TABLE} order by id`);
  const { rows: catalog } = await client.query<Definition>(CATALOG);
  return {
    migrations: migrations.map(({ name }) => name),
    catalog,
    tables: (await readTables(client, 'public')).filter(({ name }) => name !== MIGRATIONS_TABLE),
    jobs: { schema: getConstructionPlans('pgboss'), tables: await readTables(client, 'pgboss') },
  };
}

async function readTables(client: pg.Client, schema: string): Promise<TableDump[]> {
  await client.query(`set search_path to ${schema}`);
  const { rows } = await client.query<{ names: string[] }>(
    `select array_agg(relname::text order by relname) as names from pg_class
     where relkind = 'r' and relnamespace = current_schema()::regnamespace`,
  );
  const tables: TableDump[] = [];
  for (const shape of await readShapes(client, rows[0]?.names ?? [])) {
    const content = await text(client.query(copyTo(copyOut(shape))));
    tables.push({ name: shape.name, columns: shape.columns, rows: content, next: await readNext(client, shape) });
  }
  await client.query('reset search_path');
  return tables;
}

/**
 * Makes of an empty database the one that was dumped, at the schema of that time, as if it had always been on this
 * server. Throws where the migrations do not make of it what they made then.
 */
export async function restoreDump(orm: Orm, client: pg.Client, dump: Dump): Promise<void> {
  await orm.migrator.up({ migrations: dump.migrations });
  const catalog = await catalogOf(orm);
  const changed = [...catalog, ...dump.catalog].filter(
    (one) => !(includes(catalog, one) && includes(dump.catalog, one)),
  );
  if (changed.length > 0) {
    throw new Error(`a migration of ${dump.version} has been changed since: ${JSON.stringify(changed)}`);
  }
  await client.query(dump.jobs.schema);
  await setUpSession(client);
  // The rows were consistent where they came from; in which order they refer to each other is not looked at.
  await client.query('set session_replication_role = replica');
  await fill(client, 'public', dump.tables);
  await fill(client, 'pgboss', dump.jobs.tables);
  await client.query('reset session_replication_role');
  await client.query(
    `update event_log set system_identifier = (select system_identifier::text from pg_control_system()),
       timeline = ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int`,
  );
  if (dump.catalog.some(({ definition }) => definition.startsWith('event_log database_oid '))) {
    await client.query(
      'update event_log set database_oid = (select oid from pg_database where datname = current_database())',
    );
  }
}

function includes(catalog: readonly Definition[], { kind, definition }: Definition): boolean {
  return catalog.some((other) => other.kind === kind && other.definition === definition);
}

/** The job engine has a partition for each day of its statistics, and makes only those of today and tomorrow. */
async function makePartition(client: pg.Client, name: string): Promise<void> {
  const [, parent, year, month, day] = /^(queue_stats)_(\d{4})(\d\d)(\d\d)$/.exec(name) ?? [];
  if (parent === undefined) return;
  const date = `${year}-${month}-${day}`;
  await client.query(
    `create table if not exists ${name} partition of ${parent} for values from ('${date}') to ('${date}'::date + 1)`,
  );
}

async function fill(client: pg.Client, schema: string, tables: readonly TableDump[]): Promise<void> {
  await client.query(`set search_path to ${schema}`);
  for (const { name, columns, rows, next } of tables) {
    await makePartition(client, name);
    // What the migrations made.
    await client.query(`delete from ${pg.escapeIdentifier(name)}`);
    await pipeline(Readable.from([rows]), client.query(copyFrom(copyIn(name, columns))));
    for (const [column, value] of Object.entries(next)) {
      await client.query('select setval(pg_get_serial_sequence($1, $2), $3, false)', [name, column, value]);
    }
  }
  await client.query('reset search_path');
}
