// Each role against each operation, at each door.
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ACTIONS } from '../../src/legacy/actions.ts';
import { schema } from '../../src/schema/index.ts';
import { ADMIN, basic, startTestApp, type TestApp } from '../support/app.ts';
import { contentsOf } from '../support/contents.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { overEventSource, overHttp, overLegacy, overSocket, signedCall } from '../support/doors.ts';

/** What is not listed is open to everybody who is let in. */
const FOR_ADMINS = [
  'users',
  'apiKeys',
  'auditLog',
  'legacyCallers',
  'secrets',
  'addUser',
  'updateUser',
  'createApiKey',
  'rotateApiKey',
  'importApiKey',
  'revokeApiKey',
  'setSecret',
  'deleteSecret',
  'resumeInstallation',
  'addDnsServer',
  'updateDnsServer',
  'deleteDnsServer',
];
/** Mutations that are not for admins alone are for operators. */
const ROLES = ['VIEWER', 'OPERATOR', 'ADMIN'] as const;
type Role = (typeof ROLES)[number];

let database: TestDatabase;
let app: TestApp;
const keys = new Map<Role, { key: string; secret: string }>();

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  keys.set('ADMIN', ADMIN);
  for (const role of ['VIEWER', 'OPERATOR'] as const) {
    const { addUser } = await app.query<{ addUser: { user: { id: string } } }>(
      'mutation ($input: AddUserInput!) { addUser(input: $input) { user { id } } }',
      { input: { name: role.toLowerCase(), role } },
    );
    const { createApiKey } = await app.query<{ createApiKey: { apiKey: { key: string }; secret: string } }>(
      'mutation ($user: ID!) { createApiKey(input: { user: $user }) { apiKey { key } secret } }',
      { user: addUser.user.id },
    );
    keys.set(role, { key: createApiKey.apiKey.key, secret: createApiKey.secret });
  }
  // Task 1 is the admin's.
  await app.query(
    'mutation { addTask(input: { name: "of the admin", className: "\\\\scheduler\\\\Tasks\\\\BackupTask" }) { task { id } } }',
  );
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

const SCALARS: Record<string, unknown> = {
  Boolean: true,
  Cidr: '10.0.0.0/24',
  Date: '2026-05-06',
  DateTime: '2026-05-06T20:00:00Z',
  DnsSerial: 1,
  Float: 1,
  ID: 'x',
  Int: 1,
  JSON: {},
  String: 'x',
};

/** Something of the type that is not refused before it is looked at. */
function sampleOf(type: GraphQLInputType): unknown {
  if (isNonNullType(type)) return sampleOf(type.ofType);
  if (isListType(type)) return [sampleOf(type.ofType)];
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (!isInputObjectType(type)) return SCALARS[type.name];
  const fields = Object.values(type.getFields());
  const [first] = fields;
  const chosen = type.isOneOf && first !== undefined ? [first] : fields.filter(isRequiredInputField);
  return Object.fromEntries(chosen.map((field) => [field.name, sampleOf(field.type)]));
}

function operationFor(kind: string, field: GraphQLField<unknown, unknown>) {
  const required = field.args.filter(
    (argument: GraphQLArgument) => isRequiredArgument(argument) || argument.name === 'input',
  );
  const declared = required.map(({ name, type }) => `$${name}: ${String(type)}`).join(', ');
  const given = required.map(({ name }) => `${name}: $${name}`).join(', ');
  const selection = isLeafType(getNamedType(field.type)) ? '' : ' { __typename }';
  const variables = Object.fromEntries(required.map(({ name, type }) => [name, sampleOf(type)]));
  const list = (text: string) => (text === '' ? '' : `(${text})`);
  return { query: `${kind} ${list(declared)} { ${field.name}${list(given)}${selection} }`, variables };
}

function fieldsOf(type: GraphQLObjectType | null | undefined): GraphQLField<unknown, unknown>[] {
  return Object.values(type?.getFields() ?? {});
}

const OPERATIONS = [
  ...fieldsOf(schema.getQueryType()).map((field) => ({ kind: 'query', field })),
  ...fieldsOf(schema.getMutationType()).map((field) => ({ kind: 'mutation', field })),
  ...fieldsOf(schema.getSubscriptionType()).map((field) => ({ kind: 'subscription', field })),
];

function isOpen(role: Role, kind: string, name: string): boolean {
  if (FOR_ADMINS.includes(name)) return role === 'ADMIN';
  return kind !== 'mutation' || role !== 'VIEWER';
}

test('every operation that is for admins alone is one of the schema', () => {
  const names = OPERATIONS.map(({ field }) => field.name);
  expect(FOR_ADMINS.filter((name) => !names.includes(name))).toEqual([]);
  expect(OPERATIONS.length).toBeGreaterThan(50);
});

const codesOf = (reply: { errors?: { extensions?: { code?: string } }[] }) =>
  (reply.errors ?? []).map(({ extensions }) => extensions?.code);

describe.each(ROLES)('for a %s', (role) => {
  const authorization = () => {
    const { key, secret } = keys.get(role) ?? { key: '', secret: '' };
    return basic(key, secret);
  };

  test.each(OPERATIONS.map(({ kind, field }) => [kind, field.name, field] as const))(
    '%s %s',
    async (kind, name, field) => {
      const operation = operationFor(kind, field);
      const expected = isOpen(role, kind, name) ? expect.not.arrayContaining(['FORBIDDEN']) : ['FORBIDDEN'];
      if (kind === 'subscription') {
        // Open streams do not end; both are open to all that are let in.
        expect(isOpen(role, kind, name)).toBe(true);
        return;
      }
      const before = isOpen(role, kind, name) ? null : await contentsOf(database.orm);
      expect(codesOf(await overHttp(app.address, operation, authorization()))).toEqual(expected);
      expect(codesOf(await overSocket(app.address, operation, authorization()))).toEqual(expected);
      if (before !== null) expect(await contentsOf(database.orm)).toEqual(before);
    },
  );

  test.each(ACTIONS.filter(({ changes }) => changes).map(({ name }) => name))(
    "the old %s of what is another user's, or at all for a viewer",
    async (action) => {
      if (role === 'ADMIN') return;
      const parameters =
        '&taskId=1&id=1&user_id=1&name=theirs&class_name=%5Cscheduler%5CTasks%5CBackupTask&active=1&repeat_items[0][repeat_hour]=1';
      const before = await contentsOf(database.orm);
      const call = signedCall(`${action}${action === 'addTask' ? '' : parameters}`, keys.get(role) ?? ADMIN);
      const body = JSON.stringify({
        user_id: 1,
        name: 'theirs',
        class_name: '\\scheduler\\Tasks\\BackupTask',
        active: 1,
        data: null,
        repeat_items: [],
      });
      const { status, reply } = await overLegacy(
        app.address,
        call,
        action === 'addTask' ? { method: 'POST', body } : {},
      );
      expect({ status, success: reply.success }).toEqual({ status: 200, success: 0 });
      expect(reply.message).toMatch(/may|open|belongs|admin/);
      expect(await contentsOf(database.orm)).toEqual(before);
    },
  );
});

describe('without credentials', () => {
  test.each(OPERATIONS.map(({ kind, field }) => [kind, field.name, field] as const))(
    '%s %s',
    async (kind, _name, field) => {
      const operation = operationFor(kind, field);
      expect(codesOf(await overHttp(app.address, operation, ''))).toEqual([
        expect.stringMatching(/UNAUTHENTICATED|TOO_MANY_REQUESTS/),
      ]);
      if (kind === 'subscription') {
        expect((await overEventSource(app.address, operation, {})).status).toBeGreaterThanOrEqual(401);
      }
      await expect(overSocket(app.address, operation)).rejects.toMatchObject({ code: 4403 });
    },
  );
});
