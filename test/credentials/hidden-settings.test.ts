// What settings keep from users is not in the failures that they read, and is in the log of the process.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { startReceiver } from '../support/receiver.ts';

const PUSH = '\\scheduler\\Tasks\\DNSPushTask';

let database: TestDatabase;
let app: TestApp;
let folder: string;
let port: number;
const logged: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-hidden-'));
  const closed = await startReceiver({}, { host: '127.0.0.2' });
  port = closed.port;
  await closed.close();
  const server = { address: '127.0.0.2', port, load: ['/nonexistent/rndc'], timeoutSeconds: 2 };
  database = await testDatabase();
  app = await startTestApp(database.url, {
    settings: {
      DNS_SERVERS: {
        silent: { ...server, directory: folder },
        missing: { ...server, directory: join(folder, 'missing') },
      },
      LOG_LEVEL: 'info',
    },
    log: { write: (line) => void logged.push(line) },
  });
  await app.query(
    `mutation ($className: String!) {
      silent: addDnsServer(input: { name: "silent" }) { dnsServer { id } }
      missing: addDnsServer(input: { name: "missing" }) { dnsServer { id } }
      addDnsZone(input: { name: "example.com", soa: { primaryServer: "ns1", contact: "a@example.com" } }) { dnsZone { id } }
      addDnsRecords(input: { zone: { name: "example.com" }, records: [
        { name: "@", type: NS, value: "ns1" }, { name: "ns1", type: A, value: "192.0.2.1" }
      ] }) { dnsZone { id } }
      addTask(input: { name: "Push", className: $className }) { task { id } }
    }`,
    { className: PUSH },
  );
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

test('a push that fails names codes and words, and neither the address nor the directory of a server', async () => {
  const { executeTask } = await app.query<{ executeTask: { run: { id: string; message: string } } }>(
    'mutation { executeTask(input: { task: { legacyId: 1 }, waitSeconds: 60 }) { run { id message } } }',
  );
  const { id, message } = executeTask.run;
  expect(message).toContain('silent: no answer came: ECONNREFUSED (connection refused)');
  expect(message).toContain('missing: its directory cannot be used: ENOENT (no such file or directory)');
  const read = await app.query(
    `query ($id: ID!) {
      run(id: $id) { message events { edges { node { message data } } } }
      dnsZone(by: { name: "example.com" }) { servers { server { name } error } }
      events(last: 100) { edges { node { message data } } }
    }`,
    { id },
  );
  const history = await app.legacy('target=scheduler&action=getTaskHistory&taskId=1');
  for (const hidden of [folder, '127.0.0.2', String(port), '/nonexistent']) {
    expect(JSON.stringify(read)).not.toContain(hidden);
    expect(history).not.toContain(hidden);
  }
  const lines = logged
    .filter((line) => line.includes('a DNS server could not be pushed to'))
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(2);
  expect(lines).toContainEqual(
    expect.objectContaining({ runId: id, server: 'silent', address: '127.0.0.2', port, directory: folder }),
  );
  expect(lines).toContainEqual(
    expect.objectContaining({ runId: id, server: 'missing', directory: join(folder, 'missing') }),
  );
});
