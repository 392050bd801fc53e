// The server with TLS of its own.
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import WebSocket from 'ws';
import { readTls, watchTls } from '../../src/http/tls.ts';
import { signedQuery } from '../../src/legacy/signature.ts';
import { OperatorError } from '../../src/lib/operator-error.ts';
import { ADMIN, startTestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { CERTIFICATE, KEY, RENEWED_CERTIFICATE, RENEWED_KEY } from '../support/hooks-example.ts';

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await testDatabase();
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-tls-'));
});

afterAll(async () => {
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

async function files(name: string, cert: string, key: string) {
  const paths = { cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  await writeFile(paths.cert, cert);
  await writeFile(paths.key, key);
  return paths;
}

test('with a certificate and its key all doors speak only TLS', async () => {
  const { cert, key } = await files('good', CERTIFICATE, KEY);
  const settings = { ROLE: 'gateway' as const, TLS_CERT: cert, TLS_KEY: key };
  const app = await startTestApp(database.url, { settings });
  expect(app.address).toMatch(/^https:/);
  const trusted = { ca: CERTIFICATE, servername: 'hooks.example' };
  const dispatcher = new Agent({ connect: trusted });
  const posted = await request(`${app.address}/graphql`, {
    dispatcher,
    method: 'POST',
    headers: { authorization: app.authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ viewer { name } }' }),
  });
  expect(await posted.body.json()).toEqual({ data: { viewer: { name: 'admin' } } });
  const old = await request(
    `${app.address}/api/v1/api.php?${signedQuery('target=scheduler&action=getTasks', ADMIN.key, ADMIN.secret)}`,
    { dispatcher },
  );
  expect(await old.body.json()).toMatchObject({ success: 1 });
  const socket = new WebSocket(app.address.replace('https', 'wss').concat('/graphql'), 'graphql-transport-ws', trusted);
  const acknowledged = new Promise((resolve, reject) => {
    socket.once('message', (data) => resolve(JSON.parse(data.toString())));
    socket.once('error', reject);
  });
  socket.once('open', () =>
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: app.authorization } })),
  );
  expect(await acknowledged).toEqual({ type: 'connection_ack' });
  socket.terminate();
  await dispatcher.close();
  await expect(fetch(`${app.address.replace('https', 'http')}/healthz`)).rejects.toThrow('fetch failed');
  await app.stop();
});

describe('files that are not a pair end the start with one sentence that names them', () => {
  test.each([
    ['a key of another certificate', () => files('others', CERTIFICATE, RENEWED_KEY)],
    ['no certificate', () => files('none', 'nothing', KEY)],
    ['no files', async () => ({ cert: join(folder, 'absent.crt'), key: join(folder, 'absent.key') })],
  ])('%s', async (_kind, make) => {
    const { cert, key } = await make();
    const settings = { ROLE: 'gateway' as const, TLS_CERT: cert, TLS_KEY: key };
    const start = startTestApp(database.url, { settings });
    await expect(start).rejects.toThrow(OperatorError);
    await expect(start).rejects.toThrow(new RegExp(`^TLS_CERT ${cert} and TLS_KEY ${key} cannot be used: [^\\n]+\\.$`));
  });
});

test('a renewed certificate is loaded without a restart, but not before its key is renewed, too', async () => {
  const paths = await files('renewed', CERTIFICATE, KEY);
  const server = createServer(readTls(paths));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let refused = 0;
  const log = pino(
    { level: 'error' },
    {
      write: () => {
        refused += 1;
      },
    },
  );
  const unwatch = watchTls(paths, server, log, 20);
  const subject = () =>
    new Promise<string>((resolve, reject) => {
      const { port } = server.address() as AddressInfo;
      const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN));
        socket.destroy();
      });
      socket.once('error', reject);
    });
  expect(await subject()).toBe('hooks.example');
  await writeFile(paths.cert, RENEWED_CERTIFICATE);
  await utimes(paths.cert, new Date(), new Date(Date.now() + 5_000));
  // The certificate without its key: the previous pair stays in use.
  await vi.waitUntil(() => refused > 0);
  expect(await subject()).toBe('hooks.example');
  await writeFile(paths.key, RENEWED_KEY);
  await expect.poll(subject).toBe('renewed.example');
  unwatch();
  server.close();
});
