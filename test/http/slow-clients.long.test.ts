// Clients that send as slowly as they can, to exhaust the connections of the server.
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

const EACH = 50;

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

const head = (rest: string) => `POST /graphql HTTP/1.1\r\nhost: slotkeeper\r\n${rest}`;
const upgrade = () =>
  head(
    'connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: c2xvdGtlZXBlciBsaXN0ZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n',
  ).replace('POST', 'GET');

/** `first` is sent once, `again` repeatedly until the server disconnects, which must happen within `within` ms. */
const KINDS: Record<string, { first: string; again: string; within: number }> = {
  'the head of a request': { first: head('x-slow: '), again: 'x', within: 20_000 },
  'the body of a request': {
    first: head(`authorization: AUTHORIZATION\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n`),
    again: ' ',
    within: 75_000,
  },
  'nothing on a WebSocket': { first: upgrade(), again: '', within: 10_000 },
  'a frame of a WebSocket': { first: upgrade(), again: '\x81\xfe', within: 10_000 },
};

/** Sends slowly until the server disconnects; returns the milliseconds until then. */
async function trickle(socket: Socket, { first, again }: { first: string; again: string }): Promise<number> {
  const begin = performance.now();
  let isOpen = true;
  socket.on('error', () => undefined);
  socket.on('data', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  closed.then(() => {
    isOpen = false;
  });
  socket.write(first.replace('AUTHORIZATION', app.authorization));
  while (isOpen) {
    await Promise.race([closed, pause(500)]);
    if (isOpen && again !== '') socket.write(again, 'latin1');
  }
  return performance.now() - begin;
}

test('slow clients are disconnected in time, and others are served meanwhile', async () => {
  const { hostname, port } = new URL(app.address);
  const taken = Promise.all(
    Object.values(KINDS).flatMap((kind) =>
      Array.from({ length: EACH }, async () => ({
        within: kind.within,
        took: await trickle(connect(Number(port), hostname), kind),
      })),
    ),
  );
  let isOver = false;
  taken.then(() => {
    isOver = true;
  });
  let served = 0;
  while (!isOver) {
    expect(await app.query('{ viewer { name } }')).toEqual({ viewer: { name: 'admin' } });
    served += 1;
    await Promise.race([taken, pause(200)]);
  }
  expect(served).toBeGreaterThan(50);
  for (const { within, took } of await taken) expect(took).toBeLessThan(within);
});
