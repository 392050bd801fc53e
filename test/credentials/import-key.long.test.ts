// Keys and secrets that old callers have already, brought along by the mutation and by the command.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { basic, MASTER_KEY, startTestApp, type TestApp } from '../support/app.ts';
import { slotkeeper } from '../support/command-line.ts';
import { EMPTY, type TestDatabase, testDatabase } from '../support/database.ts';
import { overHttp, overLegacy, signedCall } from '../support/doors.ts';
import { rows } from '../support/races.ts';

/** The example of the old documentation. */
const OLD = { key: '32-5DAYTJQY2TZHOFOB', secret: '48b278ec873bda4738923dbc467f8669' };

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

const IMPORT = `mutation ($input: ImportApiKeyInput!) {
  importApiKey(input: $input) { apiKey { key user { legacyId name role } } }
}`;

interface Imported {
  importApiKey: { apiKey: { key: string; user: { legacyId: number; name: string; role: string } } } | null;
}

const importKey = (input: object) => app.post<Imported>(IMPORT, { input });
const getTasks = (credentials: { key: string; secret: string }) =>
  overLegacy(app.address, signedCall('getTasks', credentials));

async function command(args: string[], input: string, url = database.url) {
  const settings = { DATABASE_URL: url, MASTER_KEY: MASTER_KEY.toString('hex') };
  const { code, out, errors } = await slotkeeper(['import-key', ...args], { settings, input });
  return { code, output: out + errors };
}

describe('importApiKey', () => {
  test('lets an old caller in under the old id and name, and is the same when done again', async () => {
    expect((await getTasks(OLD)).status).toBe(401);
    const input = { ...OLD, userLegacyId: 31, userName: 'usernamehere' };
    for (let time = 0; time < 2; time += 1) {
      const { data } = await importKey(input);
      expect(data?.importApiKey?.apiKey).toEqual({
        key: OLD.key,
        user: { legacyId: 31, name: 'usernamehere', role: 'OPERATOR' },
      });
    }
    expect((await getTasks(OLD)).text).toBe('{"success":1,"data":[]}');
    const stored = await rows<{ sealed: string }>(
      database.orm.em,
      `select encode(sealed_secret, 'escape') as sealed from api_key`,
    );
    for (const { sealed } of stored) expect(sealed).not.toContain(OLD.secret);
  });

  test('gives a user another key, and the next new user a higher id', async () => {
    const second = { key: 'second-key', secret: 'second-secret' };
    const { data } = await importKey({ ...second, userLegacyId: 31 });
    expect(data?.importApiKey?.apiKey.user).toMatchObject({ legacyId: 31, name: 'usernamehere' });
    expect((await getTasks(second)).status).toBe(200);
    expect(await rows(database.orm.em, `select nextval(pg_get_serial_sequence('app_user', 'id'))::int as id`)).toEqual([
      { id: 32 },
    ]);
  });

  test.each([
    ['a key with another secret', { key: OLD.key, secret: 'x', userLegacyId: 31 }, 'CONFLICT', 'input.key'],
    ['the key of another user', { ...OLD, userLegacyId: 1 }, 'CONFLICT', 'input.key'],
    [
      'another name for an id',
      { key: 'k', secret: 's', userLegacyId: 31, userName: 'else' },
      'CONFLICT',
      'input.userName',
    ],
    [
      'another id for a name',
      { key: 'k', secret: 's', userLegacyId: 40, userName: 'admin' },
      'CONFLICT',
      'input.userName',
    ],
    ['an unknown user without a name', { key: 'k', secret: 's', userLegacyId: 40 }, 'BAD_USER_INPUT', 'input.userName'],
    ['an id that is none', { key: 'k', secret: 's', userLegacyId: 0 }, 'BAD_USER_INPUT', 'input.userLegacyId'],
    ['an empty key', { key: '', secret: 's', userLegacyId: 31 }, 'BAD_USER_INPUT', 'input.key'],
    ['a secret with a blank', { key: 'k', secret: 'a b', userLegacyId: 31 }, 'BAD_USER_INPUT', 'input.secret'],
  ])('refuses %s, and stores nothing', async (_what, input, code, field) => {
    const before = await contents();
    const { errors } = await importKey(input);
    expect(errors).toMatchObject([{ extensions: { code, field } }]);
    expect(errors?.[0]?.message).not.toContain(OLD.secret);
    expect(await contents()).toEqual(before);
  });

  test('is closed to all but admins', async () => {
    const input = { key: 'mine', secret: 'mine', userLegacyId: 31 };
    const { errors } = await overHttp(app.address, { query: IMPORT, variables: { input } }, basic(OLD.key, OLD.secret));
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    const callers = await overHttp(app.address, { query: '{ legacyCallers { action } }' }, basic(OLD.key, OLD.secret));
    expect(callers.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  });

  test('makes one user of four calls at the same instant that name the same one', async () => {
    const inputs = [1, 2, 3, 4].map((n) => ({
      key: `key-${n}`,
      secret: `secret-${n}`,
      userLegacyId: 77,
      userName: 'many',
    }));
    for (const { errors } of await Promise.all(inputs.map(importKey))) expect(errors).toBeUndefined();
    expect(await rows(database.orm.em, 'select count(*)::int as n from api_key where user_id = 77')).toEqual([
      { n: 4 },
    ]);
  });
});

const contents = () =>
  rows(database.orm.em, 'select (select count(*) from app_user) as users, (select count(*) from api_key) as keys');

describe('npm run import-key', () => {
  test('takes the secret from standard input, and the key works at once', async () => {
    const credentials = { key: 'by-command', secret: 's3cret/+=' };
    const args = ['--key', credentials.key, '--user-id', '50', '--user-name', 'old caller', '--role', 'VIEWER'];
    const { code, output } = await command(args, `${credentials.secret}\n`);
    expect({ code, output }).toEqual({ code: 0, output: 'Stored the key by-command of user 50.\n' });
    expect((await getTasks(credentials)).status).toBe(200);
    const again = await command([...args, '--json'], credentials.secret);
    expect(again.code).toBe(0);
    expect(JSON.parse(again.output)).toEqual({ key: credentials.key, userId: 50, isNew: false });
  });

  test.each([
    ['no secret', ['--key', 'k', '--user-id', '50'], '', 2, /^Give the secret on standard input\. /],
    ['no key', ['--user-id', '50'], 's', 2, /^Required option '--key <key>' not specified\. /],
    [
      'an id that is none',
      ['--key', 'k', '--user-id', '0'],
      's',
      2,
      /'0' is invalid\. It must be .+ 1 to 2147483647\. /,
    ],
    [
      'an unknown role',
      ['--key', 'k', '--user-id', '50', '--role', 'KING'],
      's',
      2,
      /'KING' is invalid\. .+ OPERATOR, /,
    ],
    [
      'an unknown user',
      ['--key', 'k', '--user-id', '999'],
      's',
      1,
      /^userName: is required, since user 999 does not exist yet/,
    ],
    ['a secret as an argument', ['--key', 'k', '--user-id', '5', '--secret', 'x'], 's', 2, /Unknown option '--secret'/],
  ])('says in one sentence what is wrong with %s', async (_what, args, secret, expected, message) => {
    const { code, output } = await command(args, secret);
    expect(code).toBe(expected);
    expect(output).toMatch(message);
    expect(output.trim().split('\n')).toHaveLength(1);
  });

  test('wants an admin to be there first, who would else never be made', async () => {
    const fresh = await testDatabase(EMPTY);
    try {
      const { code, output } = await command(['--key', 'k', '--user-id', '31', '--user-name', 'n'], 's', fresh.url);
      expect({ code, output }).toEqual({
        code: 1,
        output: expect.stringMatching(/^There is no admin yet: start .+\n$/),
      });
    } finally {
      await fresh.close();
    }
  });
});
