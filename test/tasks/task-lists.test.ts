// What a list of tasks reads, and who may ask for it: no less than was asked for, and nothing of before.
import { isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/schema/index.ts';
import { basic, HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

let database: TestDatabase;
/** Two processes on one database, but for the process. */
let app: TestApp;
let other: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  other = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  await add('with rules', [{ hour: 4 }, { dayOfWeek: 3, start: '2030-02-03', end: '2031-02-03' }]);
  await add('without', []);
  await add('every other day', [{ start: '2030-02-03', intervalDays: 2 }]);
});

afterAll(async () => {
  await other?.stop();
  await app?.stop();
  await database?.close();
});

function add(name: string, repeatItems: object[]) {
  const query = 'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }';
  return app.query(query, { input: { name, className: HOLDING, data: { holding_days: 3 }, repeatItems } });
}

/** What each field of a task is asked for with; null for one that needs arguments of its own. */
const PARTS: Record<string, string | null> = {
  owner: '{ id name }',
  repeatItems: '{ id start end intervalDays dayOfWeek hour minute }',
  retry: '{ attempts delaySeconds backoff jitter }',
  runs: '{ edges { node { id } } }',
  events: '{ edges { node { type } } }',
};
const TASK = schema.getType('Task');
const FIELDS = Object.keys(isObjectType(TASK) ? TASK.getFields() : {}).flatMap((field) => {
  const parts = field in PARTS ? PARTS[field] : '';
  return parts === null ? [] : [`${field} ${parts}`.trim()];
});

interface Listed {
  tasks: { edges: { node: Record<string, unknown> }[] };
}

interface PagedList {
  tasks: Listed['tasks'] & { pageInfo: { endCursor: string } };
}

describe('a list of tasks', () => {
  const ALL = FIELDS.join(' ');

  test.each(FIELDS)('says the same of %s whether it is asked for alone or with all others', async (field) => {
    const name = field.split(' ', 1)[0] ?? '';
    const whole = await app.query<Listed>(`{ tasks(first: 10) { edges { node { ${ALL} } } } }`);
    for (const field_ of ['ID', 'NAME', 'NEXT_RUN_AT', 'LAST_RUN_AT']) {
      const query = `{ tasks(first: 10, orderBy: { field: ${field_} }) { edges { node { legacyId ${field} } } } }`;
      const alone = await app.query<Listed>(query);
      const values = (listed: Listed) =>
        new Map(listed.tasks.edges.map(({ node }) => [Number(node.legacyId), node[name]]));
      expect(values(alone)).toEqual(values(whole));
      expect(values(alone).size).toBe(3);
    }
  });

  test('has the rules of its tasks wherever they are asked for', async () => {
    const items = 'repeatItems { hour intervalDays dayOfWeek }';
    const { tasks } = await app.query<Listed>(`{ tasks(first: 10) { edges { node { ${items} } } } }`);
    const expected = tasks.edges.map(({ node }) => node.repeatItems);
    expect(expected.map((found) => (found as unknown[]).length)).toEqual([2, 0, 1]);
    const ways = [
      `{ tasks(first: 10) { edges { node { ... on Task { ${items} } } } } }`,
      `{ tasks(first: 10) { ...Page } } fragment Page on TaskConnection { edges { ...Edge } } fragment Edge on TaskEdge { node { ...Task } } fragment Task on Task { ${items} }`,
      `{ tasks(first: 10) { edges { node { name } } } tasks(first: 10) { edges { node { ${items} } } } }`,
      `{ tasks(first: 10) { edges { __typename } edges { node { id } node { ${items} } } } }`,
    ];
    for (const query of ways) {
      const found = await app.query<Listed>(query);
      expect(found.tasks.edges.map(({ node }) => node.repeatItems)).toEqual(expected);
    }
  });

  test('continues from a cursor of another selection of fields', async () => {
    const page = 'pageInfo { endCursor hasNextPage }';
    for (const order of ['ID', 'NAME', 'NEXT_RUN_AT', 'LAST_RUN_AT']) {
      const seen: unknown[] = [];
      let after: string | null = null;
      for (const fields of ['name', 'legacyId name', ALL]) {
        const query = `query ($after: String) { tasks(first: 1, after: $after, orderBy: { field: ${order} }) { edges { node { ${fields} } } ${page} } }`;
        const { tasks }: PagedList = await app.query<PagedList>(query, { after });
        seen.push(...tasks.edges.map(({ node }) => node.name));
        after = tasks.pageInfo.endCursor;
      }
      expect(seen.toSorted()).toEqual(['every other day', 'with rules', 'without']);
    }
  });

  test('says what another process has changed just before', async () => {
    const query = '{ tasks(first: 1) { edges { node { name repeatItems { hour } } } } }';
    for (let hour = 0; hour < 20; hour += 1) {
      await other.query(
        `mutation { updateTask(input: { task: { legacyId: 1 }, name: "at ${hour}", repeatItems: [{ hour: ${hour} }] }) { task { id } } }`,
      );
      const { tasks } = await app.query<Listed>(query);
      expect(tasks.edges[0]?.node).toEqual({ name: `at ${hour}`, repeatItems: [{ hour }] });
    }
  });
});

interface NewKey {
  key: string;
  user: string;
  authorization: string;
}

async function newKey(name: string): Promise<NewKey> {
  const { addUser } = await app.query<{ addUser: { user: { id: string } } }>(
    `mutation { addUser(input: { name: "${name}", role: VIEWER }) { user { id } } }`,
  );
  const { createApiKey } = await app.query<{ createApiKey: { apiKey: { key: string }; secret: string } }>(
    'mutation ($user: ID!) { createApiKey(input: { user: $user }) { apiKey { key } secret } }',
    { user: addUser.user.id },
  );
  const { key } = createApiKey.apiKey;
  return { key, user: addUser.user.id, authorization: basic(key, createApiKey.secret) };
}

/** The names of who asks, or the status that refuses them; all at once. */
function whoAsks({ address }: TestApp, authorizations: readonly string[]): Promise<unknown[]> {
  return Promise.all(
    authorizations.map(async (authorization) => {
      const response = await fetch(`${address}/graphql`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ viewer { name role } }' }),
      });
      const { data } = (await response.json()) as { data?: { viewer: { name: string; role: string } } };
      return data === undefined ? response.status : `${data.viewer.name} ${data.viewer.role}`;
    }),
  );
}

describe('calls that come together', () => {
  test('are each who their own key and secret say', async () => {
    const [one, two] = [await newKey('one'), await newKey('two')];
    const wrong = one.authorization.replace(/.{8}$/, 'AAAAAAA=');
    const asked = Array.from({ length: 30 }, (_, at) => [one.authorization, two.authorization, wrong][at % 3] ?? '');
    const answers = Array.from({ length: 30 }, (_, at) => ['one VIEWER', 'two VIEWER', 401][at % 3]);
    expect(await whoAsks(app, asked)).toEqual(answers);
  });

  test('are refused from the moment on at which another process revokes their key', async () => {
    const kept = await newKey('kept');
    for (let round = 0; round < 5; round += 1) {
      const lost = await newKey(`lost ${round}`);
      const asked = Array.from({ length: 10 }, (_, at) => (at % 2 === 0 ? kept : lost).authorization);
      expect(await whoAsks(other, asked)).not.toContain(401);
      // Others ask all the while, so that look-ups are under way when the key goes.
      const meanwhile = whoAsks(other, asked);
      await app.query('mutation ($key: String!) { revokeApiKey(input: { key: $key }) { apiKey { key } } }', {
        key: lost.key,
      });
      expect(await whoAsks(other, asked)).toEqual(asked.map((_, at) => (at % 2 === 0 ? 'kept VIEWER' : 401)));
      await meanwhile;
    }
  });

  test('have the role that another process has just given them', async () => {
    const { user, authorization } = await newKey('rising');
    for (const role of ['OPERATOR', 'ADMIN', 'VIEWER']) {
      await app.query('mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }', {
        input: { user, role },
      });
      expect(await whoAsks(other, [authorization, authorization])).toEqual([`rising ${role}`, `rising ${role}`]);
    }
  });
});

test('every reply has the headers that keep a browser from misreading it', async () => {
  const replies = await Promise.all([
    fetch(`${app.address}/healthz`),
    fetch(`${app.address}/nowhere`),
    fetch(`${app.address}/graphql`, { method: 'POST', body: '{}' }),
    fetch(`${app.address}/graphql?query={viewer{name}}`, { headers: { authorization: app.authorization } }),
  ]);
  for (const { headers } of replies) {
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(headers.get('strict-transport-security')).toMatch(/^max-age=\d+/);
    expect(headers.get('content-security-policy')).toContain("default-src 'self'");
  }
});
