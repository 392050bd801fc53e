// GraphiQL is served only if GRAPHIQL is on, and its page has a policy of its own.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

const HTML = 'text/html,application/xhtml+xml,*/*;q=0.8';

let database: TestDatabase;
let off: TestApp;
let on: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  [off, on] = await Promise.all([
    startTestApp(database.url),
    startTestApp(database.url, { settings: { GRAPHIQL: 'on', ROLE: 'gateway', INTROSPECTION: 'off' } }),
  ]);
});

afterAll(async () => {
  await Promise.all([off?.stop(), on?.stop()]);
  await database?.close();
});

const get = (app: TestApp, path: string, headers: Record<string, string> = {}) =>
  fetch(`${app.address}${path}`, { headers });

describe('if GraphiQL is off', () => {
  test('its URL is only that of the API', async () => {
    const reply = await get(off, '/graphql', { accept: HTML });
    expect(reply.status).toBe(401);
    expect(reply.headers.get('content-type')).toContain('application/json');
  });
});

describe('if GraphiQL is on', () => {
  test('the page and its files come from this server, without credentials, under a policy of their own', async () => {
    const page = await get(on, '/graphql', { accept: HTML });
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'; worker-src 'self'; /);
    expect(policy).toContain("frame-ancestors 'none'");
    const html = await page.text();
    const files = [...html.matchAll(/(?:href|src)="(\/[^"]+)"/g)].map(([, path]) => path ?? '');
    expect(files).toHaveLength(2);
    expect(html).not.toMatch(/(?:href|src)="(?!\/|data:)/);
    for (const path of files) {
      const file = await get(on, path);
      expect(file.status).toBe(200);
      expect(file.headers.get('cache-control')).toContain('immutable');
      expect(file.headers.get('content-encoding')).not.toBeNull();
      await file.body?.cancel();
    }
  });

  test('no other page has its policy, and programs get data, but only with credentials', async () => {
    const policies = await Promise.all(
      ['/', '/healthz', '/nonsense'].map(async (path) => (await get(on, path)).headers.get('content-security-policy')),
    );
    for (const policy of policies) expect(policy).not.toContain('worker-src');
    const query = `/graphql?query=${encodeURIComponent('{ viewer { name } }')}`;
    expect((await get(on, query)).status).toBe(401);
    const data = await get(on, query, { authorization: on.authorization, accept: 'application/json' });
    expect(await data.json()).toEqual({ data: { viewer: { name: 'admin' } } });
    expect(data.headers.get('content-security-policy')).not.toContain('worker-src');
  });
});
