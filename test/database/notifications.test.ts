// One connection listens, however late its predecessors end.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Notifications } from '../../src/database/notifications.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
});

afterAll(async () => {
  await database?.close();
});

/**
 * A proxy whose first connection stays open to the client after the server has closed it; the next waits for its end.
 */
async function lateWay() {
  const target = new URL(database.url);
  const sockets: Socket[] = [];
  let first: Socket | undefined;
  let taken = 0;
  const server = createServer(async (client) => {
    taken += 1;
    sockets.push(client);
    client.on('error', () => undefined);
    const isFirst = first === undefined;
    if (first === undefined) first = client;
    else if (!first.closed) await once(first, 'close');
    const upstream = connect(Number(target.port), target.hostname);
    sockets.push(upstream);
    upstream.on('error', () => undefined);
    upstream.pipe(client, { end: !isFirst });
    client.pipe(upstream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(database.url);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { url: url.href, taken: () => taken, close };
}

const OURS = `from pg_stat_activity where datname = current_database() and application_name = 'slotkeeper notifications'`;
const listening = () => rows(database.orm.em, `select query ${OURS} and query like 'listen slotkeeper_installation%'`);

test('a connection that ends late, after it was replaced, does not cause a third', async () => {
  const way = await lateWay();
  const notifications = new Notifications(way.url, pino({ level: 'silent' }));
  try {
    await notifications.start();
    await rows(database.orm.em, `select pg_terminate_backend(pid) ${OURS}`);
    await expect.poll(way.taken).toBe(2);
    await expect.poll(listening).toHaveLength(1);
    // Longer than the second pause of the backoff.
    await pause(1_000);
    expect([way.taken(), (await listening()).length]).toEqual([2, 1]);
  } finally {
    await notifications.stop();
    await expect.poll(() => rows(database.orm.em, `select pid ${OURS}`)).toEqual([]);
    await way.close();
  }
});
