// Stored secrets: who sets them, what is shown of them, and where their values are not.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storeSecret } from '../../src/credentials/secrets.ts';
import { Vault } from '../../src/credentials/vault.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { textOf } from '../support/contents.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { refusal } from '../support/query.ts';

const VALUE = 'v4lue-"of/the+secret"';

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url);
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

interface Secret {
  name: string;
  allowedHosts: string[];
  createdAt: string;
  updatedAt: string;
  updatedBy: { name: string };
}

const SET = `mutation ($input: SetSecretInput!) {
  setSecret(input: $input) { secret { name allowedHosts createdAt updatedAt updatedBy { name } } }
}`;

function set(input: object) {
  return app.post<{ setSecret: { secret: Secret | null } | null }>(SET, {
    input: { name: 'TOKEN', value: VALUE, allowedHosts: ['example.org'], ...input },
  });
}

async function list(args = 'first: 10'): Promise<Secret[]> {
  const { secrets } = await app.query<{ secrets: { edges: { node: Secret }[] } }>(
    `{ secrets(${args}) { edges { cursor node { name allowedHosts createdAt updatedAt updatedBy { name } } } } }`,
  );
  return secrets.edges.map(({ node }) => node);
}

const remove = (name: string, idempotencyKey?: string) =>
  app.post<{ deleteSecret: { name: string } | null }>(
    'mutation ($input: DeleteSecretInput!) { deleteSecret(input: $input) { name } }',
    { input: { name, idempotencyKey } },
  );

test('a secret is set, listed without its value, replaced and deleted', async () => {
  const { data } = await set({
    allowedHosts: [
      'Example.ORG',
      '*.bücher.example',
      '::1',
      '[::1]',
      '010.0.0.1',
      'HTTP://Example.ORG:80',
      'http://example.org',
      'http://bücher.example:8080',
      'http://[::0001]:81',
    ],
  });
  const secret = data?.setSecret?.secret;
  expect(secret).toMatchObject({
    name: 'TOKEN',
    allowedHosts: [
      'example.org',
      '*.xn--bcher-kva.example',
      '::1',
      '8.0.0.1',
      'http://example.org',
      'http://xn--bcher-kva.example:8080',
      'http://[::1]:81',
    ],
    updatedBy: { name: 'admin' },
  });
  await set({ name: 'ANOTHER' });
  expect((await list()).map(({ name }) => name)).toEqual(['ANOTHER', 'TOKEN']);
  expect((await list('last: 1')).map(({ name }) => name)).toEqual(['TOKEN']);

  const replaced = (await set({ value: 'another value', allowedHosts: ['*.example.org'] })).data?.setSecret?.secret;
  expect(replaced).toMatchObject({ createdAt: secret?.createdAt, allowedHosts: ['*.example.org'] });
  expect(Date.parse(replaced?.updatedAt ?? '')).toBeGreaterThan(Date.parse(secret?.updatedAt ?? ''));

  expect((await remove('TOKEN')).data).toEqual({ deleteSecret: { name: 'TOKEN' } });
  expect((await remove('TOKEN')).errors?.[0]?.extensions).toMatchObject({ code: 'NOT_FOUND', field: 'input.name' });
  expect((await list()).map(({ name }) => name)).toEqual(['ANOTHER']);
});

test('the value is nowhere in the database, not in a digest that could be guessed, and not in the answer', async () => {
  const value = '0000';
  const { data } = await set({ name: 'PIN', value, idempotencyKey: 'a key' });
  expect(JSON.stringify(data)).not.toContain(value);
  await set({ name: 'LONG', value: VALUE });
  const text = await textOf(database.orm);
  expect(text).toContain('PIN');
  for (const form of [VALUE, Buffer.from(VALUE).toString('hex'), Buffer.from(VALUE).toString('base64')]) {
    expect(text).not.toContain(form);
  }
  // What an idempotency key remembers of the call is keyed with the master key.
  const { createHash } = await import('node:crypto');
  const input = { name: 'PIN', value, allowedHosts: ['example.org'], idempotencyKey: 'a key' };
  const guesses = [input, { allowedHosts: input.allowedHosts, idempotencyKey: 'a key', name: 'PIN', value }].map(
    (each) =>
      createHash('sha256')
        .update(JSON.stringify(['setSecret', each]))
        .digest('hex'),
  );
  for (const guess of guesses) expect(text).not.toContain(guess);
});

test('a repeated call under its idempotency key does nothing, and another value under it is a CONFLICT', async () => {
  const input = { name: 'KEYED', idempotencyKey: 'once' };
  const first = await set(input);
  expect(await set(input)).toEqual(first);
  const other = await set({ ...input, value: 'hunter2' });
  expect(other.errors?.[0]?.extensions).toMatchObject({ code: 'CONFLICT', field: 'input.idempotencyKey' });
  expect(JSON.stringify(other)).not.toContain('hunter2');
  expect(await list()).toContainEqual(first.data?.setSecret?.secret);
  expect((await remove('KEYED', 'gone')).data).toEqual({ deleteSecret: { name: 'KEYED' } });
  expect((await remove('KEYED', 'gone')).data).toEqual({ deleteSecret: { name: 'KEYED' } });
  expect((await set(input)).data).toEqual({ setSecret: { secret: null } });
});

test.each<[string, object, string]>([
  ['an empty name', { name: '' }, 'input.name'],
  ['a name with a blank', { name: 'a b' }, 'input.name'],
  ['a name of 101 characters', { name: 'x'.repeat(101) }, 'input.name'],
  ['an empty value', { value: '' }, 'input.value'],
  ['a value with a line break', { value: 'hunter2\nX-Evil: 1' }, 'input.value'],
  ['a value beyond ASCII', { value: 'hünter2' }, 'input.value'],
  ['a value that ends with a blank', { value: 'hunter2 ' }, 'input.value'],
  ['a value of 8193 characters', { value: 'hunter2'.repeat(1_171) }, 'input.value'],
  ['no host', { allowedHosts: [] }, 'input.allowedHosts'],
  ['101 hosts', { allowedHosts: Array.from({ length: 101 }, (_, n) => `h${n}.example`) }, 'input.allowedHosts'],
  ['every host', { allowedHosts: ['*'] }, 'input.allowedHosts.0'],
  ['a host with a port', { allowedHosts: ['example.org', 'example.org:80'] }, 'input.allowedHosts.1'],
  ['a URL as the host', { allowedHosts: ['https://example.org/'] }, 'input.allowedHosts.0'],
  ['a path after plain http', { allowedHosts: ['http://example.org/'] }, 'input.allowedHosts.0'],
  ['every name below a host by plain http', { allowedHosts: ['http://*.example.org'] }, 'input.allowedHosts.0'],
  ['a user before a host of plain http', { allowedHosts: ['http://a@example.org'] }, 'input.allowedHosts.0'],
  ['a port that there is not', { allowedHosts: ['http://example.org:65536'] }, 'input.allowedHosts.0'],
  ['plain http to no host', { allowedHosts: ['http://:80'] }, 'input.allowedHosts.0'],
  ['an empty host', { allowedHosts: [''] }, 'input.allowedHosts.0'],
  ['names below an address', { allowedHosts: ['*.10.0.0.1'] }, 'input.allowedHosts.0'],
])('%s is refused with its field and without the value, and nothing is stored', async (_what, input, field) => {
  const before = await list();
  const { errors } = await set({ name: 'REFUSED', ...input });
  expect(errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field });
  expect(JSON.stringify(errors)).not.toMatch(/hunter2|hünter2/);
  expect(await list()).toEqual(before);
});

test.each(['VIEWER', 'OPERATOR'] as const)('a %s neither sees nor changes them', async (role) => {
  for (const operation of [
    '{ secrets { edges { node { name } } } }',
    'mutation { setSecret(input: {name: "A", value: "b", allowedHosts: ["c"]}) { secret { name } } }',
    'mutation { deleteSecret(input: {name: "ANOTHER"}) { name } }',
  ]) {
    expect(await refusal(database.orm, operation, { role })).toMatchObject({ code: 'FORBIDDEN' });
  }
});

test('a value that was sealed for one name opens under no other, and under no other master key', async () => {
  const vault = new Vault(Buffer.alloc(32, 7));
  const sealed = vault.seal('value', 'secret:A');
  expect(vault.open(sealed, 'secret:A')).toBe('value');
  expect(() => vault.open(sealed, 'secret:B')).toThrow();
  expect(() => vault.open(sealed)).toThrow();
  expect(() => new Vault(Buffer.alloc(32, 8)).open(sealed, 'secret:A')).toThrow();
});

test('of admins who set a secret at once, one is last and its hosts and value belong together', async () => {
  const vault = new Vault(Buffer.alloc(32, 7));
  const adminId = 1;
  await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      database.orm.em
        .fork()
        .transactional((em) =>
          storeSecret(em, vault, { name: 'RACED', value: `value-${n}`, allowedHosts: [`h${n}.example`] }, adminId),
        ),
    ),
  );
  const rows = await database.orm.em
    .getConnection()
    .execute<{ sealed_value: Buffer; allowed_hosts: string[] }[]>(`select * from secret where name = 'RACED'`);
  expect(rows).toHaveLength(1);
  const value = vault.open(rows[0]?.sealed_value as Buffer, 'secret:RACED');
  expect(rows[0]?.allowed_hosts).toEqual([`h${value.replace('value-', '')}.example`]);
});
