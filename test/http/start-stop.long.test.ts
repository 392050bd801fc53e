// What survives if `npm start`, or a process that it started, is killed, or if it is started twice.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import type { KeyAndSecret } from '../../src/credentials/credentials.ts';
import { type NpmStart, processesWith, startsIn } from '../support/npm-start.ts';

const { root, start } = startsIn('slotkeeper start ');

async function isServed(dataDir: string): Promise<boolean> {
  return (await processesWith(dataDir)).some(({ line }) => line.includes('postgres'));
}

test('nothing that was stored is lost when npm, the process, or all of them are killed', async () => {
  const dataDir = join(root(), 'killed');
  const first = start(dataDir);
  await first.listening();
  const pair = first.keyPair();
  await first.addTask(pair, 'before npm was killed');
  process.kill(first.pid, 'SIGKILL');
  // The process got no signal: it notices that npm has died and stops everything.
  await first.gone();
  expect(first.output).toContain('"msg":"stopped"');

  const second = start(dataDir);
  expect(await second.taskNames(pair)).toEqual(['before npm was killed']);
  await second.addTask(pair, 'before the process was killed');
  expect(second.servingPid).not.toBe(second.pid);
  process.kill(second.servingPid, 'SIGKILL');
  await second.ended();
  expect(await isServed(dataDir)).toBe(true);

  const third = start(dataDir);
  expect(await third.taskNames(pair)).toEqual(['before npm was killed', 'before the process was killed']);
  await third.addTask(pair, 'before all were killed');
  third.signalGroup('SIGKILL');
  await third.ended();

  const fourth = start(dataDir);
  expect(await fourth.taskNames(pair)).toHaveLength(3);
  fourth.signalGroup('SIGTERM');
  await fourth.gone();
  expect(await isServed(dataDir)).toBe(false);
});

test('a second Ctrl-C ends it at once, and the next start finds the data', async () => {
  const dataDir = join(root(), 'impatient');
  const first = start(dataDir);
  await first.listening();
  const pair = first.keyPair();
  await first.addTask(pair, 'kept');
  first.signalGroup('SIGINT');
  first.signalGroup('SIGINT');
  await first.ended();
  const second = start(dataDir);
  expect(await second.taskNames(pair)).toEqual(['kept']);
  second.signalGroup('SIGINT');
  await second.gone();
});

test('two started at once on a new folder both serve, and one of them creates the tables and the key', async () => {
  const dataDir = join(root(), 'both');
  const both = [start(dataDir), start(dataDir)];
  const addresses = await Promise.all(both.map((npm) => npm.listening()));
  expect(new Set(addresses).size).toBe(2);
  const pairs = both.flatMap((npm) => npm.printedKey ?? []);
  expect(pairs).toHaveLength(1);
  const pair = pairs[0] as KeyAndSecret;
  await Promise.all(both.map((npm, index) => npm.addTask(pair, `from ${index}`)));
  for (const npm of both) expect((await npm.taskNames(pair)).sort()).toEqual(['from 0', 'from 1']);
  expect(new Set(await executedMigrations(dataDir))).toEqual(new Set([1]));
  for (const npm of both) expect(npm.output).not.toMatch(/"level":[456]0/);

  both[0]?.signalGroup('SIGINT');
  await both[0]?.ended();
  expect(await (both[1] as NpmStart).taskNames(pair)).toHaveLength(2);
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
