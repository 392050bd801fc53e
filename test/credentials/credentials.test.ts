// Who may come in, by which door, and what they may do.
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { Vault } from '../../src/credentials/vault.ts';
import { OperatorError } from '../../src/lib/operator-error.ts';
import { ADMIN, basic, HOLDING, MASTER_KEY, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { get, overEventSource, overHttp, overLegacy, overSocket, postRaw, signedCall } from '../support/doors.ts';

interface Credentials {
  key: string;
  secret: string;
}

const OPERATOR = { key: 'operator-key', secret: 'operator.secret:with-marks' };
const VIEWER = { key: 'viewer-key', secret: 'viewer-secret-5d41402a' };
const WHO = { query: '{ viewer { legacyId name role } }' };

let database: TestDatabase;
let app: TestApp;
const logged: string[] = [];

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, {
    settings: { LOG_LEVEL: 'trace' },
    log: { write: (line: string) => logged.push(line) },
  });
  await addUser(1001, 'operator', 'OPERATOR', OPERATOR);
  await addUser(1002, 'viewer', 'VIEWER', VIEWER);
  // Task 1 is the admin's, task 2 the operator's.
  await addTask(ADMIN, 'of the admin');
  await addTask(OPERATOR, 'of the operator');
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

function sql<Row>(text: string, parameters: unknown[] = []): Promise<Row[]> {
  return database.orm.em.getConnection().execute(text, parameters);
}

async function addUser(id: number, name: string, role: string, credentials: Credentials): Promise<void> {
  await sql('insert into app_user (id, name, role) values (?, ?, ?)', [id, name, role]);
  await addKey(id, credentials);
}

async function addKey(user: number, { key, secret }: Credentials): Promise<void> {
  const sealed = new Vault(MASTER_KEY).seal(secret);
  await sql('insert into api_key (key, sealed_secret, user_id) values (?, ?, ?)', [key, sealed, user]);
}

const basicOf = ({ key, secret }: Credentials) => basic(key, secret);
const bearerOf = ({ key, secret }: Credentials) => `Bearer ${key}.${secret}`;

async function addTask(credentials: Credentials, name: string, rest = {}) {
  const query = 'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { legacyId owner { legacyId } } } }';
  const variables = { input: { name, className: HOLDING, ...rest } };
  return overHttp<{ addTask: unknown }>(app.address, { query, variables }, basicOf(credentials));
}

const codes = (reply: { errors?: { extensions: { code?: string } }[] }) =>
  reply.errors?.map(({ extensions }) => extensions.code);

/** How each door answers these credentials: who the caller is there, or that they were refused. */
const DOORS: Record<string, (credentials: Credentials) => Promise<unknown>> = {
  'HTTP with Basic': async (credentials) => {
    const { data } = await overHttp<{ viewer: unknown }>(app.address, WHO, basicOf(credentials));
    return data?.viewer ?? 'refused';
  },
  'HTTP with Bearer': async (credentials) => {
    const { data } = await overHttp<{ viewer: unknown }>(app.address, WHO, bearerOf(credentials));
    return data?.viewer ?? 'refused';
  },
  'a WebSocket with Basic': async (credentials) => whoOverSocket(basicOf(credentials)),
  'a WebSocket with Bearer': async (credentials) => whoOverSocket(bearerOf(credentials)),
  'an EventSource': async (credentials) => {
    const { status, text } = await overEventSource(app.address, WHO, { authorization: basicOf(credentials) });
    return status === 401 ? 'refused' : JSON.parse(/^data: (.+)$/m.exec(text)?.[1] ?? '').data.viewer;
  },
};

async function whoOverSocket(authorization: string): Promise<unknown> {
  try {
    const { data } = await overSocket<{ viewer: unknown }>(app.address, WHO, authorization);
    return data?.viewer;
  } catch (error) {
    if ((error as { code?: number }).code === 4403) return 'refused';
    throw error;
  }
}

/** The statuses of the old door, for a signed call and for headers. */
async function legacyStatuses(credentials: Credentials): Promise<number[]> {
  const answers = await Promise.all([
    overLegacy(app.address, signedCall('getTasks', credentials)),
    legacyWith({ authorization: basicOf(credentials) }),
    legacyWith({ authorization: bearerOf(credentials) }),
  ]);
  return answers.map(({ status }) => status);
}

function legacyWith(headers: Record<string, string>) {
  return overLegacy(app.address, 'target=scheduler&action=getTasks', { headers });
}

describe('the same key and secret', () => {
  test.each(Object.entries(DOORS))('say who calls, over %s', async (_door, who) => {
    expect(await who(ADMIN)).toEqual({ legacyId: 1, name: 'admin', role: 'ADMIN' });
    expect(await who(OPERATOR)).toEqual({ legacyId: 1001, name: 'operator', role: 'OPERATOR' });
    expect(await who(VIEWER)).toEqual({ legacyId: 1002, name: 'viewer', role: 'VIEWER' });
    expect(await who({ ...VIEWER, secret: 'wrong' })).toBe('refused');
    expect(await who({ ...VIEWER, key: 'nobody' })).toBe('refused');
  });

  test('say who calls in the old API, by signature and by header', async () => {
    expect(await legacyStatuses(OPERATOR)).toEqual([200, 200, 200]);
    expect(await legacyStatuses({ ...OPERATOR, secret: 'wrong' })).toEqual([401, 401, 401]);
    const add = { user_id: 1001, name: 'signed', class_name: HOLDING, active: 0, repeat_items: [] };
    const init = { method: 'POST', body: JSON.stringify(add) };
    const { reply } = await overLegacy(app.address, signedCall('addTask', OPERATOR), init);
    expect(reply.success).toBe(1);
    const asked = `select actor_id from event where task_name = 'signed'`;
    expect(await sql(asked)).toEqual([{ actor_id: 1001 }]);
  });

  test('do not count where a wrong hash is sent with them', async () => {
    const call = signedCall('getTasks', { key: ADMIN.key, secret: 'wrong' });
    const { status } = await overLegacy(app.address, call, { headers: { authorization: basicOf(ADMIN) } });
    expect(status).toBe(401);
  });
});

describe('a call without credentials', () => {
  const PATHS = [
    '/nowhere',
    '/graphql',
    '/graphql/',
    '/metrics',
    '/api/v1/api.php',
    '/api/v1/',
    '/API/v1/api.php',
    '/data',
  ];

  test.each(PATHS)('of %s learns nothing, whatever the method', async (path) => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']) {
      const response = await fetch(app.address + path, { method });
      expect([401, 404]).toContain(response.status);
      expect(response.headers.get('www-authenticate')).toBeNull();
      expect(await response.text()).not.toMatch(/admin|operator|Holding|"success":1/);
    }
  });

  test.each(['/', '/tasks', '/runs/UnVuOjE='])(
    'of %s gets the dashboard, which is the same file for everybody',
    async (path) => {
      const page = await readFile(new URL('../../dist/dashboard/index.html', import.meta.url), 'utf8');
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const response = await fetch(app.address + path, { method });
        expect(response.status).toBe(method === 'GET' ? 200 : 404);
        expect(response.headers.get('www-authenticate')).toBeNull();
        if (method === 'GET') expect(await response.text()).toBe(page);
      }
      expect((await get(`${app.address}/assets/..%2f..%2f..%2fpackage.json`)).status).toBe(404);
    },
  );

  test.each(['/healthz', '/readyz'])('of %s is answered', async (path) => {
    const { status, headers } = await get(app.address + path);
    expect({ status, challenge: headers.get('www-authenticate') }).toEqual({ status: 200, challenge: null });
  });
});

/** The tables that have a text in any column, as it is or in hexadecimal, as bytes are shown. */
async function placesOf(text: string): Promise<string[]> {
  const tables = await sql<{ place: string; condition: string }>(
    `select format('%I.%I', table_schema, table_name) as place,
       string_agg(format('strpos(%I::text, plain) > 0 or strpos(%I::text, hex) > 0', column_name, column_name), ' or ')
         as condition
     from information_schema.columns join information_schema.tables using (table_schema, table_name)
     where table_schema in ('public', 'pgboss') and table_type = 'BASE TABLE'
     group by table_schema, table_name`,
  );
  const found = await Promise.all(
    tables.map(async ({ place, condition }) => {
      const sought = '(select ?::text as plain, ?::text as hex) as sought';
      const hits = await sql(`select from ${place}, ${sought} where ${condition}`, [
        text,
        Buffer.from(text).toString('hex'),
      ]);
      return hits.length > 0 ? [place] : [];
    }),
  );
  return found.flat();
}

describe('a secret', () => {
  test('is nowhere in the database as it is', async () => {
    expect(await placesOf(VIEWER.key)).toEqual(['public.api_key']);
    for (const { secret } of [ADMIN, OPERATOR, VIEWER]) expect(await placesOf(secret)).toEqual([]);
  });

  test('is nowhere in the log, at its most talkative', async () => {
    await Promise.all(Object.values(DOORS).map((who) => who(VIEWER)));
    await legacyStatuses(VIEWER);
    await postRaw(app.address, '{"query":"{ nonsense }"}', { authorization: basicOf(VIEWER) });
    await overSocket(app.address, { query: '{ nonsense }' }, bearerOf(VIEWER));
    const log = logged.join('');
    expect(log).toContain('"level":20');
    for (const credentials of [ADMIN, OPERATOR, VIEWER]) {
      expect(log).not.toContain(credentials.secret);
      expect(log).not.toContain(basicOf(credentials).slice('Basic '.length));
    }
    expect(log).not.toContain(signedCall('getTasks', VIEWER).split('hash=')[1]);
    expect(log).not.toContain(MASTER_KEY.toString('hex'));
  });
});

test('a revoked key is refused from that moment on at every door', async () => {
  const key = { key: 'short-lived', secret: 'short-lived-secret' };
  await addKey(1001, key);
  for (const who of Object.values(DOORS)) expect(await who(key)).toMatchObject({ legacyId: 1001 });
  expect(await legacyStatuses(key)).toEqual([200, 200, 200]);
  await sql(`update api_key set revoked_at = now() where key = ?`, [key.key]);
  for (const who of Object.values(DOORS)) expect(await who(key)).toBe('refused');
  expect(await legacyStatuses(key)).toEqual([401, 401, 401]);
  expect(await legacyStatuses(OPERATOR)).toEqual([200, 200, 200]);
});

describe('a role', () => {
  const pause = (task: number) => ({
    query: `mutation { pauseTask(input: {task: {legacyId: ${task}}}) { task { id } } }`,
  });
  const rename = (task: number) => ({
    query: `mutation { updateTask(input: {task: {legacyId: ${task}}, name: "renamed"}) { task { id } } }`,
  });
  const remove = (task: number) => ({
    query: `mutation { deleteTask(input: {task: {legacyId: ${task}}}) { task { id } } }`,
  });
  const execute = (task: number) => ({
    query: `mutation { executeTask(input: {task: {legacyId: ${task}}}) { run { id } } }`,
  });
  let before: unknown;
  const tasks = () => sql('select id, name, active, owner_id, deleted_at, version from task order by id');

  beforeEach(async () => {
    before = await tasks();
  });

  test('of a viewer reads and changes nothing', async () => {
    const read = '{ tasks { edges { node { name runs { edges { node { state } } } } } } events { edges { cursor } } }';
    const { data, errors } = await overHttp<object>(app.address, { query: read }, basicOf(VIEWER));
    expect({ data, errors }).toMatchObject({ data: { tasks: { edges: expect.any(Array) } }, errors: undefined });
    expect(codes(await addTask(VIEWER, 'new'))).toEqual(['FORBIDDEN']);
    for (const change of [pause(2), rename(2), remove(2), execute(2)]) {
      expect(codes(await overHttp(app.address, change, basicOf(VIEWER)))).toEqual(['FORBIDDEN']);
      expect(codes(await overSocket(app.address, change, basicOf(VIEWER)))).toEqual(['FORBIDDEN']);
    }
    for (const call of ['deleteTask&taskId=2', 'executeTask&taskId=2']) {
      const { status, reply } = await overLegacy(app.address, signedCall(call, VIEWER));
      expect({ status, success: reply.success }).toEqual({ status: 200, success: 0 });
      expect(reply.message).toContain('VIEWER');
    }
    expect((await overLegacy(app.address, signedCall('getTasks', VIEWER))).reply.success).toBe(1);
    expect(await tasks()).toEqual(before);
  });

  test('of an operator changes their own tasks alone', async () => {
    for (const change of [pause(1), rename(1), remove(1), execute(1)]) {
      expect(codes(await overHttp(app.address, change, basicOf(OPERATOR)))).toEqual(['FORBIDDEN']);
    }
    const { reply } = await overLegacy(app.address, signedCall('deleteTask&taskId=1', OPERATOR));
    expect(reply).toEqual({ success: 0, message: expect.stringContaining('belongs to another user') });
    expect(await tasks()).toEqual(before);
    for (const change of [pause(2), rename(2), execute(2)]) {
      expect(await overHttp(app.address, change, basicOf(OPERATOR))).not.toHaveProperty('errors');
    }
    expect(await sql('select name, active from task where id = 2')).toEqual([{ name: 'renamed', active: false }]);
  });

  test('of an admin alone names another owner', async () => {
    const refused = await addTask(OPERATOR, 'for the admin', { ownerLegacyId: 1 });
    expect(refused.errors?.map(({ extensions }) => extensions)).toEqual([
      { code: 'FORBIDDEN', field: 'input.ownerLegacyId' },
    ]);
    const give = { query: 'mutation { updateTask(input: {task: {legacyId: 2}, ownerLegacyId: 1}) { task { id } } }' };
    expect(codes(await overHttp(app.address, give, basicOf(OPERATOR)))).toEqual(['FORBIDDEN']);
    const old = 'updateTask&id=2&user_id=1&name=n&class_name=%5Cscheduler%5CTasks%5CProcessHoldingTask&active=1';
    const { reply } = await overLegacy(app.address, signedCall(old, OPERATOR));
    expect(reply.message).toBe('user_id: only an admin may name an owner other than themselves (1001), got 1');
    expect(await tasks()).toEqual(before);
    expect(await addTask(OPERATOR, 'my own', { ownerLegacyId: 1001 })).not.toHaveProperty('errors');
    const { data } = await addTask(ADMIN, 'for the operator', { ownerLegacyId: 1001 });
    expect(data).toMatchObject({ addTask: { task: { owner: { legacyId: 1001 } } } });
    expect(await overHttp(app.address, rename(1), basicOf(ADMIN))).not.toHaveProperty('errors');
  });
});

test('the old door is closed to a page of another site, whose browser would send along what it has', async () => {
  const headers = { 'sec-fetch-site': 'cross-site', authorization: basicOf(ADMIN) };
  const { status, reply } = await overLegacy(app.address, signedCall('deleteTask&taskId=1'), { headers });
  expect({ status, reply }).toEqual({
    status: 200,
    reply: { success: 0, message: expect.stringContaining('Cross-site calls') },
  });
  expect(await sql('select deleted_at from task where id = 1')).toEqual([{ deleted_at: null }]);
  expect((await legacyWith({ 'sec-fetch-site': 'same-origin', authorization: basicOf(ADMIN) })).status).toBe(200);
});

test('the other doors do not look at what a browser sends along for a page of another site', async () => {
  const status = async (path: string, site: string, init: RequestInit = {}) => {
    const headers = { ...init.headers, 'sec-fetch-site': site, authorization: basicOf(ADMIN) };
    return (await fetch(`${app.address}${path}`, { ...init, headers })).status;
  };
  const form = {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ query: 'mutation { deleteTask(input: { task: { legacyId: 1 } }) { task { id } } }' }),
  };
  expect(await status('/graphql', 'cross-site', form)).toBe(401);
  expect(await sql('select deleted_at from task where id = 1')).toEqual([{ deleted_at: null }]);
  for (const path of ['/graphql?query={viewer{id}}', '/metrics']) {
    expect(await status(path, 'cross-site')).toBe(401);
    for (const site of ['same-origin', 'none']) expect(await status(path, site)).toBe(200);
  }
  const open = (site: string) =>
    new Promise<boolean>((resolve) => {
      const socket = new WebSocket(`${app.address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
        headers: { 'sec-fetch-site': site, authorization: basicOf(ADMIN) },
      });
      socket.on('open', () => socket.send('{"type":"connection_init"}'));
      socket.on('message', () => resolve(true));
      socket.on('close', () => resolve(false));
      onTestFinished(() => socket.terminate());
    });
  expect(await open('same-origin')).toBe(true);
  expect(await open('cross-site')).toBe(false);
});

test('a master key that does not open the stored secrets ends the start in one sentence', async () => {
  const start = startTestApp(database.url, { settings: { MASTER_KEY: Buffer.alloc(32, 8) } });
  await expect(start).rejects.toThrow(OperatorError);
  await expect(start).rejects.toThrow(/^The master key does not open the stored API secrets: set MASTER_KEY[^\n]*\.$/);
});
