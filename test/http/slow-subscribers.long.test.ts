// Subscribers that read nothing for a while: the server buffers little for them, and they get every event in the end. A
// subscriber that vanished is noticed.
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type AppProcess, residentMiB, startProcess } from '../support/process.ts';
import { addTasks } from '../support/races.ts';
import { appendRunEvents, metric as metricOf, seqOf } from '../support/streams.ts';

const EVENTS = 20_000;
const SILENT_MS = 30_000;
const BATCHES = 40;
const MIB = 1_048_576;
/** A little more than two ping intervals. */
const NOTICED_MS = 80_000;

let database: TestDatabase;
let gateway: AppProcess;

beforeAll(async () => {
  database = await testDatabase();
  gateway = await startProcess(database.url, { ROLE: 'gateway' });
  await addTasks(database.orm.em, { count: 1 });
});

afterAll(async () => {
  await gateway?.stop();
  await database?.close();
});

const metric = (name: string) => metricOf(gateway, name);

const resident = async () => (await residentMiB(gateway.child.pid)) * 1_048_576;

/** Appends messages of 4 kB, too many for the buffers of the network. */
const append = (count: number) => appendRunEvents(database.orm.em, count, { message: 'x'.repeat(4_000) });

const QUERY = 'subscription { runEvents { cursor message } }';

interface SlowReader {
  seen: number[];
  silence(): void;
  read(): void;
  close(): void;
}

async function slowWebSocket(): Promise<SlowReader> {
  const socket = new WebSocket(`${gateway.address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const seen: number[] = [];
  const acknowledged = Promise.withResolvers<void>();
  socket.on('message', (data) => {
    const { type, payload } = JSON.parse(data.toString());
    if (type === 'connection_ack') acknowledged.resolve();
    if (type === 'next') seen.push(seqOf(payload.data.runEvents.cursor));
  });
  await new Promise((resolve) => socket.on('open', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: gateway.authorization } }));
  await acknowledged.promise;
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: QUERY } }));
  return { seen, silence: () => socket.pause(), read: () => socket.resume(), close: () => socket.terminate() };
}

async function slowEventSource(): Promise<SlowReader> {
  const { hostname, port } = new URL(gateway.address);
  const socket: Socket = connect(Number(port), hostname);
  const seen: number[] = [];
  let text = '';
  let cursor = '';
  socket.on('data', (chunk) => {
    text += chunk.toString();
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('id: ')) cursor = line.slice(4);
      // An id without data is only the cursor where the stream starts.
      if (line.startsWith('data: ')) seen.push(seqOf(cursor));
    }
  });
  await new Promise<void>((resolve) => socket.on('connect', resolve));
  socket.write(
    `GET /graphql?query=${encodeURIComponent(QUERY)} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: ${gateway.authorization}\r\naccept: text/event-stream\r\n\r\n`,
  );
  return { seen, silence: () => socket.pause(), read: () => socket.resume(), close: () => socket.destroy() };
}

test('subscribers that read nothing for 30 s while 20,000 events pass get all of them, from little memory', async () => {
  const readers = [await slowWebSocket(), await slowEventSource(), await slowWebSocket(), await slowEventSource()];
  await expect.poll(() => metric('slotkeeper_live_subscribers')).toBe(readers.length);
  // Warms up: the first events take memory that stays allocated.
  await append(500);
  for (const { seen } of readers) await expect.poll(() => seen.length).toBe(500);
  const before = await resident();
  for (const reader of readers) reader.silence();
  const silentUntil = performance.now() + SILENT_MS;
  let most = 0;
  for (let batch = 0; batch < BATCHES; batch += 1) {
    await append(EVENTS / BATCHES);
    await pause(SILENT_MS / BATCHES / 2);
    most = Math.max(most, await resident());
  }
  await pause(Math.max(0, silentUntil - performance.now()));
  most = Math.max(most, await resident());
  expect(await metric('slotkeeper_slow_subscribers_total')).toBeGreaterThanOrEqual(readers.length);
  for (const reader of readers) reader.read();
  const all = Array.from({ length: EVENTS + 500 }, (_, index) => index + 1);
  for (const { seen } of readers) {
    await expect.poll(() => seen.length, { timeout: 120_000 }).toBe(all.length);
    expect(seen).toEqual(all);
  }
  process.stdout.write(
    `resident ${Math.round(before / MIB)} MiB before, at most ${Math.round(most / MIB)} MiB while they were silent\n`,
  );
  // 80 MB passed for each of the four. At most 1000 events are buffered for each, and it reads 1000 at a time.
  expect(most - before).toBeLessThan(200 * MIB);
  // All follow the live stream again.
  await expect.poll(() => metric('slotkeeper_live_subscribers')).toBe(readers.length);
  for (const reader of readers) reader.close();
  await expect.poll(() => metric('slotkeeper_streams')).toBe(0);
});

test('a client that no longer answers pings is disconnected', async () => {
  const dead = await slowWebSocket();
  const alive = await slowWebSocket();
  await expect.poll(() => metric('slotkeeper_live_subscribers')).toBe(2);
  dead.silence();
  // A WebSocket and its subscription count as two.
  expect(await metric('slotkeeper_streams')).toBe(4);
  await expect.poll(() => metric('slotkeeper_streams'), { timeout: NOTICED_MS, interval: 500 }).toBe(2);
  await append(1);
  await expect.poll(() => alive.seen.length).toBe(1);
  alive.close();
  dead.close();
});
