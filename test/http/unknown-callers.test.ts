// Before a caller is authenticated the server reads little and keeps nothing.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { signedQuery } from '../../src/legacy/signature.ts';
import { ADMIN, HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { overLegacy, signedCall } from '../support/doors.ts';

const MEBIBYTE = 1024 * 1024;
let database: TestDatabase;
let app: TestApp;
const sockets: Socket[] = [];

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

/** Sends a request whose Content-Length announces more than `sent`; returns the first line of the reply. */
async function announce(path: string, headers: Record<string, string>, sent: string): Promise<string> {
  const { hostname, port } = new URL(app.address);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  const lines = Object.entries({ host: 'localhost', 'content-length': String(6 * MEBIBYTE), ...headers });
  socket.write(`POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${sent}`);
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return bytes.toString().split('\r\n', 1)[0] ?? '';
}

const JSON_TYPE = { 'content-type': 'application/json' };

test('a request without credentials is refused before its body has arrived, at both doors', async () => {
  expect(await announce('/graphql', JSON_TYPE, '{')).toBe('HTTP/1.1 401 Unauthorized');
  const wrong = { ...JSON_TYPE, authorization: 'Bearer nobody.nothing' };
  expect(await announce('/graphql', wrong, '{')).toBe('HTTP/1.1 401 Unauthorized');
  // The old API looks for credentials in the first 64 KiB of a body.
  const beginning = `{"a":"${'x'.repeat(100_000)}`;
  expect(await announce('/api/v1/api.php', JSON_TYPE, beginning)).toBe('HTTP/1.1 401 Unauthorized');
  const signed = signedQuery('target=scheduler&action=addTask', ADMIN.key, 'wrong');
  expect(await announce(`/api/v1/api.php?${signed}`, JSON_TYPE, beginning)).toBe('HTTP/1.1 401 Unauthorized');
});

test('a connection whose body was left unread serves its next request', async () => {
  const body = JSON.stringify({ query: '{ viewer { name } }', variables: { x: 'x'.repeat(MEBIBYTE) } });
  for (let round = 0; round < 3; round += 1) {
    const refused = await fetch(`${app.address}/graphql`, { method: 'POST', headers: JSON_TYPE, body });
    expect([refused.status, await refused.json()]).toMatchObject([
      401,
      { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] },
    ]);
    expect(await app.query('{ viewer { name } }')).toEqual({ viewer: { name: expect.any(String) } });
  }
});

const task = (length: number) => ({
  name: 'Long',
  class_name: HOLDING,
  user_id: 1,
  active: false,
  repeat_items: [],
  data: { pad: 'x'.repeat(length) },
});
const added = (text: string) => expect(text).toMatch(/^\{"success":1,"message":"Task \\"Long\\" \(\d+\) added"\}$/);

test.each([100, 200_000, MEBIBYTE])(
  'an old call with a body of %i characters is read if its query is signed',
  async (length) => {
    const body = JSON.stringify(task(length));
    added(
      (await overLegacy(app.address, signedCall('target=scheduler&action=addTask'), { method: 'POST', body })).text,
    );
    // Chunked, without a Content-Length.
    const pieces = new Blob([body]).stream();
    const init = { method: 'POST', body: pieces, duplex: 'half' } as RequestInit;
    added((await overLegacy(app.address, signedCall('target=scheduler&action=addTask'), init)).text);
  },
);

test.each([
  ['short', 100, 200],
  ['long', 200_000, 401],
])('the credentials in a %s body of an old call count only if it is short', async (_which, length, status) => {
  const query = signedCall('target=scheduler&action=addTask');
  const [, signed = '', hash = ''] = /^(.*)&hash=(.*)$/.exec(query) ?? [];
  const body = JSON.stringify({ ...task(length), hash: decodeURIComponent(hash) });
  const response = await fetch(`${app.address}/api/v1/api.php?${signed}`, { method: 'POST', body });
  expect(response.status).toBe(status);
  const text = await response.text();
  if (status === 200) added(text);
  else expect(text).toContain('Authentication failed');
});

test('a URL signed for the description calls nothing', async () => {
  const call = { target: 'scheduler', action: 'getTasks' };
  const query = signedQuery('target=docs', ADMIN.key, ADMIN.secret);
  const response = await fetch(`${app.address}/api/v1/api.php?${query}`, {
    method: 'POST',
    body: JSON.stringify(call),
  });
  expect(await response.text()).toMatch(/^\{"success":0,"message":"target: must be scheduler, .*, got \\"docs\\""/);
  // And a URL signed for anything else does not open the description.
  const other = signedQuery('', ADMIN.key, ADMIN.secret);
  expect((await fetch(`${app.address}/api/v1/?${other}`)).status).toBe(401);
});

test('a socket that sends much before it is authenticated is disconnected', async () => {
  const socket = new WebSocket(`${app.address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  const closed = once(socket, 'close');
  socket.send(`{"type":"connection_init","payload":{"pad":"${'x'.repeat(MEBIBYTE)}"}}`, () => undefined);
  socket.on('error', () => undefined);
  expect((await closed)[0]).toBe(1006);
});

test('an authenticated socket may send long messages', async () => {
  const socket = new WebSocket(`${app.address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  const next = async () => JSON.parse(String((await once(socket, 'message'))[0]));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: app.authorization } }));
  expect(await next()).toEqual({ type: 'connection_ack' });
  const query =
    'query ($pad: String!) { viewer { name @skip(if: false) } tasks(filter: { search: $pad }) { totalCount } }';
  socket.send(
    JSON.stringify({ type: 'subscribe', id: '1', payload: { query, variables: { pad: 'x'.repeat(200_000) } } }),
  );
  expect(await next()).toMatchObject({ type: expect.stringMatching(/next|error/), id: '1' });
  socket.close();
});
