// What a database holds, to be compared with what it held before.
import type { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'vitest';
import { HOLDING, startTestApp, type TestApp } from './app.ts';
import { testDatabase } from './database.ts';

const TABLES = [
  'app_user',
  'api_key',
  'audit_entry',
  'task',
  'repeat_item',
  'schedule_version',
  'run',
  'slot_gap',
  'event',
  'idempotency_key',
  'imported_log',
  'legacy_reply',
  'ip_block',
  'secret',
  'dns_zone',
  'dns_record',
  'dns_server',
  'dns_server_zone',
  'pgboss.job',
];

export interface TableContents {
  rows: number;
  /** A digest of all columns of all rows. */
  digest: string | null;
}

/** The number of rows of every table and a digest of what is in them, but for when keys were used, which is stored now and then; the job engine's table included. */
export async function contentsOf(orm: MikroORM): Promise<Record<string, TableContents>> {
  const contents: Record<string, TableContents> = {};
  for (const table of TABLES) {
    const [row] = await orm.em.getConnection().execute<TableContents[]>(
      `select count(*)::int as rows, md5(string_agg(row_text, '' order by row_text)) as digest
         from (select (to_jsonb(t) - 'last_used_at')::text as row_text from ${table} t) as texts`,
    );
    if (row !== undefined) contents[table] = row;
  }
  return contents;
}

/** Everything that the database holds, as text. */
export async function textOf(orm: MikroORM): Promise<string> {
  const connection = orm.em.getConnection();
  const tables = await connection.execute<{ name: string }[]>(
    `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
     where schemaname in ('public', 'pgboss')`,
  );
  const texts = await Promise.all(
    tables.map(({ name }) => connection.execute<{ text: string }[]>(`select t::text as text from ${name} t`)),
  );
  return texts
    .flat()
    .map(({ text }) => text)
    .join('\n');
}

export interface StillDatabase {
  app: TestApp;
  /** That nothing was stored or changed since it was started. */
  expectUnchanged(): Promise<void>;
  stop(): Promise<void>;
}

/** The product on a database with one task, of legacyId 1, that has run; nothing changes in it by itself. */
export async function startStill(): Promise<StillDatabase> {
  const database = await testDatabase();
  const app = await startTestApp(database.url);
  await app.query(
    'mutation ($className: String!) { addTask(input: {name: "Task", className: $className}) { task { id } } }',
    { className: HOLDING },
  );
  await app.query('mutation { executeTask(input: {task: {legacyId: 1}, waitSeconds: 20}) { run { state } } }');
  // Reading the log numbers its events, which is a change of theirs.
  await app.query('{ events(first: 1) { edges { cursor } } }');
  const before = await contentsOf(database.orm);
  expect(before.run?.rows).toBe(1);
  return {
    app,
    expectUnchanged: async () => expect(await contentsOf(database.orm)).toEqual(before),
    stop: async () => {
      await app.stop();
      await database.close();
    },
  };
}
