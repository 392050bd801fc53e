// Who is let in and who is not any more: disabled users, keys that are replaced, and the record of who changed that.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, basic, overWebSocket, startTestApp, type TestApp } from './support/app.ts';
import { type TestDatabase, testDatabase } from './support/database.ts';
import { overHttp, overLegacy, overSocket, postRaw, signedCall } from './support/doors.ts';
import { rows } from './support/races.ts';

interface Credentials {
  key: string;
  secret: string;
}

interface Entry {
  actor: { name: string } | null;
  apiKey: string | null;
  origin: string;
  action: string;
  target: string;
  change: Record<string, unknown> | null;
}

let database: TestDatabase;
let app: TestApp;
let user: string;
let theirs: Credentials;
let count = 0;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway', TRUST_PROXY: ['loopback'] } });
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

async function createKey(of: string): Promise<Credentials> {
  const { createApiKey } = await app.query<{ createApiKey: { apiKey: { key: string }; secret: string } }>(
    'mutation ($user: ID!) { createApiKey(input: { user: $user }) { apiKey { key } secret } }',
    { user: of },
  );
  return { key: createApiKey.apiKey.key, secret: createApiKey.secret };
}

beforeEach(async () => {
  count += 1;
  const { addUser } = await app.query<{ addUser: { user: { id: string } } }>(
    'mutation ($name: String!) { addUser(input: { name: $name, role: OPERATOR }) { user { id } } }',
    { name: `user ${count}` },
  );
  user = addUser.user.id;
  theirs = await createKey(user);
});

const authorization = ({ key, secret }: Credentials) => basic(key, secret);
const WHO = '{ viewer { name } }';

/** What each door says to the credentials. */
async function letIn(credentials: Credentials) {
  const [http, socket, old] = await Promise.all([
    overHttp<{ viewer: unknown }>(app.address, { query: WHO }, authorization(credentials)).then(({ data }) => !!data),
    overSocket(app.address, { query: WHO }, authorization(credentials)).then(
      () => true,
      () => false,
    ),
    overLegacy(app.address, signedCall('getTasks', credentials)).then(({ status }) => status === 200),
  ]);
  return { http, socket, old };
}

const EVERYWHERE = { http: true, socket: true, old: true };
const NOWHERE = { http: false, socket: false, old: false };

const update = (input: object) =>
  app.post<unknown>('mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { disabledAt role } } }', {
    input,
  });

async function entries(filter: object = {}): Promise<Entry[]> {
  const { auditLog } = await app.query<{ auditLog: { edges: { node: Entry }[] } }>(
    `query ($filter: AuditFilter) {
      auditLog(first: 500, filter: $filter) { edges { node { actor { name } apiKey origin action target change } } }
    }`,
    { filter },
  );
  return auditLog.edges.map(({ node }) => node);
}

describe('a disabled user', () => {
  test('comes in by no door, loses what they have open, and comes in again once they are enabled', async () => {
    expect(await letIn(theirs)).toEqual(EVERYWHERE);
    const open = { ...app, authorization: authorization(theirs) };
    const streams = [await overWebSocket(open), await overWebSocket(open)];
    const openStreams = async () => {
      const { text } = await overMetrics();
      return Number(/^slotkeeper_streams (\d+)$/m.exec(text)?.[1]);
    };
    await expect.poll(openStreams).toBeGreaterThanOrEqual(2);
    expect(await update({ user, disabled: true })).not.toHaveProperty('errors');
    await expect.poll(openStreams).toBe(0);
    expect(await letIn(theirs)).toEqual(NOWHERE);
    await Promise.all(streams.map((stream) => stream.close()));
    const listed = await app.query<{ users: { edges: { node: { id: string; disabledAt: string | null } }[] } }>(
      '{ users(filter: { disabled: true }) { edges { node { id disabledAt } } } }',
    );
    expect(listed.users.edges).toEqual([{ node: { id: user, disabledAt: expect.any(String) } }]);
    await update({ user, disabled: false });
    expect(await letIn(theirs)).toEqual(EVERYWHERE);
  });

  test('is never the last admin with a key, also where two disable each other at once', async () => {
    const self = Buffer.from('User:1').toString('base64');
    expect(await update({ user: self, disabled: true })).toMatchObject({
      errors: [{ extensions: { code: 'CONFLICT', field: 'input.disabled' } }],
    });
    await update({ user, role: 'ADMIN' });
    const by = (credentials: Credentials, target: string) =>
      overHttp(
        app.address,
        {
          query: 'mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }',
          variables: { input: { user: target, disabled: true } },
        },
        authorization(credentials),
      );
    await Promise.all([by(ADMIN, user), by(theirs, self)]);
    const left = await rows<{ id: number }>(
      database.orm.em,
      `select id from app_user where role = 'ADMIN' and disabled_at is null`,
    );
    expect(left).toHaveLength(1);
    await rows(database.orm.em, 'update app_user set disabled_at = null');
    await update({ user, role: 'VIEWER' });
  });
});

const overMetrics = async () => {
  const response = await fetch(`${app.address}/metrics`, { headers: { authorization: app.authorization } });
  return { text: await response.text() };
};

describe('a key that is replaced', () => {
  interface Rotated {
    apiKey: { key: string; revokedAt: string | null } | null;
    formerApiKey: { key: string; revokedAt: string | null } | null;
    secret: string | null;
  }

  const ROTATE = `mutation ($input: RotateApiKeyInput!) {
    rotateApiKey(input: $input) { apiKey { key revokedAt } formerApiKey { key revokedAt } secret }
  }`;
  const post = (input: object) => app.post<{ rotateApiKey: Rotated | null }>(ROTATE, { input });

  async function rotate(input: object): Promise<Rotated> {
    const { data, errors } = await post(input);
    if (!data?.rotateApiKey) throw new Error(JSON.stringify(errors));
    return data.rotateApiKey;
  }

  test('opens beside the new one for as long as is asked, and then not', async () => {
    const { apiKey, formerApiKey, secret } = await rotate({ key: theirs.key, overlapSeconds: 3_600 });
    const next = { key: apiKey?.key ?? '', secret: secret ?? '' };
    expect(await letIn(theirs)).toEqual(EVERYWHERE);
    expect(await letIn(next)).toEqual(EVERYWHERE);
    const left = Date.parse(formerApiKey?.revokedAt ?? '') - Date.now();
    expect(left).toBeGreaterThan(3_500_000);
    expect(left).toBeLessThanOrEqual(3_600_000);
    const keys = async (revoked: boolean) => {
      const { apiKeys } = await app.query<{ apiKeys: { edges: { node: { key: string } }[] } }>(
        'query ($filter: ApiKeyFilter) { apiKeys(filter: $filter) { edges { node { key } } } }',
        { filter: { user, revoked } },
      );
      return apiKeys.edges.map(({ node }) => node.key);
    };
    expect(await keys(false)).toEqual([next.key, theirs.key]);
    await rows(database.orm.em, 'update api_key set revoked_at = now() where key = ?', [theirs.key]);
    expect(await letIn(theirs)).toEqual(NOWHERE);
    expect(await letIn(next)).toEqual(EVERYWHERE);
    expect(await keys(true)).toEqual([theirs.key]);
  });

  test('loses what is open with it when its time is over, which nobody announces', async () => {
    const open = await overWebSocket({ ...app, authorization: authorization(theirs) });
    await rotate({ key: theirs.key, overlapSeconds: 1 });
    const count = async () => Number(/^slotkeeper_streams (\d+)$/m.exec((await overMetrics()).text)?.[1]);
    await expect.poll(count, { timeout: 10_000 }).toBe(0);
    await open.close();
  });

  test('may be replaced again, which makes its end no later; a revoked one may not', async () => {
    await rotate({ key: theirs.key, overlapSeconds: 60 });
    const { formerApiKey } = await rotate({ key: theirs.key, overlapSeconds: 3_600 });
    expect(Date.parse(formerApiKey?.revokedAt ?? '') - Date.now()).toBeLessThanOrEqual(60_000);
    await app.query('mutation ($key: String!) { revokeApiKey(input: { key: $key }) { apiKey { key } } }', {
      key: theirs.key,
    });
    expect(await letIn(theirs)).toEqual(NOWHERE);
    const refused: [object, string, string][] = [
      [{ key: theirs.key }, 'CONFLICT', 'input.key'],
      [{ key: 'none' }, 'NOT_FOUND', 'input.key'],
      [{ key: ADMIN.key, overlapSeconds: -1 }, 'BAD_USER_INPUT', 'input.overlapSeconds'],
      [{ key: ADMIN.key, overlapSeconds: 100_000_000 }, 'BAD_USER_INPUT', 'input.overlapSeconds'],
    ];
    for (const [input, code, field] of refused) {
      expect((await post(input)).errors).toMatchObject([{ extensions: { code, field } }]);
    }
  });

  test('is replaced once for an idempotency key, and the secret is in one answer', async () => {
    const input = { key: theirs.key, idempotencyKey: 'replace once' };
    const answers = await Promise.all([1, 2, 3].map(() => rotate(input)));
    expect(new Set(answers.map(({ apiKey }) => apiKey?.key)).size).toBe(1);
    expect(answers.filter(({ secret }) => secret !== null)).toHaveLength(1);
  });
});

test('when a key was last used is told, though no call waits for that', async () => {
  const own = await testDatabase();
  const first = await startTestApp(own.url, { settings: { ROLE: 'gateway' } });
  await first.query(WHO);
  await first.stop();
  const second = await startTestApp(own.url, { settings: { ROLE: 'gateway' } });
  const { apiKeys } = await second.query<{ apiKeys: { edges: { node: { lastUsedAt: string | null } }[] } }>(
    '{ apiKeys { edges { node { lastUsedAt } } } }',
  );
  const [used] = apiKeys.edges;
  expect(Math.abs(Date.parse(used?.node.lastUsedAt ?? '') - Date.now())).toBeLessThan(60_000);
  await second.stop();
  await own.close();
});

describe('the record of changes', () => {
  test('tells who changed what, from where and with which key, for each mutation of users, keys and secrets', async () => {
    const from = { 'x-forwarded-for': '203.0.113.7', authorization: app.authorization };
    const send = (query: string, input: object) =>
      postRaw(app.address, JSON.stringify({ query, variables: { input } }), from).then(({ text }) => {
        expect(JSON.parse(text)).not.toHaveProperty('errors');
      });
    const name = `recorded ${count}`;
    await send('mutation ($input: AddUserInput!) { addUser(input: $input) { user { id } } }', {
      name,
      role: 'VIEWER',
      legacyId: 7_000 + count,
    });
    const id = Buffer.from(`User:${7_000 + count}`).toString('base64');
    await send('mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }', {
      user: id,
      role: 'ADMIN',
      disabled: true,
    });
    // Nothing of it is changed.
    await send('mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }', { user: id, name });
    await send('mutation ($input: RotateApiKeyInput!) { rotateApiKey(input: $input) { secret } }', { key: theirs.key });
    await send('mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { apiKey { key } } }', {
      key: theirs.key,
    });
    const imported = { key: `old-${count}`, secret: 'planted-secret-1', userLegacyId: 7_000 + count };
    const IMPORT = 'mutation ($input: ImportApiKeyInput!) { importApiKey(input: $input) { apiKey { key } } }';
    await send(IMPORT, imported);
    // It is there already.
    await send(IMPORT, imported);
    await send('mutation ($input: SetSecretInput!) { setSecret(input: $input) { secret { name } } }', {
      name: `SECRET_${count}`,
      value: 'planted-secret-2',
      allowedHosts: ['example.org'],
    });
    await send('mutation ($input: DeleteSecretInput!) { deleteSecret(input: $input) { name } }', {
      name: `SECRET_${count}`,
    });
    await send('mutation ($input: AddDnsServerInput!) { addDnsServer(input: $input) { dnsServer { id } } }', {
      name: `ns${count}.example.org`,
    });
    const told = (await entries()).filter(({ origin }) => origin === '203.0.113.7').reverse();
    expect(told.map(({ action, target, change }) => [action, target, change])).toEqual([
      ['addUser', name, { legacyId: 7_000 + count, role: 'VIEWER' }],
      ['updateUser', name, { role: { from: 'VIEWER', to: 'ADMIN' }, disabled: { from: false, to: true } }],
      ['rotateApiKey', theirs.key, { replacedBy: expect.any(String), overlapSeconds: 86_400 }],
      ['revokeApiKey', theirs.key, null],
      ['importApiKey', `old-${count}`, { userLegacyId: 7_000 + count }],
      ['setSecret', `SECRET_${count}`, { allowedHosts: ['example.org'] }],
      ['deleteSecret', `SECRET_${count}`, null],
      ['addDnsServer', `ns${count}.example.org`, { enabled: true }],
    ]);
    for (const { actor, apiKey } of told)
      expect({ actor, apiKey }).toEqual({ actor: { name: 'admin' }, apiKey: ADMIN.key });
    expect(JSON.stringify(await entries())).not.toContain('planted-secret');
    expect(await entries({ target: name })).toHaveLength(2);
    expect((await entries({ action: 'setSecret' })).map(({ target }) => target)).toContain(`SECRET_${count}`);
    expect(await entries({ actor: user })).toEqual([]);
  });

  test('has no entry of what was refused, and is shown to admins alone', async () => {
    const before = await entries();
    await update({ user, name: 'admin' });
    await app.post('mutation { addUser(input: { name: "", role: VIEWER }) { user { id } } }');
    const forbidden = await overHttp(
      app.address,
      { query: '{ auditLog { edges { node { action } } } }' },
      authorization(theirs),
    );
    expect(forbidden.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    expect(await entries()).toEqual(before);
  });
});
