// The ids that tie a request, a run and their log lines together.
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { heldClass } from '../support/test-classes.ts';

interface Line {
  level: number;
  msg: string;
  requestId?: string;
  runId?: string;
  taskId?: string;
  attempt?: number;
  state?: string;
}

const ERROR = 50;
const UUID = /^[\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}$/;
/** Fails unexpectedly once the table is gone. */
const BROKEN = '{ tasks { edges { node { name repeatItems { id } } } } }';

const held = heldClass();
const written: string[] = [];
let database: TestDatabase;
let app: TestApp;
let taskId: string;

const lines = () => written.map((line) => JSON.parse(line) as Line);
const failures = () => lines().filter(({ level }) => level >= ERROR);

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, {
    settings: { LOG_LEVEL: 'debug' },
    taskClasses: [held.taskClass],
    log: { write: (line) => written.push(line) },
  });
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
    `mutation ($name: String!) {
      addTask(input: { name: "Held", className: $name, repeatItems: [{ hour: 1 }] }) { task { id } }
    }`,
    { name: held.taskClass.name },
  );
  taskId = addTask.task.id;
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

beforeEach(() => {
  written.length = 0;
});

function send(query: string, headers: Record<string, string> = {}, address = app.address) {
  return fetch(`${address}/graphql`, {
    method: 'POST',
    headers: { authorization: app.authorization, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  });
}

describe('the id of a request', () => {
  test.each(['deploy-7.3_a', 'x'.repeat(64)])('is the one that the client sent: %s', async (id) => {
    const reply = await send('{ viewer { name } }', { 'x-request-id': id });
    expect(reply.headers.get('x-request-id')).toBe(id);
  });

  test.each(['', 'two words', 'x'.repeat(65), '{"level":60}', 'é'])('is a new one instead of: %s', async (id) => {
    const reply = await send('{ viewer { name } }', { 'x-request-id': id });
    expect(reply.headers.get('x-request-id')).toMatch(UUID);
  });

  test.each(['/healthz', '/readyz', '/metrics', '/graphql'])(
    'is in the reply of %s, even without credentials',
    async (path) => {
      const reply = await fetch(`${app.address}${path}`, { headers: { 'x-request-id': 'mine' } });
      expect(reply.headers.get('x-request-id')).toBe('mine');
    },
  );

  test('is in the log of an old call, and not in its reply', async () => {
    const reply = await fetch(`${app.address}/api/v1/api.php?target=scheduler&action=getTasks`, {
      headers: { authorization: app.authorization, 'x-request-id': 'old-1' },
    });
    expect(await reply.text()).toMatch(/^{"success":1/);
    expect([...reply.headers.keys()]).not.toContain('x-request-id');
    expect(lines().filter(({ msg }) => msg === 'old call')).toMatchObject([{ requestId: 'old-1' }]);
  });
});

describe('a masked error', () => {
  beforeAll(() => database.orm.em.getConnection().execute('alter table repeat_item rename to repeat_item_gone'));
  afterAll(() => database.orm.em.getConnection().execute('alter table repeat_item_gone rename to repeat_item'));

  const masked = (requestId: string) => [{ extensions: { code: 'INTERNAL_SERVER_ERROR', requestId } }];

  // From the fourth time on, compiled code answers first.
  test('has the request id of its log line, and no details', async () => {
    for (const id of ['one', 'two', 'three', 'four', 'five']) {
      const reply = await send(BROKEN, { 'x-request-id': id });
      const text = await reply.text();
      expect(JSON.parse(text).errors).toMatchObject(masked(id));
      expect(text).not.toContain('repeat_item');
    }
    expect(failures().map(({ requestId }) => requestId)).toEqual(['one', 'two', 'three', 'four', 'five']);
    expect(written.join('')).toContain('repeat_item');
  });

  test('has it over Server-Sent Events', async () => {
    const reply = await send(BROKEN, { accept: 'text/event-stream', 'x-request-id': 'sse-1' });
    expect(await reply.text()).toContain('"requestId":"sse-1"');
    expect(failures()).toMatchObject([{ requestId: 'sse-1' }]);
  });

  test('has the id of the upgrade request over a WebSocket', async () => {
    class Socket extends WebSocket {
      constructor(address: string, protocols: string) {
        super(address, protocols, { headers: { 'x-request-id': 'ws-1' } });
      }
    }
    const client = createClient({
      url: `${app.address.replace('http', 'ws')}/graphql`,
      webSocketImpl: Socket,
      connectionParams: { authorization: app.authorization },
    });
    const { value } = await client.iterate({ query: BROKEN }).next();
    await client.dispose();
    expect(value.errors).toMatchObject(masked('ws-1'));
    expect(failures()).toMatchObject([{ requestId: 'ws-1' }]);
  });

  test('is logged with the id of an old call, whose reply has no id', async () => {
    const reply = await fetch(`${app.address}/api/v1/api.php?target=scheduler&action=getTasks`, {
      headers: { authorization: app.authorization, 'x-request-id': 'old-2' },
    });
    expect(await reply.json()).toEqual({ success: 0, message: 'Internal server error; see the server log.' });
    expect(failures().length).toBeGreaterThan(0);
    for (const { requestId } of failures()) expect(requestId).toBe('old-2');
  });
});

test('an error that is not masked has no request id', async () => {
  const { errors } = await app.post('{ task(by: { legacyId: 0 }) { id } nonsense }');
  expect(errors?.length).toBeGreaterThan(0);
  for (const { extensions } of errors ?? []) expect(Object.keys(extensions)).not.toContain('requestId');
});

test('lines of a run carry ids that run(id:) and node(id:) find', async () => {
  const { executeTask } = await app.query<{ executeTask: { run: { id: string } } }>(
    'mutation ($task: ID!) { executeTask(input: { task: { id: $task } }) { run { id } } }',
    { task: taskId },
  );
  (await held.next()).succeed('done');
  const { id } = executeTask.run;
  const ofRun = () => lines().filter(({ runId }) => runId === id);
  await expect.poll(() => ofRun().map(({ msg }) => msg)).toEqual(['an attempt begins', 'an attempt has ended']);
  for (const line of ofRun()) expect(line).toMatchObject({ taskId, attempt: 1 });
  expect(ofRun().at(-1)?.state).toBe('SUCCEEDED');
  const { run, node } = await app.query<{ run: object; node: object }>(
    'query ($run: ID!, $task: ID!) { run(id: $run) { task { name } } node(id: $task) { id } }',
    { run: ofRun()[0]?.runId, task: ofRun()[0]?.taskId },
  );
  expect({ run, node }).toEqual({ run: { task: { name: 'Held' } }, node: { id: taskId } });
});
