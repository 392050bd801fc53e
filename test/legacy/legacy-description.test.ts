// What the old API says of itself, to machines and to people.
import { readdir, readFile } from 'node:fs/promises';
import { Validator } from '@seriousme/openapi-schema-validator';
import { parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ACTIONS } from '../../src/legacy/actions.ts';
import { signedQuery } from '../../src/legacy/signature.ts';
import { schema } from '../../src/schema/index.ts';
import { ADMIN, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { get as getFrom } from '../support/doors.ts';

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

const get = (url: string) => getFrom(url, { authorization: app.authorization });

test('the adapter knows no entity and no database: all that it does, it does through the schema', async () => {
  const folder = new URL('../../src/legacy/', import.meta.url);
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts'));
  const imports: string[] = [];
  // But for what the old API keeps for itself.
  for (const file of files.filter((name) => !name.startsWith('storage'))) {
    const text = await readFile(new URL(file, folder), 'utf8');
    imports.push(...[...text.matchAll(/from '([^']+)'/g)].map(([, name]) => name ?? ''));
  }
  expect(imports.length).toBeGreaterThan(20);
  expect(imports.filter((name) => /entities|database|kysely|mikro-orm|^pg|\/http\//.test(name))).toEqual([]);
});

test.each(ACTIONS)('the document of $name is valid in the schema', ({ document }) => {
  expect(validate(schema, parse(document))).toEqual([]);
});

describe('/api/v1/openapi.json', () => {
  test('is a valid OpenAPI 3.1 description', async () => {
    const { status, headers, text } = await get(`${app.address}/api/v1/openapi.json`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    const validator = new Validator();
    const result = await validator.validate(JSON.parse(text));
    expect(result).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  test('describes each action, its methods and its parameters', async () => {
    const { text } = await get(`${app.address}/api/v1/openapi.json`);
    const { paths, components } = JSON.parse(text);
    const operations = paths['/api/v1/api.php'];
    for (const { name, methods, parameters } of ACTIONS) {
      const call = components.schemas[`${name[0]?.toUpperCase()}${name.slice(1)}Call`];
      for (const parameter of parameters) expect(call.properties).toHaveProperty(parameter.name);
      for (const [method, operation] of Object.entries<{ parameters: { name: string; schema: { enum: string[] } }[] }>(
        operations,
      )) {
        const action = operation.parameters.find((parameter) => parameter.name === 'action');
        expect(action?.schema.enum.includes(name)).toBe(methods.includes(method.toUpperCase()));
      }
    }
  });
});

test.each(['/api/v1/', '/api/v1/openapi.json'])(
  '%s is open to a signed address, as a browser asks, and to nobody else',
  async (path) => {
    const signed = signedQuery('target=docs', ADMIN.key, ADMIN.secret);
    expect((await getFrom(`${app.address}${path}?${signed}`)).status).toBe(200);
    expect((await getFrom(`${app.address}${path}?${signed.replace('hash=', 'hash=x')}`)).status).toBe(401);
    expect((await getFrom(`${app.address}${path}`)).status).toBe(401);
  },
);

test('/api/v1/ is a self-contained page that describes every action and parameter', async () => {
  const { status, headers, text } = await get(`${app.address}/api/v1/`);
  expect(status).toBe(200);
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
  for (const { name, parameters } of ACTIONS) {
    expect(text).toContain(`<section id="${name}">`);
    for (const parameter of parameters) expect(text).toContain(`<td>${parameter.name}</td>`);
  }
  expect(text).not.toMatch(/<script|\bsrc=|https?:/);
  for (const [, link] of text.matchAll(/href="([^"]+)"/g)) expect(link).toMatch(/^#/);
});
