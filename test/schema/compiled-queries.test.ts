// A query that is sent again and again is answered by compiled code: it says what the first answer, Yoga's, said.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { CompiledQueries } from '../../src/http/graphql/compiled-queries.ts';
import { basic, startTestApp, type TestApp } from '../support/app.ts';
import { addDailyTasks } from '../support/daily-tasks.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

/** More often than it takes until a query is compiled. */
const TIMES = 5;

let database: TestDatabase;
let app: TestApp;
let viewer: string;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  await addDailyTasks(database, 30);
  await app.query(`mutation { addTask(input: { name: "ä/\\"", className: "\\\\scheduler\\\\Tasks\\\\ProcessHoldingTask",
    data: { holding_days: 3, other: [1, null, { a: 1.5 }] }, repeatItems: [{ hour: 4 }, { dayOfWeek: 3, start: "2030-02-03" }] }) { task { id } } }`);
  const { addUser } = await app.query<{ addUser: { user: { id: string } } }>(
    'mutation { addUser(input: { name: "looks", role: VIEWER }) { user { id } } }',
  );
  const { createApiKey } = await app.query<{ createApiKey: { apiKey: { key: string }; secret: string } }>(
    'mutation ($user: ID!) { createApiKey(input: { user: $user }) { apiKey { key } secret } }',
    { user: addUser.user.id },
  );
  viewer = basic(createApiKey.apiKey.key, createApiKey.secret);
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

afterEach(() => vi.restoreAllMocks());

interface Answer {
  status: number;
  type: string | null;
  length: string | null;
  body: string;
}

async function ask(body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${app.address}/graphql`, {
    method: 'POST',
    headers: { authorization: app.authorization, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const { headers: replied, status } = response;
  return {
    status,
    type: replied.get('content-type'),
    length: replied.get('content-length'),
    body: await response.text(),
  };
}

/** The answers, and which of them compiled code gave. */
async function askAgain(body: object, headers?: Record<string, string>) {
  const answering = vi.spyOn(CompiledQueries.prototype, 'answer');
  const answers: Answer[] = [];
  for (let time = 0; time < TIMES; time += 1) answers.push(await ask(body, headers));
  const quick = await Promise.all(answering.mock.results.map(async ({ value }) => (await value) !== null));
  answering.mockRestore();
  return { answers, quick };
}

const TASK = `id legacyId name className active data dataText owner { name } timeZone
  repeatItems { id start end intervalDays dayOfWeek hour minute } retry { attempts backoff } nextRunAt lastRunAt createdAt`;

const QUERIES: [string, string, Record<string, unknown>?][] = [
  [
    'a list with its parts',
    `query ($first: Int!) { tasks(first: $first) { edges { cursor node { ${TASK} } } pageInfo { hasNextPage endCursor } } }`,
    { first: 7 },
  ],
  ['a list from its end', `{ tasks(last: 3, orderBy: { field: NAME, direction: DESC }) { edges { node { name } } } }`],
  [
    'a filter',
    'query ($filter: TaskFilter) { tasks(filter: $filter) { edges { node { name } } } }',
    { filter: { active: true } },
  ],
  [
    'one task, and one that there is not',
    '{ a: task(by: { legacyId: 1 }) { name } b: task(by: { legacyId: 99999 }) { name } }',
  ],
  [
    'fragments, directives and aliases',
    `query ($yes: Boolean!, $no: Boolean = false) { node(id: "VGFzazox") { __typename ... on Task { called: name ...More @include(if: $yes) id @skip(if: $no) } } }
    fragment More on Task { className repeatItems @include(if: $no) { id } }`,
    { yes: true },
  ],
  [
    'pages within pages',
    '{ tasks(first: 2) { edges { node { runs(first: 2) { edges { node { id state } } } events(last: 2) { edges { node { type message } } } } } } }',
  ],
  [
    'classes, users and who asks',
    '{ viewer { name role } taskClasses { name dataSchema } users(first: 5) { edges { node { name role } } } }',
  ],
  [
    'times and enums as variables',
    'query ($from: DateTime!, $to: DateTime!) { coverage(from: $from, to: $to) { expected ran unaccounted } upcoming(from: $from, to: $to, first: 3) { at task { name } } }',
    { from: '2030-01-01T00:00:00Z', to: '2030-01-02T00:00:00Z' },
  ],
  [
    'the schema itself',
    '{ __schema { queryType { name } types { name kind fields { name args { name type { name } } } } } }',
  ],
];

describe('a query that is sent again and again', () => {
  test.each(QUERIES)('is answered by compiled code with the same bytes: %s', async (_what, query, variables) => {
    const { answers, quick } = await askAgain(variables === undefined ? { query } : { query, variables });
    expect(quick).toEqual([false, false, true, true, true]);
    expect(answers[0]?.status).toBe(200);
    expect(answers[0]?.body).not.toContain('"errors"');
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  test.each([
    ['none', undefined, true],
    ['anything', '*/*', true],
    ['JSON', 'application/json', true],
    ['the type of GraphQL', 'application/graphql-response+json', true],
    ['several, with weights', 'text/plain;q=0.1, application/json;q=0.5', false],
    ['events', 'text/event-stream', false],
  ])('has the type that the client accepts: %s', async (_what, accept, isQuick) => {
    const query = `{ viewer { name } } # ${accept}`;
    const { answers, quick } = await askAgain({ query }, accept === undefined ? {} : { accept });
    expect(quick.at(-1)).toBe(isQuick);
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  test('sees what was written before', async () => {
    const query = '{ task(by: { legacyId: 1 }) { name } }';
    await askAgain({ query });
    await app.query('mutation { updateTask(input: { task: { legacyId: 1 }, name: "renamed" }) { task { id } } }');
    expect((await ask({ query })).body).toContain('renamed');
  });

  test('is the business of each caller: what an admin may see, a viewer may not', async () => {
    const query = '{ apiKeys { edges { node { key } } } }';
    const { quick } = await askAgain({ query });
    expect(quick.at(-1)).toBe(true);
    const refused = await ask({ query }, { authorization: viewer });
    expect(refused.body).toContain('FORBIDDEN');
    expect(refused.body).not.toContain('"edges"');
    expect((await ask({ query }, { authorization: basic('nobody', 'none') })).status).toBe(401);
  });

  test.each([
    ['a fault of the text', { query: '{ tasks {' }],
    ['an unknown field', { query: '{ nothing }' }],
    [
      'a variable of the wrong type',
      { query: 'query ($first: Int) { tasks(first: $first) { edges { cursor } } }', variables: { first: 'x' } },
    ],
    ['a variable that is missing', { query: 'query ($by: TaskBy!) { task(by: $by) { name } }' }],
    ['a page that is too large', { query: '{ tasks(first: 501) { edges { cursor } } }' }],
    [
      'more than one operation may ask for',
      {
        query: 'query ($n: Int) { tasks(first: $n) { edges { node { runs(first: $n) { edges { node { id } } } } } } }',
        variables: { n: 500 },
      },
    ],
    ['an operation of another name', { query: 'query A { viewer { name } }', operationName: 'B' }],
    [
      'two operations, of which the second asks for too much',
      {
        query:
          'query A { viewer { name } } query B { tasks(first: 500) { edges { node { runs(first: 500) { edges { node { id } } } } } } }',
        operationName: 'B',
      },
    ],
    ['variables that are a list', { query: '{ viewer { name } } # list', variables: [1] }],
    ['a mutation', { query: 'mutation { deleteTask(input: { task: { legacyId: 99999 } }) { task { id } } }' }],
  ])('is left to Yoga, whose error stays the same: %s', async (_what, body) => {
    const { answers, quick } = await askAgain(body);
    expect(quick).not.toContain(true);
    expect(answers[0]?.body).toContain('"errors"');
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  test('once it may ask for as much, and once it may not, by its variables', async () => {
    const query =
      'query ($n: Int) { tasks(first: $n) { edges { node { runs(first: $n) { edges { node { id } } } } } } }';
    const { quick } = await askAgain({ query, variables: { n: 2 } });
    expect(quick.at(-1)).toBe(true);
    expect((await ask({ query, variables: { n: 500 } })).body).toContain('TOO_COMPLEX');
  });
});
