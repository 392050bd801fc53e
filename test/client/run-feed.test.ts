// `slotkeeper/client`: it keeps the cursor, comes back by itself, and says when it cannot.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CursorExpired, createRunFeed, FeedRefused, type RunEvent, type RunFeed } from 'slotkeeper/client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { ADMIN, basic, startTestApp, type TestApp } from '../support/app.ts';
import { CHILD_ENVIRONMENT } from '../support/child-environment.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type DatabaseProxy, proxyTo } from '../support/proxy.ts';
import { addTasks } from '../support/races.ts';
import { appendRunEvents, seqOf } from '../support/streams.ts';

const WATCH = fileURLToPath(new URL('../../examples/watch-runs.ts', import.meta.url));
let database: TestDatabase;
let app: TestApp;
/** A way to the gateway that can be cut. */
let way: DatabaseProxy;
const feeds: RunFeed[] = [];

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  way = await proxyTo(app.address);
  await addTasks(database.orm.em, { count: 2 });
});

afterEach(() => {
  for (const feed of feeds.splice(0)) feed.close();
});

afterAll(async () => {
  await way?.cut();
  await app?.stop();
  await database?.close();
});

const append = (count: number, task = 1) => appendRunEvents(database.orm.em, count, { task });

interface Opened {
  seen: RunEvent[];
  connections: boolean[];
  ended: Promise<unknown>;
  feed: RunFeed;
}

function openFeed(options: Partial<Parameters<typeof createRunFeed>[0]> = {}): Opened {
  const connections: boolean[] = [];
  const feed = createRunFeed({
    url: `${new URL('/graphql', way.url).href.replace('http', 'ws')}`,
    authorization: app.authorization,
    webSocketImpl: WebSocket,
    onConnected: (isConnected) => connections.push(isConnected),
    ...options,
  });
  feeds.push(feed);
  const seen: RunEvent[] = [];
  const read = async () => {
    for await (const event of feed) seen.push(event);
  };
  return { seen, connections, ended: read().catch((error: unknown) => error), feed };
}

test('it sees every event once, however often its connection is lost, also before the first one', async () => {
  const { seen, connections, feed, ended } = openFeed();
  await expect.poll(() => feed.cursor).toBeDefined();
  way.drop();
  await append(3);
  await expect.poll(() => seen.length).toBe(3);
  for (let round = 0; round < 5; round += 1) {
    await append(2);
    way.drop();
    await append(2);
  }
  await expect.poll(() => seen.length).toBe(23);
  await way.cut();
  await append(2);
  await expect.poll(() => connections.at(-1)).toBe(false);
  await way.restore();
  await expect.poll(() => seen.length).toBe(25);
  const numbers = seen.map(({ cursor }) => seqOf(cursor));
  expect(numbers).toEqual(Array.from(numbers, (_, index) => (numbers[0] ?? 0) + index));
  expect(seen[0]).toMatchObject({ type: 'CANCELLED', state: 'CANCELLED', task: { name: 'Task 1' } });
  feed.close();
  expect(await ended).toBeUndefined();
});

test('it resumes from a stored cursor, and follows a single task', async () => {
  const first = openFeed({ task: Buffer.from('Task:2').toString('base64') });
  await expect.poll(() => first.feed.cursor).toBeDefined();
  await append(1, 2);
  await expect.poll(() => first.seen.length).toBe(1);
  first.feed.close();
  await first.ended;
  await append(2, 1);
  await append(2, 2);
  const second = openFeed({ task: Buffer.from('Task:2').toString('base64'), after: first.feed.cursor });
  await expect.poll(() => second.seen.length).toBe(2);
  expect(second.seen.map(({ task }) => task.name)).toEqual(['Task 2', 'Task 2']);
});

test('it says that a cursor has expired, and what the server refuses, instead of trying for ever', async () => {
  const expired = openFeed({ after: Buffer.from('00000000-0000-4000-8000-000000000000.1').toString('base64url') });
  expect(await expired.ended).toBeInstanceOf(CursorExpired);
  const nobody = openFeed({ authorization: basic('nobody', 'x') });
  expect(await nobody.ended).toBeInstanceOf(FeedRefused);
  const nothing = openFeed({ task: 'nothing' });
  expect(await nothing.ended).toBeInstanceOf(FeedRefused);
});

test('its folder can be copied: it imports nothing but itself and one package', async () => {
  const folder = new URL('../../src/client/', import.meta.url);
  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(new URL(name, folder), 'utf8')));
  const names = texts.flatMap((text) => [...text.matchAll(/from '([^']+)';$/gm)].map(([, name]) => name ?? ''));
  expect(names.length).toBeGreaterThan(5);
  expect(new Set(names.filter((name) => !name.startsWith('./')))).toEqual(new Set(['graphql-ws']));
});

test('the program that prints events resumes where it was when it is restarted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slotkeeper-watch-'));
  const start = () => {
    const child = spawn(process.execPath, [WATCH, join(folder, 'cursor')], {
      env: {
        ...CHILD_ENVIRONMENT,
        ADMIN_API_KEY: ADMIN.key,
        ADMIN_API_SECRET: ADMIN.secret,
        SLOTKEEPER_URL: `${app.address.replace('http', 'ws')}/graphql`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines: string[] = [];
    let isConnected = false;
    child.stdout.on('data', (chunk: Buffer) => lines.push(...chunk.toString().split('\n').filter(Boolean)));
    child.stderr.on('data', (chunk: Buffer) => {
      isConnected ||= chunk.toString().includes('connected');
    });
    const end = async () => {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    };
    return { lines, isConnected: () => isConnected, end };
  };
  try {
    const first = start();
    await expect.poll(first.isConnected).toBe(true);
    // Until it has asked where the log ends, it would not know of an event.
    const told = async () => {
      await append(1);
      return first.lines.length;
    };
    await expect.poll(told).toBeGreaterThan(0);
    await expect.poll(() => first.lines.at(-1)).toMatch(/Task 1: CANCELLED/);
    // Before it has kept a cursor there is nothing to go on from.
    await expect.poll(() => existsSync(join(folder, 'cursor'))).toBe(true);
    await first.end();
    await append(3, 2);
    const second = start();
    await expect.poll(() => second.lines.filter((line) => line.includes('Task 2: CANCELLED')).length).toBe(3);
    await second.end();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
