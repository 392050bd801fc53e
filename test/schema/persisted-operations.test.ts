// A gateway that accepts the operations of a list, and no others.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { print } from 'graphql';
import { RUN_FEED_DOCUMENTS } from 'slotkeeper/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ViewerDocument } from '../../src/dashboard/operations.ts';
import { OperatorError } from '../../src/lib/operator-error.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { overSocket, postRaw } from '../support/doors.ts';

const LISTED = 'query Names($first: Int) { tasks(first: $first) { edges { node { name } } } }';
const EMPTY = { data: { tasks: { edges: [] } } };

let folder: string;
let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-operations-'));
  database = await testDatabase();
  const path = await list('good.json', { names: LISTED, events: 'subscription { runEvents { cursor } }' });
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway', PERSISTED_OPERATIONS: path } });
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

async function list(name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const post = async (body: object) =>
  JSON.parse((await postRaw(app.address, JSON.stringify(body), { authorization: app.authorization })).text) as unknown;
const refused = (code: string) => ({ errors: [expect.objectContaining({ extensions: { code } })] });

test('what is on the list is answered, by its text or by its id, however it is written', async () => {
  expect(await post({ query: LISTED })).toEqual(EMPTY);
  expect(await post({ query: LISTED.replaceAll(' ', '\n  '), variables: { first: 3 } })).toEqual(EMPTY);
  expect(await post({ documentId: 'names' })).toEqual(EMPTY);
  expect(await post({ extensions: { persistedQuery: { version: 1, sha256Hash: 'names' } } })).toEqual(EMPTY);
  const parameters = new URLSearchParams({ extensions: JSON.stringify({ persistedQuery: { sha256Hash: 'names' } }) });
  const got = await fetch(`${app.address}/graphql?${parameters}`, { headers: { authorization: app.authorization } });
  expect(await got.json()).toEqual(EMPTY);
  expect(await overSocket(app.address, { query: LISTED }, app.authorization)).toEqual(EMPTY);
});

test('what is not is refused, however often it is sent, by every transport', async () => {
  const query = '{ viewer { name } }';
  for (let n = 0; n < 6; n += 1) expect(await post({ query })).toEqual(refused('FORBIDDEN'));
  expect(await post({ query: `${LISTED} query Other { viewer { name } }` })).toEqual(refused('FORBIDDEN'));
  expect(await overSocket(app.address, { query }, app.authorization)).toMatchObject(refused('FORBIDDEN'));
  expect(await post({ documentId: 'none' })).toEqual(refused('PERSISTED_QUERY_NOT_FOUND'));
});

test('the dashboard and the old API work all the same', async () => {
  const [, end = ''] = RUN_FEED_DOCUMENTS;
  expect(await post({ query: end })).toMatchObject({ data: { events: { pageInfo: {} } } });
  expect(await post({ query: print(ViewerDocument) })).toMatchObject({ data: { viewer: { name: 'admin' } } });
  expect(JSON.parse(await app.legacy('target=scheduler&action=getTasks'))).toMatchObject({ success: 1 });
});

test.each([
  ['no file', () => Promise.resolve(join(folder, 'absent.json'))],
  ['no JSON', () => list('text.json', 'nothing')],
  ['no object of texts', () => list('numbers.json', { id: 1 })],
  ['a document that is none', () => list('broken.json', { id: 'query {' })],
])('%s ends the start in one sentence that names the setting', async (_kind, make) => {
  const path = await make();
  const start = startTestApp(database.url, { settings: { PERSISTED_OPERATIONS: path } });
  await expect(start).rejects.toThrow(OperatorError);
  await expect(start).rejects.toThrow(/^PERSISTED_OPERATIONS .+ cannot be used: .+\.$/s);
});
