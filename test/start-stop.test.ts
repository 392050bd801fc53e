// `npm start` as users know it: what it prints, what outlives it, and that nothing is left behind.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { basic, HOLDING } from './support/app.ts';
import { overHttp } from './support/doors.ts';
import { NpmStart, processesWith, shell } from './support/npm-start.ts';

let root = '';
const started: NpmStart[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'slotkeeper start '));
});

afterEach(async () => {
  for (const npm of started.splice(0)) await npm.kill();
});

afterAll(() => rm(root, { recursive: true, force: true }));

function start(dataDir: string): NpmStart {
  const npm = new NpmStart({ DATA_DIR: dataDir });
  started.push(npm);
  return npm;
}

interface Pair {
  key: string;
  secret: string;
}

function keyOf(npm: NpmStart): Pair {
  if (npm.printedKey === null) throw new Error(`no key was printed: ${npm.output}`);
  return npm.printedKey;
}

async function addTask(npm: NpmStart, { key, secret }: Pair, name: string): Promise<void> {
  const query =
    'mutation ($name: String!, $c: String!) { addTask(input: {name: $name, className: $c}) { task { id } } }';
  const operation = { query, variables: { name, c: HOLDING } };
  expect(await overHttp(await npm.listening(), operation, basic(key, secret))).not.toHaveProperty('errors');
}

async function taskNames(npm: NpmStart, { key, secret }: Pair): Promise<string[]> {
  const operation = { query: '{ tasks { edges { node { name } } } }' };
  const { data } = await overHttp<{ tasks: { edges: { node: { name: string } }[] } }>(
    await npm.listening(),
    operation,
    basic(key, secret),
  );
  return data?.tasks.edges.map(({ node }) => node.name) ?? [];
}

async function isServed(dataDir: string): Promise<boolean> {
  return (await processesWith(dataDir)).some(({ line }) => line.includes('postgres'));
}

test('the first start prints a key and calls that work as they are; the second prints none and has the data', async () => {
  const dataDir = join(root, 'first');
  const first = start(dataDir);
  const address = await first.listening();
  const pair = keyOf(first);
  const [graphql = '', legacy = '', ...others] = first.printedCommands;
  expect(others).toEqual([]);
  expect(JSON.parse((await shell(graphql)).output)).toEqual({
    data: { viewer: { name: 'admin', role: 'ADMIN' }, taskClasses: expect.arrayContaining([{ name: HOLDING }]) },
  });
  expect((await shell(legacy)).output).toBe('{"success":1,"data":[]}');
  await addTask(first, pair, 'kept');
  const variables = { ADMIN_API_KEY: pair.key, ADMIN_API_SECRET: pair.secret };
  const signing = `npm run -s sign -- 'target=scheduler&action=executeTask&taskId=1'`;
  const signed = await shell(`curl -s "${address}/api/v1/api.php?$(${signing})"`, variables);
  expect(JSON.parse(signed.output)).toMatchObject({ success: 1, message: expect.stringContaining('Holding tank') });

  first.signalGroup('SIGINT');
  await first.gone();
  expect(first.output).toContain('"msg":"stopped"');
  expect(first.output).not.toMatch(/^ {4}at |"level":[456]0/m);

  const second = start(dataDir);
  await second.listening();
  expect(second.output).not.toMatch(/ADMIN_API|curl/);
  expect(await taskNames(second, pair)).toEqual(['kept']);
  second.child.kill('SIGTERM');
  await second.gone();
  expect(second.output).toContain('"msg":"stopped"');
  expect(second.output).not.toMatch(/"level":[456]0/);
});

test('nothing that was stored is lost when npm, the process, or all of them are killed', async () => {
  const dataDir = join(root, 'killed');
  const first = start(dataDir);
  await first.listening();
  const pair = keyOf(first);
  await addTask(first, pair, 'before npm was killed');
  process.kill(first.pid, 'SIGKILL');
  // Nobody told the process to stop; it sees for itself, and takes everything down with it.
  await first.gone();
  expect(first.output).toContain('"msg":"stopped"');

  const second = start(dataDir);
  expect(await taskNames(second, pair)).toEqual(['before npm was killed']);
  await addTask(second, pair, 'before the process was killed');
  expect(second.servingPid).not.toBe(second.pid);
  process.kill(second.servingPid, 'SIGKILL');
  await second.ended();
  expect(await isServed(dataDir)).toBe(true);

  const third = start(dataDir);
  expect(await taskNames(third, pair)).toEqual(['before npm was killed', 'before the process was killed']);
  await addTask(third, pair, 'before all were killed');
  third.signalGroup('SIGKILL');
  await third.ended();

  const fourth = start(dataDir);
  expect(await taskNames(fourth, pair)).toHaveLength(3);
  fourth.signalGroup('SIGTERM');
  await fourth.gone();
  expect(await isServed(dataDir)).toBe(false);
});

test('a second Ctrl-C ends it at once, and the next start has the data', async () => {
  const dataDir = join(root, 'impatient');
  const first = start(dataDir);
  await first.listening();
  const pair = keyOf(first);
  await addTask(first, pair, 'kept');
  first.signalGroup('SIGINT');
  first.signalGroup('SIGINT');
  await first.ended();
  const second = start(dataDir);
  expect(await taskNames(second, pair)).toEqual(['kept']);
  second.signalGroup('SIGINT');
  await second.gone();
});

test('two that start at once on one fresh folder both serve, and one of them makes the tables and the key', async () => {
  const dataDir = join(root, 'both');
  const both = [start(dataDir), start(dataDir)];
  const addresses = await Promise.all(both.map((npm) => npm.listening()));
  expect(new Set(addresses).size).toBe(2);
  const pairs = both.flatMap((npm) => npm.printedKey ?? []);
  expect(pairs).toHaveLength(1);
  const pair = pairs[0] as Pair;
  await Promise.all(both.map((npm, index) => addTask(npm, pair, `from ${index}`)));
  for (const npm of both) expect((await taskNames(npm, pair)).sort()).toEqual(['from 0', 'from 1']);
  expect(new Set(await executedMigrations(dataDir))).toEqual(new Set([1]));
  for (const npm of both) expect(npm.output).not.toMatch(/"level":[456]0/);

  both[0]?.signalGroup('SIGINT');
  await both[0]?.ended();
  expect(await taskNames(both[1] as NpmStart, pair)).toHaveLength(2);
  both[1]?.signalGroup('SIGINT');
  await both[1]?.gone();
});

/** How often each migration is on record. */
async function executedMigrations(dataDir: string): Promise<number[]> {
  const password = (await readFile(join(dataDir, 'postgres', 'password'), 'utf8')).trim();
  const port = (await readFile(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8')).split('\n')[3];
  const client = new pg.Client(`postgresql://slotkeeper:${password}@127.0.0.1:${port}/slotkeeper`);
  await client.connect();
  try {
    const { rows } = await client.query('select count(*)::int as n from mikro_orm_migrations group by name');
    return rows.map(({ n }) => n);
  } finally {
    await client.end();
  }
}
