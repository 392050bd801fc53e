// Who is let in and who is not any more: disabled users, keys that are replaced, and the record of who changed that.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, basic, overWebSocket, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { overHttp, overLegacy, overSocket, postRaw, signedCall } from '../support/doors.ts';
import { rows } from '../support/races.ts';
import { metric, overWebSocketStream } from '../support/streams.ts';

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

  test('loses its open streams when it expires, without a notification', async () => {
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

test('the last use of a key is reported, and no call waits for it', async () => {
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
  test('shows who changed what, from where and with which key, for each mutation of users, keys and secrets', async () => {
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

  test('shows which operator changed zones, records and address blocks, and from where', async () => {
    const from = { 'x-forwarded-for': '203.0.113.9', authorization: authorization(theirs) };
    const send = async (name: string, type: string, input: object, selection: string) => {
      const query = `mutation ($input: ${type}!) { ${name}(input: $input) { ${selection} } }`;
      const { text } = await postRaw(app.address, JSON.stringify({ query, variables: { input } }), from);
      expect(JSON.parse(text)).not.toHaveProperty('errors');
      return JSON.parse(text).data[name];
    };
    const zone = { name: `zone${count}.example` };
    const soa = { primaryServer: 'ns1.example.org', contact: 'a@example.org', refresh: 60 };
    await send('addDnsZone', 'AddDnsZoneInput', { ...zone, soa }, 'dnsZone { id }');
    const records = [
      { name: 'www', type: 'A', value: '192.0.2.1', ttl: 60 },
      { name: '@', type: 'TXT', value: 'x'.repeat(1_000) },
    ];
    const added = await send('addDnsRecords', 'AddDnsRecordsInput', { zone, records }, 'dnsRecords { id }');
    const [{ id }, text] = added.dnsRecords;
    await send('updateDnsRecord', 'UpdateDnsRecordInput', { id, value: '192.0.2.66' }, 'dnsRecord { id }');
    await send('deleteDnsRecord', 'DeleteDnsRecordInput', { id: text.id }, 'deletedId');
    await send('updateDnsZone', 'UpdateDnsZoneInput', { zone, soa: { refresh: 61 }, serial: 7 }, 'dnsZone { id }');
    await send('deleteDnsZone', 'DeleteDnsZoneInput', { zone }, 'deletedId');
    const pool = `pool ${count}`;
    const cidrs = ['10.1.0.0/24', '2001:db8:0:0::/64'];
    const blocks = await send('addIpBlocks', 'AddIpBlocksInput', { pool, cidrs }, 'ipBlocks { id }');
    const block = { id: blocks.ipBlocks[0].id };
    await send('assignIpBlock', 'AssignIpBlockInput', { ...block, assignee: 'a customer' }, 'ipBlock { id }');
    await send('unassignIpBlock', 'UnassignIpBlockInput', block, 'ipBlock { id }');

    const told = (await entries()).filter(({ origin }) => origin === '203.0.113.9').reverse();
    const www = { name: `www.${zone.name}`, type: 'A', ttl: 60, value: '192.0.2.1' };
    const long = { name: zone.name, type: 'TXT', ttl: null, value: expect.stringMatching(/^"x+" "x+…$/) };
    const fields = { ...soa, retry: 3_600, expire: 1_209_600, minimum: 300, defaultTtl: 3_600 };
    expect(told.map(({ action, target, change }) => [action, target, change])).toEqual([
      ['addDnsZone', zone.name, fields],
      ['addDnsRecords', zone.name, www],
      ['addDnsRecords', zone.name, long],
      ['updateDnsRecord', zone.name, { from: www, to: { ...www, value: '192.0.2.66' } }],
      ['deleteDnsRecord', zone.name, long],
      ['updateDnsZone', zone.name, { refresh: { from: 60, to: 61 }, serial: { from: null, to: 7 } }],
      ['deleteDnsZone', zone.name, { records: 1 }],
      ['addIpBlocks', '10.1.0.0/24', { pool }],
      ['addIpBlocks', '2001:db8::/64', { pool }],
      [
        'assignIpBlock',
        '10.1.0.0/24',
        { pool, state: { from: 'AVAILABLE', to: 'ASSIGNED' }, assignee: { from: null, to: 'a customer' } },
      ],
      [
        'unassignIpBlock',
        '10.1.0.0/24',
        { pool, state: { from: 'ASSIGNED', to: 'HOLDING' }, assignee: { from: 'a customer', to: null } },
      ],
    ]);
    const who = { actor: { name: `user ${count}` }, apiKey: theirs.key };
    for (const { actor, apiKey } of told) expect({ actor, apiKey }).toEqual(who);
    expect(await entries({ target: zone.name })).toHaveLength(7);
  });

  test('has nothing of a change of records or blocks that was refused or that broke', async () => {
    const zone = { name: `refused${count}.example` };
    await app.query('mutation ($input: AddDnsZoneInput!) { addDnsZone(input: $input) { dnsZone { id } } }', {
      input: { ...zone, soa: { primaryServer: 'ns1.example.org', contact: 'a@example.org' } },
    });
    await app.query('mutation { addIpBlocks(input: { pool: "taken", cidrs: ["10.9.0.0/24"] }) { ipBlocks { id } } }');
    const before = await entries();
    const refused = async (query: string, variables: object = {}) =>
      expect(await app.post(query, { ...variables })).toMatchObject({ errors: [{}] });
    const records = [
      { name: 'a', type: 'CNAME', value: 'b' },
      { name: 'a', type: 'A', value: '192.0.2.1' },
    ];
    const add = 'mutation ($input: AddDnsRecordsInput!) { addDnsRecords(input: $input) { dnsZone { id } } }';
    await refused(add, { input: { zone, records } });
    await refused(add, { input: { zone, records: records.slice(0, 1), expectedVersion: 99 } });
    await refused('mutation { addIpBlocks(input: { pool: "taken", cidrs: ["10.9.0.0/25"] }) { ipBlocks { id } } }');
    const block = Buffer.from('IpBlock:1').toString('base64');
    await refused(`mutation { unassignIpBlock(input: { id: "${block}" }) { ipBlock { id } } }`);
    // Where the entry cannot be written, nothing is changed.
    await rows(database.orm.em, 'alter table audit_entry add constraint broken check (false) not valid');
    try {
      await refused(add, { input: { zone, records: records.slice(0, 1) } });
      await refused(`mutation { assignIpBlock(input: { id: "${block}", assignee: "x" }) { ipBlock { id } } }`);
    } finally {
      await rows(database.orm.em, 'alter table audit_entry drop constraint broken');
    }
    expect(await entries()).toEqual(before);
    expect(await rows(database.orm.em, 'select 1 from dns_record')).toEqual([]);
    expect(await rows(database.orm.em, "select 1 from ip_block where assignee = 'x'")).toEqual([]);
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

describe.each(['VIEWER', 'OPERATOR'])('to a %s', (role) => {
  beforeEach(async () => {
    await update({ user, role });
  });

  const ask = <Data>(query: string, variables: Record<string, unknown> = {}) =>
    overHttp<Data>(app.address, { query, variables }, authorization(theirs));
  const admin = Buffer.from('User:1').toString('base64');

  test('other users are only names of owners, and nothing else of them is shown', async () => {
    await app.query(
      `mutation { addTask(input: { name: "of the admin", className: "\\\\scheduler\\\\Tasks\\\\BackupTask" }) { task { id } } }`,
    );
    const owned = await ask('{ tasks(first: 1) { edges { node { owner { id legacyId name } } } } }');
    expect(owned).toMatchObject({
      data: { tasks: { edges: [{ node: { owner: { id: admin, legacyId: 1, name: 'admin' } } }] } },
    });
    for (const field of ['role', 'disabledAt']) {
      const { data, errors } = await ask<unknown>(`{ tasks(first: 1) { edges { node { owner { ${field} } } } } }`);
      expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
      expect(JSON.stringify(data)).not.toContain('ADMIN');
    }
  });

  test('a stream shows only what its viewer may see, also when others subscribe to the same', async () => {
    await update({ user, role: 'OPERATOR' });
    const name = `streamed ${count} ${role}`;
    const added = await ask<{ addTask: { task: { id: string } } }>(
      `mutation ($name: String!) { addTask(input: { name: $name, className: "\\\\scheduler\\\\Tasks\\\\BackupTask" }) { task { id } } }`,
      { name },
    );
    await update({ user, role });
    const other = await app.query<{ addUser: { user: { id: string } } }>(
      'mutation ($name: String!, $role: Role!) { addUser(input: { name: $name, role: $role }) { user { id } } }',
      { name: `beside ${count}`, role },
    );
    const query = 'subscription { runEvents { cursor task { name owner { role } } } }';
    const theirStreams = [theirs, await createKey(other.addUser.user.id)].map((credentials) =>
      overWebSocketStream({ ...app, authorization: authorization(credentials) }, { query }),
    );
    const [own, beside] = await Promise.all(theirStreams);
    await expect.poll(() => metric(app, 'slotkeeper_live_subscribers')).toBe(2);
    await app.query('mutation ($id: ID!) { executeTask(input: { task: { id: $id } }) { run { id } } }', {
      id: added.data?.addTask.task.id,
    });
    await expect.poll(() => [own?.received.length, beside?.received.length]).toEqual([1, 1]);
    expect(own?.received).toMatchObject([{ data: { runEvents: { task: { name, owner: { role } } } } }]);
    expect(beside?.received).toMatchObject([{ errors: [{ extensions: { code: 'FORBIDDEN' } }] }]);
    await Promise.all([own?.close(), beside?.close()]);
  });

  test('node and nodes have no user but themselves', async () => {
    const QUERY =
      'query ($ids: [ID!]!, $id: ID!) { nodes(ids: $ids) { id ... on User { name role disabledAt } } node(id: $id) { id } }';
    const own = { id: user, name: `user ${count}`, role, disabledAt: null };
    expect(await ask(QUERY, { ids: [admin, user, admin], id: admin })).toEqual({
      data: { nodes: [null, own, null], node: null },
    });
    expect(await ask('{ viewer { name role disabledAt } }')).toEqual({
      data: { viewer: { name: `user ${count}`, role, disabledAt: null } },
    });
    expect(await app.query(QUERY, { ids: [admin, user], id: user })).toMatchObject({
      nodes: [{ role: 'ADMIN' }, { role }],
      node: { id: user },
    });
  });
});
