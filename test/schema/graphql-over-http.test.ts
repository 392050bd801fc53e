// The GraphQL-over-HTTP specification, by the audit of those who wrote it.
import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

/** What we do otherwise, and why. */
const OTHERWISE: Record<string, string> = {};

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

const audits = serverAudits({
  url: () => `${app.address}/graphql`,
  fetchFn: (url: string, init: RequestInit = {}) =>
    fetch(url, { ...init, headers: { ...(init.headers as Record<string, string>), authorization: app.authorization } }),
});

test.each(audits.map(({ id, name, fn }) => ({ id, name, fn })))('$id: $name', async ({ id, name, fn }) => {
  const { status, ...result } = await fn();
  const reason = 'reason' in result ? result.reason : '';
  if (name.startsWith('MUST')) expect({ status, reason }).toEqual({ status: 'ok', reason: '' });
  else expect({ id, kept: status === 'ok' || id in OTHERWISE, reason }).toEqual({ id, kept: true, reason });
});
