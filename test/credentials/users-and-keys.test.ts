// Users and their API keys: who makes and changes them, and what holds whatever is done to them at once.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMIN, basic, type GraphQLReply, overWebSocket, startTestApp, type TestApp } from '../support/app.ts';
import { contentsOf, textOf } from '../support/contents.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { overHttp, overLegacy, overSocket, signedCall } from '../support/doors.ts';
import { rows } from '../support/races.ts';

interface Credentials {
  key: string;
  secret: string;
}

interface User {
  id: string;
  legacyId: number;
  name: string;
  role: string;
}

interface Created {
  createApiKey: {
    apiKey: { key: string; createdAt: string; revokedAt: string | null; user: { name: string } } | null;
    secret: string | null;
  } | null;
}

let database: TestDatabase;
let app: TestApp;
const logged: string[] = [];

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, {
    settings: { LOG_LEVEL: 'trace' },
    log: { write: (line: string) => logged.push(line) },
  });
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

const USER = 'user { id legacyId name role }';
const ADD = `mutation ($input: AddUserInput!) { addUser(input: $input) { ${USER} } }`;
const UPDATE = `mutation ($input: UpdateUserInput!) { updateUser(input: $input) { ${USER} } }`;
const CREATE = `mutation ($input: CreateApiKeyInput!) {
  createApiKey(input: $input) { apiKey { key createdAt revokedAt user { name } } secret }
}`;
const REVOKE = 'mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { apiKey { key revokedAt } } }';
const WHO = '{ viewer { name role } }';

/** One operation with the credentials of a user. */
function as<Data>(
  { key, secret }: Credentials,
  query: string,
  input?: object,
  { address } = app,
): Promise<GraphQLReply<Data>> {
  return overHttp(address, { query, ...(input && { variables: { input } }) }, basic(key, secret));
}

async function addUser(input: object, at = app): Promise<User> {
  const { data, errors } = await as<{ addUser: { user: User } | null }>(ADMIN, ADD, input, at);
  if (!data?.addUser) throw new Error(`no user was added: ${JSON.stringify(errors)}`);
  return data.addUser.user;
}

async function createKey(user: User, at = app): Promise<Credentials> {
  const { data } = await as<Created>(ADMIN, CREATE, { user: user.id }, at);
  const { apiKey, secret } = data?.createApiKey ?? {};
  if (!apiKey || !secret) throw new Error('no key was made');
  return { key: apiKey.key, secret };
}

const codes = ({ errors }: GraphQLReply<unknown>) => errors?.map(({ extensions }) => extensions);

describe('a user', () => {
  test('is added, comes in with a key made for them, is renamed, and is listed by name', async () => {
    const bob = await addUser({ name: 'Bob Müller', role: 'OPERATOR' });
    expect(bob).toMatchObject({ legacyId: 2, name: 'Bob Müller', role: 'OPERATOR' });
    const { data } = await as<Created>(ADMIN, CREATE, { user: bob.id });
    const { apiKey, secret } = data?.createApiKey ?? {};
    expect(apiKey).toMatchObject({ revokedAt: null, user: { name: 'Bob Müller' } });
    expect(apiKey?.key).toMatch(/^bob-muller-[0-9a-f]{16}$/);
    expect(secret).toMatch(/^[0-9a-f]{48}$/);
    const theirs = { key: apiKey?.key ?? '', secret: secret ?? '' };
    expect((await as(theirs, WHO)).data).toEqual({ viewer: { name: 'Bob Müller', role: 'OPERATOR' } });
    expect((await overLegacy(app.address, signedCall('getTasks', theirs))).reply.success).toBe(1);
    const renamed = await as<{ updateUser: { user: User } }>(ADMIN, UPDATE, { user: bob.id, name: 'Bobby' });
    expect(renamed.data?.updateUser.user).toEqual({ ...bob, name: 'Bobby' });
    await addUser({ name: 'Älter', role: 'VIEWER' });
    const list = async (args: string) => {
      const { users } = await app.query<{ users: { edges: { cursor: string; node: { name: string } }[] } }>(
        `{ users(${args}) { edges { cursor node { name } } } }`,
      );
      return users.edges;
    };
    const all = await list('first: 500');
    const names = all.map(({ node }) => node.name);
    expect(names).toHaveLength(3);
    const [first] = await list('first: 1');
    const rest = await list(`first: 10, after: "${first?.cursor}"`);
    expect([first, ...rest]).toEqual(all);
    expect((await list('first: 5, filter: { name: "BOB" }')).map(({ node }) => node.name)).toEqual(['Bobby']);
    expect((await list('first: 5, filter: { name: "%" }')).map(({ node }) => node.name)).toEqual([]);
    expect((await list('first: 5, filter: { role: ADMIN }')).map(({ node }) => node.name)).toEqual(['admin']);
  });

  test('may bring the id of the old API, and the next one gets a higher id, up to the last that there is', async () => {
    const database = await testDatabase();
    const app = await startTestApp(database.url);
    const old = await addUser({ name: 'old', role: 'VIEWER', legacyId: 500 }, app);
    expect(old.legacyId).toBe(500);
    const early = await addUser({ name: 'early', role: 'VIEWER', legacyId: 31 }, app);
    expect(early.legacyId).toBe(31);
    const many = await Promise.all(['a', 'b', 'c', 'd'].map((name) => addUser({ name, role: 'VIEWER' }, app)));
    expect(many.map(({ legacyId }) => legacyId).toSorted()).toEqual([501, 502, 503, 504]);
    await rows(database.orm.em, `insert into app_user (name, role) values ('by SQL', 'VIEWER')`);
    await addUser({ name: 'last', role: 'VIEWER', legacyId: 2_147_483_647 }, app);
    const none = await as(ADMIN, ADD, { name: 'none left', role: 'VIEWER' }, app);
    expect(codes(none)).toEqual([{ code: 'BAD_USER_INPUT', field: 'input.legacyId' }]);
    await app.stop();
    await database.close();
  });

  test('of the same name or id as another is a CONFLICT at its field, of two at once one is added', async () => {
    const carla = await addUser({ name: 'Carla', role: 'VIEWER', legacyId: 71 });
    const other = await addUser({ name: 'Other', role: 'VIEWER' });
    const refused: [string, object, string][] = [
      [ADD, { name: 'Carla', role: 'ADMIN' }, 'input.name'],
      [ADD, { name: 'New', role: 'ADMIN', legacyId: 71 }, 'input.legacyId'],
      [UPDATE, { user: other.id, name: 'Carla' }, 'input.name'],
    ];
    for (const [query, input, field] of refused) {
      expect(codes(await as(ADMIN, query, input))).toEqual([{ code: 'CONFLICT', field }]);
    }
    expect(await as(ADMIN, UPDATE, { user: carla.id, name: 'Carla' })).not.toHaveProperty('errors');
    const twice = await Promise.all([1, 2, 3].map(() => as(ADMIN, ADD, { name: 'Twice', role: 'VIEWER' })));
    expect(twice.filter(({ errors }) => errors === undefined)).toHaveLength(1);
  });

  test('has keys that are listed by user and by whether they were revoked, the newest first', async () => {
    const user = await addUser({ name: 'many keys', role: 'VIEWER' });
    const keys: string[] = [];
    for (let count = 0; count < 3; count += 1) keys.unshift((await createKey(user)).key);
    await as(ADMIN, REVOKE, { key: keys[1] });
    const listed = async (selection: string) => {
      const query = `query ($id: ID!) { list: ${selection} }`;
      type Keys = { edges: { node: { key: string } }[] };
      const { list } = await app.query<{ list: Keys | { apiKeys: Keys } }>(query, { id: user.id });
      return ('apiKeys' in list ? list.apiKeys : list).edges.map(({ node }) => node.key);
    };
    const EDGES = '{ edges { node { key } } }';
    const OF_USER = 'node(id: $id) { ... on User';
    expect(await listed(`apiKeys(filter: { user: $id }) ${EDGES}`)).toEqual(keys);
    expect(await listed(`apiKeys(first: 1, filter: { user: $id, revoked: false }) ${EDGES}`)).toEqual([keys[0]]);
    expect(await listed(`apiKeys(last: 1, filter: { user: $id }) ${EDGES}`)).toEqual([keys[2]]);
    expect(await listed(`${OF_USER} { apiKeys ${EDGES} } }`)).toEqual(keys);
    expect(await listed(`${OF_USER} { apiKeys(revoked: true) ${EDGES} } }`)).toEqual([keys[1]]);
    expect(await listed(`${OF_USER} { apiKeys(last: 2) ${EDGES} } }`)).toEqual(keys.slice(1));
  });
});

const globalId = (text: string) => Buffer.from(text).toString('base64');

test.each<[string, string, object, string, string]>([
  ['an empty name', ADD, { name: '', role: 'VIEWER' }, 'BAD_USER_INPUT', 'input.name'],
  ['a name of 256 characters', ADD, { name: 'x'.repeat(256), role: 'VIEWER' }, 'BAD_USER_INPUT', 'input.name'],
  ['a NUL in the name', ADD, { name: 'a\0', role: 'VIEWER' }, 'BAD_USER_INPUT', 'input.name'],
  ['the id 0', ADD, { name: 'a', role: 'VIEWER', legacyId: 0 }, 'BAD_USER_INPUT', 'input.legacyId'],
  ['another name for nobody', UPDATE, { user: globalId('User:99999') }, 'NOT_FOUND', 'input.user'],
  ['another name for a task', UPDATE, { user: globalId('Task:1'), name: 'a' }, 'BAD_USER_INPUT', 'input.user'],
  ['an empty new name', UPDATE, { user: globalId('User:1'), name: '' }, 'BAD_USER_INPUT', 'input.name'],
  ['a key for nobody', CREATE, { user: globalId('User:99999') }, 'NOT_FOUND', 'input.user'],
  ['a key for nonsense', CREATE, { user: 'nonsense' }, 'BAD_USER_INPUT', 'input.user'],
  ['to revoke a key that there is not', REVOKE, { key: 'none' }, 'NOT_FOUND', 'input.key'],
  ['another role for the only admin', UPDATE, { user: globalId('User:1'), role: 'VIEWER' }, 'CONFLICT', 'input.role'],
  ['to revoke the only key of an admin', REVOKE, { key: ADMIN.key }, 'CONFLICT', 'input.key'],
])('%s is refused with its field, and nothing is stored', async (_what, query, input, code, field) => {
  const before = await contentsOf(database.orm);
  expect(codes(await as(ADMIN, query, input))).toEqual([{ code, field }]);
  const keyed = { ...input, idempotencyKey: 'refused' };
  if (query !== REVOKE) expect(codes(await as(ADMIN, query, keyed))).toEqual([{ code, field }]);
  expect(await contentsOf(database.orm)).toEqual(before);
});

test.each(['VIEWER', 'OPERATOR'])('a %s neither sees nor changes users and keys', async (role) => {
  const user = await addUser({ name: `curious ${role}`, role });
  const theirs = await createKey(user);
  const before = await contentsOf(database.orm);
  const attempts: [string, object?][] = [
    ['{ users { edges { node { name } } } }'],
    ['{ apiKeys { edges { node { key } } } }'],
    ['{ legacyCallers { action } }'],
    [`{ node(id: "${user.id}") { ... on User { apiKeys { edges { node { key } } } } } }`],
    [ADD, { name: 'mine', role: 'ADMIN' }],
    [UPDATE, { user: user.id, role: 'ADMIN' }],
    [CREATE, { user: globalId('User:1') }],
    [CREATE, { user: user.id }],
    [REVOKE, { key: ADMIN.key }],
  ];
  for (const [query, input] of attempts) expect(codes(await as(theirs, query, input))).toEqual([{ code: 'FORBIDDEN' }]);
  expect(await contentsOf(database.orm)).toEqual(before);
});

describe('a repeated call', () => {
  test('does nothing more, and another under its key is a CONFLICT', async () => {
    const input = { name: 'once', role: 'VIEWER', idempotencyKey: 'add once' };
    const user = await addUser(input);
    expect(await addUser(input)).toEqual(user);
    const other = await as(ADMIN, ADD, { ...input, role: 'ADMIN' });
    expect(codes(other)).toEqual([{ code: 'CONFLICT', field: 'input.idempotencyKey' }]);
    const promote = { user: user.id, role: 'OPERATOR', idempotencyKey: 'promote once' };
    await as(ADMIN, UPDATE, promote);
    await as(ADMIN, UPDATE, { user: user.id, role: 'VIEWER' });
    const repeated = await as<{ updateUser: { user: User } }>(ADMIN, UPDATE, promote);
    expect(repeated.data?.updateUser.user.role).toBe('VIEWER');
  });

  test('of createApiKey answers with the key and without its secret, of many at once one has it', async () => {
    const user = await addUser({ name: 'asked often', role: 'VIEWER' });
    const input = { user: user.id, idempotencyKey: 'create once' };
    const answers = await Promise.all([1, 2, 3, 4].map(() => as<Created>(ADMIN, CREATE, input)));
    answers.push(await as<Created>(ADMIN, CREATE, input));
    const created = answers.map(({ data }) => data?.createApiKey);
    expect(new Set(created.map((each) => each?.apiKey?.key)).size).toBe(1);
    const secrets = created.map((each) => each?.secret).filter((secret) => secret !== null);
    expect(secrets).toEqual([expect.stringMatching(/^[0-9a-f]{48}$/)]);
    const key = created[0]?.apiKey?.key ?? '';
    expect((await as({ key, secret: secrets[0] ?? '' }, WHO)).data).toMatchObject({ viewer: { name: 'asked often' } });
    expect(await rows(database.orm.em, 'select id from api_key where user_id = ?', [user.legacyId])).toHaveLength(1);
  });
});

test('a secret that was made is in no log line and nowhere in the database as it is', async () => {
  const user = await addUser({ name: 'secretive', role: 'VIEWER' });
  const { data } = await as<Created>(ADMIN, CREATE, { user: user.id, idempotencyKey: 'secretive' });
  const { apiKey, secret } = data?.createApiKey ?? {};
  const theirs = { key: apiKey?.key ?? '', secret: secret ?? '' };
  await as(theirs, WHO);
  await overSocket(app.address, { query: '{ nonsense }' }, `Bearer ${theirs.key}.${theirs.secret}`);
  await as(ADMIN, REVOKE, { key: theirs.key });
  expect((await as(theirs, WHO)).errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
  expect(theirs.secret).toHaveLength(48);
  const text = await textOf(database.orm);
  const log = logged.join('');
  expect(text).toContain(theirs.key);
  expect(log).toContain('"level":20');
  for (const form of ['utf8', 'hex', 'base64'] as const) {
    const shown = Buffer.from(theirs.secret).toString(form);
    expect(text).not.toContain(shown);
    expect(log).not.toContain(shown);
  }
});

test('another role counts at once: what is open ends, and calls are judged by it', async () => {
  const user = await addUser({ name: 'risen and fallen', role: 'ADMIN' });
  const theirs = await createKey(user);
  const open = { ...app, authorization: basic(theirs.key, theirs.secret) };
  expect((await as(theirs, '{ users { edges { cursor } } }')).errors).toBeUndefined();
  const stream = await overWebSocket(open);
  const streams = async () => {
    const response = await fetch(`${app.address}/metrics`, { headers: { authorization: app.authorization } });
    return Number(/^slotkeeper_streams (\d+)$/m.exec(await response.text())?.[1]);
  };
  await expect.poll(streams).toBeGreaterThan(0);
  await as(ADMIN, UPDATE, { user: user.id, name: 'renamed alone' });
  expect(await streams()).toBeGreaterThan(0);
  await as(ADMIN, UPDATE, { user: user.id, role: 'VIEWER' });
  expect(codes(await as(theirs, '{ users { edges { cursor } } }'))).toEqual([{ code: 'FORBIDDEN' }]);
  await expect.poll(streams).toBe(0);
  await stream.close();
});

describe('of two admins who take away the access of the other at the same instant, one keeps it', () => {
  type Act = (target: { user: User; credentials: Credentials }) => [string, object];
  const demote: Act = ({ user }) => [UPDATE, { user: user.id, role: 'OPERATOR' }];
  const revoke: Act = ({ credentials }) => [REVOKE, { key: credentials.key }];

  /** Both calls are let in and have begun when the first of them gets the lock. */
  async function atOnce(em: TestDatabase['orm']['em'], calls: () => Promise<unknown>[]) {
    let answers: Promise<unknown[]> = Promise.resolve([]);
    await em.fork().transactional(async (holder) => {
      await holder.execute(`select pg_advisory_xact_lock(hashtextextended('slotkeeper users', 0))`);
      const sent = calls();
      answers = Promise.all(sent);
      const waiting = `select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted
        and database = (select oid from pg_database where datname = current_database())`;
      await expect.poll(() => rows(em, waiting)).toEqual([{ n: sent.length }]);
    });
    return answers;
  }

  test.each<[string, Act, Act]>([
    ['by role', demote, demote],
    ['by key', revoke, revoke],
    ['one by role and one by key', demote, revoke],
  ])('%s', async (_how, first, second) => {
    const database = await testDatabase();
    const app = await startTestApp(database.url);
    const other = await addUser({ name: 'other', role: 'ADMIN' }, app);
    const left = { user: { id: globalId('User:1') } as User, credentials: ADMIN };
    const right = { user: other, credentials: await createKey(other, app) };
    const replies = (await atOnce(database.orm.em, () => [
      as(left.credentials, ...first(right), app),
      as(right.credentials, ...second(left), app),
    ])) as GraphQLReply<unknown>[];
    const refused = replies.filter(({ errors }) => errors !== undefined);
    expect(refused.map(codes)).toEqual([[expect.objectContaining({ code: 'CONFLICT' })]]);
    const stay = replies[0]?.errors === undefined ? left : right;
    expect((await as(stay.credentials, '{ users { edges { cursor } } }', undefined, app)).errors).toBeUndefined();
    await app.stop();
    await database.close();
  });
});
