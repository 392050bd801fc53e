// Processes that are asked to stop: what is under way ends or goes to others, and nobody loses sight of it.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import WebSocket from 'ws';
import type { Settings } from '../../src/settings.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';
import { heldClass } from '../support/test-classes.ts';

let database: TestDatabase;
let held: ReturnType<typeof heldClass>;

beforeEach(async () => {
  database = await testDatabase();
  held = heldClass();
});

afterEach(async () => {
  await database.close();
});

const start = (role: Settings['ROLE']) =>
  startTestApp(database.url, { settings: { ROLE: role, LEGACY_EXECUTE_TIMEOUT: 60 }, taskClasses: [held.taskClass] });

async function addTask(app: TestApp): Promise<string> {
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
    'mutation ($name: String!) { addTask(input: { name: "Held", className: $name, policy: { overlap: ALLOW } }) { task { id } } }',
    { name: held.taskClass.name },
  );
  return addTask.task.id;
}

const EXECUTE = `mutation ($task: ID!, $waitSeconds: Int) {
  executeTask(input: { task: { id: $task }, waitSeconds: $waitSeconds }) { run { id state } }
}`;

/** A subscription as bytes on a socket; `closed` is with which code the server closed it, `messages` what it sent. */
async function openSocket(app: TestApp) {
  const socket = new WebSocket(`${app.address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const messages: { type: string }[] = [];
  const acknowledged = Promise.withResolvers<void>();
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  socket.on('message', (data) => {
    messages.push(JSON.parse(data.toString()));
    acknowledged.resolve();
  });
  await new Promise((resolve) => socket.on('open', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: app.authorization } }));
  await acknowledged.promise;
  const payload = { query: 'subscription { runEvents { cursor } }' };
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
  return { messages, closed };
}

test('a gateway that stops tells its subscribers to reconnect, and answers waiting calls', async () => {
  const runner = await start('runner');
  const gateway = await start('gateway');
  const task = await addTask(gateway);
  const socket = await openSocket(gateway);
  const stream = await fetch(`${gateway.address}/graphql?query=subscription%20{runEvents{cursor}}`, {
    headers: { authorization: gateway.authorization, accept: 'text/event-stream' },
  });
  await gateway.query(EXECUTE, { task });
  (await held.next()).succeed('done');
  await expect.poll(() => socket.messages.filter(({ type }) => type === 'next').length).toBe(3);

  const waiting = gateway.query(EXECUTE, { task, waitSeconds: 60 });
  const waitingToo = gateway.legacy('target=scheduler&action=executeTask&taskId=1');
  const attempts = [await held.next(), await held.next()];
  const begun = performance.now();
  await gateway.stop();
  expect(performance.now() - begun).toBeLessThan(10_000);
  // 1012 is among the codes on which graphql-ws connects again; a completed subscription would be over.
  expect(await socket.closed).toBe(1012);
  expect(socket.messages.map(({ type }) => type)).not.toContain('complete');
  expect(await stream.text()).not.toContain('event: complete');
  expect(await waiting).toMatchObject({ executeTask: { run: { state: 'RUNNING' } } });
  expect(await waitingToo).toMatch(/"message":"Run \S+ of task .* is not finished yet and goes on;/);

  for (const attempt of attempts) attempt.succeed('after the gateway had gone');
  const ended = () => rows(database.orm.em, `select count(*)::int as n from run where state = 'SUCCEEDED'`);
  await expect.poll(ended).toEqual([{ n: 3 }]);
  await runner.stop();
});

test('a client that does not answer does not keep a gateway from stopping', async () => {
  const gateway = await start('gateway');
  const { closed } = await openSocket(gateway);
  const silent = new WebSocket(`${gateway.address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await new Promise((resolve) => silent.on('open', resolve));
  silent.pause();
  const begun = performance.now();
  await gateway.stop();
  expect(performance.now() - begun).toBeLessThan(5_000);
  expect(await closed).toBe(1012);
  silent.terminate();
});

test('a WebSocket that is asked for while a gateway stops, and then left open, does not keep it from stopping', async () => {
  const gateway = await start('gateway');
  const { port } = new URL(gateway.address);
  const socket = connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  // The first half of a request holds the connection until the gateway is about to stop.
  socket.write('GET /graphql HTTP/1.1\r\nHost: localhost\r\n');
  const answered = once(socket, 'data');
  const begun = performance.now();
  const stopped = gateway.stop();
  socket.write('Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n');
  socket.write(`Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`);
  expect(String(await answered)).toMatch(/^HTTP\/1\.1 503 /);
  await stopped;
  expect(performance.now() - begun).toBeLessThan(5_000);
  socket.destroy();
});
