// Callers that guess credentials are throttled, and no others.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Vault } from '../../src/credentials/vault.ts';
import { ADMIN, basic, MASTER_KEY, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Answer, get, overLegacy, overSocket, postRaw, signedCall } from '../support/doors.ts';
import { rows } from '../support/races.ts';

const WHO = JSON.stringify({ query: '{ viewer { name } }' });
const A_MINUTE = 30;
const OTHER = { key: 'other-key', secret: 'other-secret' };

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  await (await startTestApp(database.url, { settings: { ROLE: 'gateway' } })).stop();
  await rows(database.orm.em, 'insert into api_key (key, sealed_secret, user_id) values (?, ?, 1)', [
    OTHER.key,
    new Vault(MASTER_KEY).seal(OTHER.secret),
  ]);
});

afterAll(async () => {
  await database?.close();
});

/** Behind a proxy on this machine, which forwards the client's address. */
beforeEach(async () => {
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway', TRUST_PROXY: ['loopback'] } });
  return () => app.stop();
});

const from = (address: string, { key, secret }: { key: string; secret: string }) => ({
  'x-forwarded-for': address,
  authorization: basic(key, secret),
});

const ask = (headers: Record<string, string>) => postRaw(app.address, WHO, headers);

async function guess(times: number, address: string, key = 'guessed'): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let n = 0; n < times; n += 1) answers.push(await ask(from(address, { key, secret: `guess ${n}` })));
  return answers;
}

const statuses = (answers: readonly Answer[]) => answers.map(({ status }) => status);

describe('an address that sent too many wrong credentials', () => {
  test('gets 429 with the seconds to wait, whatever it sends', async () => {
    expect(new Set(statuses(await guess(A_MINUTE, '203.0.113.1')))).toEqual(new Set([401]));
    const { status, headers, text } = await ask(from('203.0.113.1', ADMIN));
    expect(status).toBe(429);
    const wait = Number(headers.get('retry-after'));
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(60);
    expect(JSON.parse(text)).toEqual({
      errors: [
        {
          message: expect.stringMatching(/^Too many calls with wrong credentials; try again in \d+ seconds\.$/),
          extensions: { code: 'TOO_MANY_REQUESTS' },
        },
      ],
    });
    expect(headers.get('www-authenticate')).toBeNull();
    const metrics = await get(`${app.address}/metrics`, from('203.0.113.1', ADMIN));
    expect([metrics.status, metrics.headers.get('retry-after')]).toEqual([429, expect.stringMatching(/^\d+$/)]);
  });

  test('gets the old 401 from the old API, with the seconds to wait, unless its signature is valid', async () => {
    await guess(A_MINUTE, '203.0.113.1', ADMIN.key);
    const headers = { 'x-forwarded-for': '203.0.113.1' };
    const call = (secret: string) =>
      overLegacy(app.address, signedCall('target=scheduler&action=getTasks', { key: ADMIN.key, secret }), { headers });
    const old = await call('wrong');
    expect(old.status).toBe(401);
    expect(Number(old.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(old.reply).toMatchObject({ success: 0, message: expect.stringContaining('Too many calls') });
    expect((await call(ADMIN.secret)).reply).toMatchObject({ success: 1 });
  });

  test('is counted for old calls and sockets as well', async () => {
    const wrong = { key: 'guessed', secret: 'wrong' };
    // Directly from this machine, which the server takes for a proxy that forwards no address.
    for (let n = 0; n < A_MINUTE / 2; n += 1) {
      await overLegacy(app.address, signedCall('getTasks', wrong));
      await overSocket(app.address, { query: '{ viewer { name } }' }, basic(wrong.key, wrong.secret)).catch(() => null);
    }
    expect((await ask({ authorization: basic(ADMIN.key, ADMIN.secret) })).status).toBe(429);
    await expect(
      overSocket(app.address, { query: '{ viewer { name } }' }, basic(ADMIN.key, ADMIN.secret)),
    ).rejects.toMatchObject({ code: 4403 });
  });

  test('does not affect other addresses', async () => {
    await guess(A_MINUTE + 5, '203.0.113.1');
    expect((await ask(from('203.0.113.2', ADMIN))).status).toBe(200);
    expect((await ask(from('2001:db8::1', ADMIN))).status).toBe(200);
  });

  test('is the /64 network for IPv6', async () => {
    await guess(A_MINUTE, '2001:db8:1:1::1');
    expect((await ask(from('2001:db8:1:1::2', ADMIN))).status).toBe(429);
    expect((await ask(from('2001:db8:1:2::1', ADMIN))).status).toBe(200);
  });

  test('does not affect keys that were accepted from it before', async () => {
    expect((await ask(from('203.0.113.1', ADMIN))).status).toBe(200);
    await guess(A_MINUTE + 5, '203.0.113.1');
    expect((await ask(from('203.0.113.1', OTHER))).status).toBe(429);
    expect((await ask(from('203.0.113.1', ADMIN))).status).toBe(200);
  });
});

describe('a key that was sent with too many wrong secrets', () => {
  const guessFromEverywhere = async (key: string) => {
    for (let n = 0; n < A_MINUTE; n += 1) await guess(1, `203.0.113.${n}`, key);
  };

  test('is refused from addresses where it was never accepted', async () => {
    await guessFromEverywhere(ADMIN.key);
    expect((await ask(from('198.51.100.1', ADMIN))).status).toBe(429);
    expect((await ask(from('198.51.100.1', OTHER))).status).toBe(200);
  });

  test('is accepted where it was accepted before: its owner is not locked out', async () => {
    expect((await ask(from('198.51.100.1', ADMIN))).status).toBe(200);
    await guessFromEverywhere(ADMIN.key);
    expect((await ask(from('198.51.100.1', ADMIN))).status).toBe(200);
  });

  test('is refused there, too, after too many wrong secrets from there', async () => {
    expect((await ask(from('198.51.100.1', ADMIN))).status).toBe(200);
    expect(new Set(statuses(await guess(A_MINUTE, '198.51.100.1', ADMIN.key)))).toEqual(new Set([401]));
    expect((await ask(from('198.51.100.1', ADMIN))).status).toBe(429);
  });
});

test('a forwarded address counts only from a trusted proxy', async () => {
  const open = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  const askOpen = (address: string, credentials: typeof ADMIN) =>
    postRaw(open.address, WHO, from(address, credentials));
  for (let n = 0; n < A_MINUTE; n += 1) await askOpen(`203.0.113.${n}`, { key: `guessed ${n}`, secret: 'wrong' });
  expect((await askOpen('198.51.100.1', ADMIN)).status).toBe(429);
  await open.stop();
});
