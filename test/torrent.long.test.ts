import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from './support/database.ts';
import { type AppProcess, startProcess } from './support/process.ts';
import { followTorrent } from './support/torrent.ts';

let database: TestDatabase;
let gateways: AppProcess[] = [];

beforeAll(async () => {
  database = await testDatabase();
  // The very first start makes the admin; two at once may both want to.
  gateways = [await startProcess(database.url, { ROLE: 'gateway' })];
  gateways.push(await startProcess(database.url, { ROLE: 'gateway' }));
});

afterAll(async () => {
  await Promise.all(gateways.map(({ stop }) => stop()));
  await database?.close();
});

test('for a minute, 50 subscribers that drop and resume see what 8 writers commit out of order, once and in order', async () => {
  const seen = await followTorrent({ database, gateways, seconds: 60 });
  process.stdout.write(`${seen}\n`);
  expect(seen).toContain('once and in order by 50 subscribers');
});
