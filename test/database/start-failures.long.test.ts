// What `npm start` prints if it cannot start: one sentence that an operator can act on, with the exit code of a
// failure.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { MASTER_KEY } from '../support/app.ts';
import { EMPTY, type TestDatabase, testDatabase } from '../support/database.ts';
import { NpmStart } from '../support/npm-start.ts';
import { databaseUrl } from '../support/template.ts';

const PASSWORD = 'a-password-nobody-may-see';

let root = '';
let database: TestDatabase;
const started: NpmStart[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'slotkeeper-fails-'));
  database = await testDatabase();
});

afterEach(async () => {
  for (const npm of started.splice(0)) await npm.kill();
});

afterAll(async () => {
  await database?.close();
  await rm(root, { recursive: true, force: true });
});

/** The only line that a failing start prints. */
async function failure(settings: Record<string, string>): Promise<string> {
  const npm = new NpmStart({ DATA_DIR: join(root, 'data'), MASTER_KEY: MASTER_KEY.toString('hex'), ...settings });
  started.push(npm);
  const { output, code } = await npm.ended();
  expect(code, output).toBe(1);
  expect(npm.said, output).toHaveLength(1);
  await npm.gone();
  const [sentence = ''] = npm.said;
  expect(sentence).toMatch(/^[A-Z/].*\.$/);
  expect(output).not.toMatch(/^ +at |Error:|node:internal/m);
  expect(output).not.toContain(PASSWORD);
  return sentence;
}

/** A URL of the test database with parts replaced. */
function urlWith(parts: Partial<Pick<URL, 'username' | 'password' | 'pathname' | 'port' | 'hostname'>>): string {
  return Object.assign(new URL(database.url), parts).href;
}

test('a port that is taken is named, whichever database is used', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  try {
    await once(holder, 'listening');
    const PORT = String((holder.address() as AddressInfo).port);
    const sentence = `Another process is listening on 127.0.0.1:${PORT}: stop it, or set PORT to another port.`;
    const failures = [failure({ PORT }), failure({ PORT, DATABASE_URL: database.url })];
    expect(await Promise.all(failures)).toEqual([sentence, sentence]);
  } finally {
    holder.close();
  }
});

test('a database that cannot be used is named, with what is wrong', async () => {
  const role = `r${Date.now()}`;
  const admin = new pg.Client(inject('serverUrl'));
  await admin.connect();
  await admin.query(`create role ${role} login password '${PASSWORD}x'`);
  try {
    const [refused, wrongPassword, noRole, noDatabase, noHost] = await Promise.all([
      failure({ DATABASE_URL: urlWith({ port: '1', password: PASSWORD }) }),
      failure({ DATABASE_URL: urlWith({ username: role, password: PASSWORD }) }),
      failure({ DATABASE_URL: urlWith({ username: 'nobody', password: PASSWORD }) }),
      failure({ DATABASE_URL: databaseUrl(database.url, 'missing') }),
      failure({ DATABASE_URL: urlWith({ hostname: 'database.invalid', password: PASSWORD }) }),
    ]);
    const server = `127.0.0.1:${new URL(database.url).port}`;
    expect(refused).toBe('No PostgreSQL answers at 127.0.0.1:1: the connection was refused.');
    expect(wrongPassword).toBe(`PostgreSQL at ${server} rejected the user "${role}" or the password.`);
    expect(noRole).toBe(`PostgreSQL at ${server} rejected the user "nobody" or the password.`);
    expect(noDatabase).toBe(`PostgreSQL at ${server} has no database "missing".`);
    expect(noHost).toBe('The database host database.invalid cannot be found.');
  } finally {
    await admin.query(`drop role ${role}`);
    await admin.end();
  }
});

test('a role that may not create the tables is reported, and the advice helps', async () => {
  const role = `r${Date.now()}`;
  const empty = await testDatabase(EMPTY);
  const admin = new pg.Client(inject('serverUrl'));
  await admin.connect();
  try {
    await admin.query(`create role ${role} login password '${PASSWORD}'`);
    const url = Object.assign(new URL(empty.url), { username: role, password: PASSWORD }).href;
    const name = new URL(url).pathname.slice(1);
    expect(await failure({ DATABASE_URL: url })).toMatch(
      new RegExp(
        `^The user "${role}" may not create the tables \\(.*denied.*\\): make this user the owner of the database "${name}"`,
      ),
    );
    // Following the advice.
    await admin.query(`alter database ${name} owner to ${role}`);
    const npm = new NpmStart({ DATABASE_URL: url, MASTER_KEY: MASTER_KEY.toString('hex') });
    started.push(npm);
    await npm.listening();
    npm.signalGroup('SIGINT');
    await npm.ended();
  } finally {
    await empty.close();
    await admin.query(`drop role ${role}`);
    await admin.end();
  }
});

test('a database of a newer version is left alone', async () => {
  const newer = await testDatabase();
  try {
    await newer.orm.em
      .getConnection()
      .execute(`insert into mikro_orm_migrations (name) values ('Migration29990101000000')`);
    expect(await failure({ DATABASE_URL: newer.url })).toMatch(
      /^The database was made by a newer version of Slotkeeper \(it has Migration29990101000000\): start that version, or/,
    );
    const users = await newer.orm.em.getConnection().execute('select id from app_user');
    expect(users).toEqual([]);
  } finally {
    await newer.close();
  }
});

test('invalid settings are all named at once, without their values', async () => {
  const sentence = await failure({
    PORT: '65536',
    TIME_ZONE: 'Europe/Nowhere',
    HTTP_ALLOW_PRIVATE: 'localhost,10.0.0.0/33',
    ROLE: 'both',
    CONCURRENCY: 'ten',
    GRACE_SECONDS: '-1',
    MASTER_KEY: PASSWORD,
    ADMIN_API_KEY: 'with.dot',
    ADMIN_API_SECRET: PASSWORD,
    LOG_LEVEL: 'loud',
    LEGACY_PREFIX: 'a b',
    LEGACY_EXECUTE_TIMEOUT: '0',
    DATABASE_URL: `mysql://root:${PASSWORD}@127.0.0.1/x`,
  });
  for (const name of ['PORT', 'TIME_ZONE', 'ROLE', 'CONCURRENCY', 'GRACE_SECONDS', 'MASTER_KEY', 'ADMIN_API_KEY']) {
    expect(sentence).toContain(`${name} `);
  }
  for (const name of ['HTTP_ALLOW_PRIVATE', 'LOG_LEVEL', 'LEGACY_PREFIX', 'LEGACY_EXECUTE_TIMEOUT', 'DATABASE_URL']) {
    expect(sentence).toContain(`${name} `);
  }
});

test('an invalid URL of a database is refused with an example', async () => {
  const [word, broken, lonely] = await Promise.all([
    failure({ DATABASE_URL: 'nonsense' }),
    failure({ DATABASE_URL: `postgresql://user:${PASSWORD}@[half/name` }),
    failure({ ADMIN_API_KEY: 'alone' }),
  ]);
  expect(word).toContain('DATABASE_URL must be a postgresql:// URL');
  expect(broken).toContain('DATABASE_URL must be a URL such as postgresql://user:password@host/name');
  expect(lonely).toContain('ADMIN_API_KEY and ADMIN_API_SECRET must be set together');
});

test('a master key that decrypts none of the secrets is reported', async () => {
  const first = new NpmStart({ DATABASE_URL: database.url, MASTER_KEY: MASTER_KEY.toString('hex') });
  started.push(first);
  await first.listening();
  first.signalGroup('SIGINT');
  await first.ended();
  expect(await failure({ DATABASE_URL: database.url, MASTER_KEY: 'ab'.repeat(32) })).toMatch(
    /^The master key does not open the stored API secrets/,
  );
});

test('a data folder that cannot be used is named, even if only the master key is kept there', async () => {
  await writeFile(join(root, 'file'), '');
  const DATA_DIR = join(root, 'file', 'data');
  const [embedded, own] = await Promise.all([
    failure({ DATA_DIR }),
    failure({ DATA_DIR, DATABASE_URL: database.url, MASTER_KEY: '' }),
  ]);
  expect(embedded).toMatch(/^The data folder \S+file\/data cannot be used/);
  expect(own).toMatch(/master key .*file\/data/);
});

test.runIf(existsSync('/sys/kernel'))('a data folder that no user may write to is named', async () => {
  const own = { DATA_DIR: '/sys/slotkeeper', DATABASE_URL: database.url, MASTER_KEY: '' };
  expect(await failure(own)).toMatch(
    /^No master key can be kept in \/sys\/slotkeeper .*: set DATA_DIR or MASTER_KEY\.$/,
  );
});

test.runIf(process.getuid?.() !== 0)('a data folder that may not be written is named', async () => {
  const locked = join(root, 'locked');
  await mkdir(locked, { mode: 0o500 });
  try {
    expect(await failure({ DATA_DIR: locked })).toContain(locked);
  } finally {
    await chmod(locked, 0o700);
  }
});
