// Upgrades the dump of an installation of each released version to this one.
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrate } from '../../src/database/migrate.ts';
import { readCoverage } from '../../src/ledger/coverage.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { catalogOf } from '../support/catalog.ts';
import { EMPTY, type TestDatabase, testDatabase } from '../support/database.ts';
import { findBroken, rows } from '../support/races.ts';
import { overWebSocketStream } from '../support/streams.ts';
import { type Dump, dumpedVersions, readDump, restoreDump } from '../upgrades/dump.ts';

/**
 * An answer without what has changed on purpose: a cursor of the log is reduced to its position (since 0.1.0 it also
 * names the event there), and zone files are without today's serial.
 */
function comparable(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer), (key, value) => {
    if (typeof value !== 'string') return value;
    if (key === 'zoneFile') return value.replaceAll(SERIAL_OF_A_DAY, 'SERIAL');
    if (!/cursor$/i.test(key)) return value;
    return LOG_CURSOR.exec(Buffer.from(value, 'base64url').toString())?.[1] ?? value;
  });
}

const SERIAL_OF_A_DAY = /\b20\d{8}\b/g;
const LOG_CURSOR = /^([0-9a-f-]{36}\.\d+)(?:\.[0-9a-f]+-[0-9a-f]+)?$/;

describe.each(await dumpedVersions())('an installation of version %s', (version) => {
  let dump: Dump;
  let database: TestDatabase;
  let app: TestApp | undefined;

  beforeEach(async () => {
    dump = await readDump(version);
    database = await testDatabase(EMPTY);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    try {
      await restoreDump(database.orm, client, dump);
    } finally {
      await client.end();
    }
    await migrate(database.orm, database.url, { say: () => undefined });
  });

  afterEach(async () => {
    await app?.stop();
    app = undefined;
    await database?.close();
  });

  const start = async (role: 'gateway' | 'all') => {
    // No retention, so that nothing is too old, whatever the dump's age.
    app = await startTestApp(database.url, { settings: { ROLE: role, RETENTION_DAYS: 0 } });
    return app;
  };
  /** Runs that a runner should be working on. */
  const UNFINISHED = `
    select id, state from run
    where state in ('QUEUED', 'RUNNING') and (next_attempt_at is null or next_attempt_at <= now())`;

  test('gets the tables of a new one, and keeps its rows', async () => {
    const fresh = await testDatabase();
    try {
      expect(await catalogOf(database.orm)).toEqual(await catalogOf(fresh.orm));
    } finally {
      await fresh.close();
    }
    for (const { name, rows: content } of dump.tables) {
      const [counted] = await rows<{ n: number }>(database.orm.em, `select count(*)::int as n from ${name}`);
      expect(counted?.n, name).toBe(content.split('\n').length - 1);
    }
  });

  test('answers as it did', async () => {
    const gateway = await start('gateway');
    for (const { graphql, legacy = '', answer } of dump.answers) {
      const now = graphql === undefined ? await gateway.legacy(legacy) : await gateway.query(graphql);
      expect(comparable(now), graphql ?? legacy).toEqual(comparable(answer));
    }
    expect(dump.answers.length).toBeGreaterThan(20);
  });

  test('continues the log, due tasks and running runs, and accounts for every slot', async () => {
    const { em } = database.orm;
    expect(await rows(em, UNFINISHED)).not.toEqual([]);
    // A day passes.
    await rows(em, `update task set next_run_at = next_run_at - interval '1 day' where name = 'Daily'`);
    const server = await start('all');
    const stream = await overWebSocketStream(server, {
      query: 'subscription ($after: String) { runEvents(after: $after) { type task { name } run { trigger } } }',
      variables: { after: dump.cursor },
    });
    try {
      await expect
        .poll(() => stream.received.map(({ data }) => data?.runEvents))
        .toContainEqual({ type: 'SUCCEEDED', task: { name: 'Daily' }, run: { trigger: 'SCHEDULE' } });
      expect(stream.received.flatMap(({ errors }) => errors ?? [])).toEqual([]);
    } finally {
      await stream.close();
    }
    await expect.poll(() => rows(em, UNFINISHED), { timeout: 60_000, interval: 500 }).toEqual([]);
    expect(await findBroken(em)).toEqual([]);
    const { from, to } = dump.period;
    expect(await readCoverage(em, new Date(from), new Date(to), null)).toMatchObject({ unaccounted: 0, missing: [] });
  });
});
