// Columns that a newer version adds while this one runs.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { READS } from '../support/load.ts';
import { rows } from '../support/races.ts';

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url);
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

/** Concurrently, so that many connections have prepared the statements. */
async function askForMuch(): Promise<void> {
  const run = 'mutation { executeTask(input: { task: { legacyId: 1 }, waitSeconds: 20 }) { run { state } } }';
  for (const executed of await Promise.all([1, 2, 3, 4].map(() => app.query(run)))) {
    expect(executed).toEqual({ executeTask: { run: { state: 'SUCCEEDED' } } });
  }
  const calls = Array.from({ length: 10 }, () => [
    ...READS.map((document) => app.query(document)),
    app.legacy('target=scheduler&action=getTasks'),
  ]);
  await Promise.all(calls.flat());
  // On the connection that is used most.
  for (const document of READS) await app.query(document);
}

test('break nothing, though statements were prepared before', async () => {
  await app.query(
    `mutation ($className: String!) {
      addTask(input: { name: "Task", className: $className, repeatItems: [{ hour: 3 }] }) { task { id } }
    }`,
    { className: HOLDING },
  );
  await askForMuch();
  const tables = await rows<{ name: string }>(
    database.orm.em,
    `select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`,
  );
  for (const { name } of tables) await rows(database.orm.em, `alter table ${name} add added text default 'new'`);
  await askForMuch();
});
