// A newer version starts and migrates while processes of this one are busy.
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addRecorders, checkAccounts, waitUntilQuiet } from '../support/accounts.ts';
import { RECORDER } from '../support/chaos-process.ts';
import { Follower, Member, markLog } from '../support/cluster.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { Load } from '../support/load.ts';
import { makeNewerVersion, NEWEST_MIGRATION, type NewerVersion } from '../support/newer-version.ts';
import { type AppProcess, type BegunProcess, beginProcess, startProcess } from '../support/process.ts';
import { rows } from '../support/races.ts';

const WAITS =
  /The migration waits because other transactions hold the locks \(the oldest one: \W+a visitor\W+process \d+/g;

let database: TestDatabase;
let newer: NewerVersion;
let visitor: pg.Client;

beforeEach(async () => {
  database = await testDatabase();
  newer = await makeNewerVersion();
  visitor = new pg.Client({ connectionString: database.url, application_name: 'a visitor' });
  await visitor.connect();
});

afterEach(async () => {
  await visitor?.end();
  await newer?.remove();
  await database?.close();
});

const firstRow = async <Row>(text: string, values: unknown[] = []) =>
  (await rows<Row>(database.orm.em, text, values))[0];

const newerMigrations = () =>
  firstRow<{ n: number }>('select count(*)::int as n from mikro_orm_migrations where name = ?', [NEWEST_MIGRATION]);

/** How many every-minute tasks have run a slot after `at`. */
const hasRunSlotsSince = async (at: Date) =>
  (
    await firstRow<{ n: number }>(
      `select count(distinct task_id)::int as n from run where trigger = 'SCHEDULE' and state = 'SUCCEEDED' and slot > ?`,
      [at],
    )
  )?.n;

test('a newer version that must wait for a lock delays neither calls nor slots of the running processes', async () => {
  const members = [new Member('all', database.url), new Member('all', database.url)];
  const followers: Follower[] = [];
  let starting: BegunProcess | undefined;
  let load: Load | undefined;
  try {
    const gateways = await Promise.all(members.map(({ process }) => process));
    const start = await markLog(gateways[0] as AppProcess);
    const begin = new Date(Date.now() - 5 * 60_000);
    const taskIds = await addRecorders(database.orm, 10, begin);
    followers.push(new Follower(members, start));
    const busy = new Load(gateways, taskIds, RECORDER);
    load = busy;
    await expect.poll(() => busy.answeredSince(begin)).toBeGreaterThan(20);
    await expect.poll(() => hasRunSlotsSince(begin)).toBe(10);

    await visitor.query('begin');
    await visitor.query(`select from run where state = 'SUCCEEDED' limit 1 for update`);
    starting = beginProcess(database.url, { LOG_LEVEL: 'warn', LEASE_SECONDS: '10' }, newer.program);
    await expect.poll(starting.output, { timeout: 90_000 }).toMatch(WAITS);
    const waitsSince = new Date();
    // Long enough for many attempts, during which all tasks become due.
    await expect.poll(() => hasRunSlotsSince(waitsSince), { timeout: 90_000, interval: 500 }).toBe(10);
    for (const gateway of gateways) {
      for (const kind of ['read', 'addTask', 'executeTask'] as const) {
        await expect.poll(() => busy.answeredSince(waitsSince, gateway, kind)).toBeGreaterThan(3);
      }
    }
    expect(await newerMigrations()).toEqual({ n: 0 });
    await visitor.query('rollback');

    await starting.listening;
    const migratedAt = new Date();
    expect(await newerMigrations()).toEqual({ n: 1 });
    expect(starting.output().match(WAITS)).toHaveLength(1);
    await expect(startProcess(database.url)).rejects.toThrow(
      `The database was made by a newer version of Slotkeeper (it has ${NEWEST_MIGRATION})`,
    );
    await expect.poll(() => busy.answeredSince(migratedAt)).toBeGreaterThan(20);

    const { asked, failures } = await busy.stop();
    expect(failures).toEqual([]);
    await waitUntilQuiet(database.orm, gateways[0] as AppProcess, taskIds);
    await checkAccounts(database.orm, begin, followers, asked);
  } finally {
    await load?.stop();
    await Promise.all(followers.map((follower) => follower.stop()));
    await visitor.query('rollback');
    await starting?.listening.then(
      ({ stop }) => stop(),
      () => undefined,
    );
    await Promise.all(members.map((member) => member.stop()));
  }
});
