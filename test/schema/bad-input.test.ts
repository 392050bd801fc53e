// Input that cannot be right, at every door of GraphQL: a clear error that names the field, and nothing is stored.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { basic, HOLDING, type TestApp } from '../support/app.ts';
import { type StillDatabase, startStill } from '../support/contents.ts';
import { get, type Operation, overEventSource, overHttp, overSocket, postRaw } from '../support/doors.ts';

let still: StillDatabase;
let app: TestApp;

beforeAll(async () => {
  still = await startStill();
  app = still.app;
});

afterEach(() => still.expectUnchanged());

afterAll(() => still?.stop());

function addTask(input: object): Operation {
  const query = 'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }';
  return { query, variables: { input: { name: 'Task', className: HOLDING, ...input } } };
}

function executeTask(input: object): Operation {
  const query = 'mutation ($input: ExecuteTaskInput!) { executeTask(input: $input) { run { id } } }';
  return { query, variables: { input: { task: { legacyId: 1 }, ...input } } };
}

const withItems = (...repeatItems: object[]) => addTask({ repeatItems });
const globalId = (text: string) => Buffer.from(text).toString('base64');
const NEVER = globalId('Run:999999999999999');
const levels = (count: number) => `{"a":${'['.repeat(count - 1)}${']'.repeat(count - 1)}}`;
const hundredAndOne = (item: object) => Array.from({ length: 101 }, () => item);

/** What is wrong, the operation, the code of its error, and what the message must name. */
const OPERATIONS: [string, Operation, string, ...string[]][] = [
  ['a number as the name', addTask({ name: 5 }), 'BAD_USER_INPUT', 'input.name', '5'],
  ['no name', addTask({ name: undefined }), 'BAD_USER_INPUT', '"name"', 'required'],
  ['an empty name', addTask({ name: '' }), 'BAD_USER_INPUT', 'input.name', '1 to 255 characters, got 0'],
  ['a name of 256 characters', addTask({ name: 'x'.repeat(256) }), 'BAD_USER_INPUT', 'input.name', '256'],
  ['a NUL in the name', addTask({ name: 'a\0b' }), 'BAD_USER_INPUT', 'input.name', 'NUL'],
  ['half a character in the name', addTask({ name: 'a\ud800' }), 'BAD_USER_INPUT', 'input.name', 'Unicode'],
  ['an unknown class', addTask({ className: '\\x' }), 'BAD_USER_INPUT', 'input.className', '"\\x"', HOLDING],
  ['an unknown time zone', addTask({ timeZone: 'Europe/Nowhere' }), 'BAD_USER_INPUT', 'input.timeZone', 'IANA'],
  ['an owner that there is not', addTask({ ownerLegacyId: 99 }), 'BAD_USER_INPUT', 'input.ownerLegacyId', '99'],
  ['an impossible date', withItems({ start: '2015-02-30' }), 'BAD_USER_INPUT', 'repeatItems[0].start', '2015-02-30'],
  ['a rule for 30 February', withItems({ month: 2, dayOfMonth: 30 }), 'BAD_USER_INPUT', 'repeatItems.0.dayOfMonth'],
  ['hour 24', withItems({ hour: 1 }, { hour: 24 }), 'BAD_USER_INPUT', 'input.repeatItems.1.hour', '24', '0 to 23'],
  [
    'an end before its start',
    withItems({ start: '2026-02-03', end: '2026-02-02' }),
    'BAD_USER_INPUT',
    'input.repeatItems.0.end',
    '2026-02-03',
  ],
  ['101 rules', withItems(...hundredAndOne({ hour: 1 })), 'BAD_USER_INPUT', 'input.repeatItems', '101', '100'],
  ['data that is a number', addTask({ data: 5 }), 'BAD_USER_INPUT', 'input.data', 'object'],
  ['data that is a list', addTask({ data: [1] }), 'BAD_USER_INPUT', 'input.data', 'object'],
  ['data that is no JSON', addTask({ dataText: '{"a":' }), 'BAD_USER_INPUT', 'input.dataText', 'JSON'],
  [
    'a number beyond all doubles',
    addTask({ dataText: '{"a":[1e999]}' }),
    'BAD_USER_INPUT',
    'input.dataText',
    'a double can hold',
  ],
  [
    'half a character in data',
    addTask({ data: { a: ['\ud800'] } }),
    'BAD_USER_INPUT',
    'input.data',
    '\\ud800',
    'Unicode',
  ],
  ['half a character in a key', executeTask({ data: { '\ud800': 1 } }), 'BAD_USER_INPUT', 'input.data', 'Unicode'],
  ['data of 512 levels', addTask({ dataText: levels(512) }), 'BAD_USER_INPUT', 'input.dataText', '511 levels'],
  ['data of 100,000 levels', addTask({ dataText: levels(100_000) }), 'BAD_USER_INPUT', 'input.dataText', '511 levels'],
  ['data in two ways', addTask({ data: { a: 1 }, dataText: '{"a":1}' }), 'BAD_USER_INPUT', 'input.dataText'],
  [
    'data that the class cannot use',
    addTask({ data: { holding_days: -1 } }),
    'BAD_USER_INPUT',
    'input.data.holding_days',
  ],
  ['a timeout of 0', addTask({ policy: { timeoutSeconds: 0 } }), 'BAD_USER_INPUT', 'input.policy.timeoutSeconds'],
  ['a field that the input has not', addTask({ nonsense: 1 }), 'BAD_USER_INPUT', '"nonsense"', 'AddTaskInput'],
  ['a negative wait', executeTask({ waitSeconds: -1 }), 'BAD_USER_INPUT', 'input.waitSeconds', '-1', '600'],
  ['too long a wait', executeTask({ waitSeconds: 601 }), 'BAD_USER_INPUT', 'input.waitSeconds', '601', '600'],
  ['a task that there is not', executeTask({ task: { legacyId: 99 } }), 'NOT_FOUND', 'task 99'],
  ['an id of nothing', executeTask({ task: { id: 'nonsense' } }), 'BAD_USER_INPUT', 'input.task.id', 'nonsense'],
  ['an id too large', executeTask({ task: { id: globalId('Task:2147483648') } }), 'BAD_USER_INPUT', 'input.task.id'],
  [
    'a list of the tasks of a user whose id is too large',
    { query: `{ tasks(filter: {owner: "${globalId('User:2147483648')}"}) { edges { cursor } } }` },
    'BAD_USER_INPUT',
    'filter.owner',
  ],
  ['the id of a run as a task', executeTask({ task: { id: NEVER } }), 'BAD_USER_INPUT', 'input.task.id', 'Run'],
  ['two ids of a task', executeTask({ task: { id: 'x', legacyId: 1 } }), 'BAD_USER_INPUT', 'input.task', 'exactly one'],
  [
    'a run that there is not',
    { query: `mutation { cancelRun(input: {run: "${NEVER}"}) { run { id } } }` },
    'NOT_FOUND',
  ],
  ['no such run', { query: `mutation { retryRun(input: {run: "${NEVER}"}) { run { id } } }` }, 'NOT_FOUND', 'run'],
  ['a cursor of nothing', { query: '{ tasks(after: "zz") { edges { cursor } } }' }, 'BAD_USER_INPUT', 'after'],
  ['a page of 501', { query: '{ tasks(first: 501) { edges { cursor } } }' }, 'BAD_USER_INPUT', 'first', '501', '500'],
  ['an unknown field', { query: '{ nonsense }' }, 'GRAPHQL_VALIDATION_FAILED', '"nonsense"'],
  ['malformed GraphQL', { query: '{ viewer { ' }, 'GRAPHQL_PARSE_FAILED', 'Syntax Error'],
];

const DOORS = { 'over HTTP': overHttp, 'over a WebSocket': overSocket };

describe.each(Object.entries(DOORS))('GraphQL %s', (_door, send) => {
  test.each(OPERATIONS)('refuses %s', async (_what, operation, code, ...named) => {
    const { data, errors = [] } = await send(app.address, operation, app.authorization);
    expect(errors.map(({ extensions }) => extensions.code)).toEqual([code]);
    for (const text of named) expect(errors[0]?.message).toContain(text);
    expect(Object.values(data ?? {}).every((payload) => payload === null)).toBe(true);
  });

  test('says in extensions.field which field is at fault', async () => {
    const { errors } = await send(app.address, withItems({ hour: 24 }), app.authorization);
    expect(errors?.[0]?.extensions).toMatchObject({ field: 'input.repeatItems.0.hour' });
  });

  test('stores nothing of a mutation whose last field fails', async () => {
    const item = '{ hour: 1 }, { month: 2, dayOfMonth: 30 }';
    const query = `mutation { addTask(input: {name: "n", className: ${JSON.stringify(HOLDING)}, repeatItems: [${item}],
      policy: { queueLimit: 0 }, idempotencyKey: "k"}) { task { id } } }`;
    const { errors } = await send(app.address, { query }, app.authorization);
    expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });
});

test('an error over a WebSocket says nothing of HTTP', async () => {
  for (const query of ['{ nonsense }', '{ viewer { ', '{ tasks(first: 501) { edges { cursor } } }']) {
    const { errors } = await overSocket(app.address, { query }, app.authorization);
    expect(errors?.[0]?.extensions).toHaveProperty('code');
    expect(errors?.[0]?.extensions).not.toHaveProperty('http');
  }
});

describe('GraphQL over HTTP', () => {
  test('refuses a body of a type that it does not read, and says which it does', async () => {
    const headers = { authorization: app.authorization, 'content-type': 'text/plain' };
    const { status, text } = await postRaw(app.address, '{"query":"{ viewer { id } }"}', headers);
    expect(status).toBe(415);
    expect(JSON.parse(text).errors).toMatchObject([
      { message: expect.stringMatching(/application\/json.*"text\/plain"/), extensions: { code: 'BAD_USER_INPUT' } },
    ]);
  });

  test.each([
    ['malformed JSON', '{"query":', 'BAD_REQUEST', 'JSON'],
    ['nothing', '', 'BAD_REQUEST', 'JSON'],
    ['a number as the query', '{"query":5}', 'BAD_REQUEST', '"query"'],
    ['variables that are no object', '{"query":"{viewer{id}}","variables":5}', 'BAD_REQUEST', '"variables"'],
    ['a list of operations', '[{"query":"{viewer{id}}"}]', 'BAD_REQUEST', 'Batching'],
  ])('refuses a body that is %s', async (_what, body, code, named) => {
    const { status, text } = await postRaw(app.address, body, { authorization: app.authorization });
    expect(status).toBe(400);
    const { errors } = JSON.parse(text);
    expect(errors).toMatchObject([{ message: expect.stringContaining(named), extensions: { code } }]);
  });

  test('refuses variables in a query string that are no JSON', async () => {
    const url = `${app.address}/graphql?query=%7Bviewer%7Bid%7D%7D&variables=%7B`;
    const { status, text } = await get(url, { authorization: app.authorization });
    expect({ status, code: JSON.parse(text).errors[0].extensions.code }).toEqual({ status: 400, code: 'BAD_REQUEST' });
    expect(text).toContain('variables');
  });

  test('changes nothing by GET', async () => {
    const { status, text } = await overEventSource(app.address, addTask({}), { authorization: app.authorization });
    expect(status).toBe(405);
    expect(text).toContain('POST');
  });
});

const runEvents = (argument: string) => ({ query: `subscription { runEvents(${argument}) { cursor } }` });
const SUBSCRIPTIONS: [string, Operation, string, ...string[]][] = [
  ['a cursor of nothing', runEvents('after: "zz"'), 'CURSOR_EXPIRED', '"zz"'],
  [
    'a cursor of another log',
    runEvents(`after: "${globalId('01234567-89ab-cdef-0123-456789abcdef.1')}"`),
    'CURSOR_EXPIRED',
    'another',
  ],
  ['an id of nothing', runEvents('run: "zz"'), 'BAD_USER_INPUT', 'run', 'zz'],
  ['the id of a run as a task', runEvents(`task: "${NEVER}"`), 'BAD_USER_INPUT', 'task', 'Run'],
  ['a number as the cursor', runEvents('after: 5'), 'GRAPHQL_VALIDATION_FAILED', '5'],
  ['an unknown field', { query: 'subscription { nonsense }' }, 'GRAPHQL_VALIDATION_FAILED', '"nonsense"'],
  ['malformed GraphQL', { query: 'subscription { runEvents' }, 'GRAPHQL_PARSE_FAILED', 'Syntax Error'],
];

describe('a subscription', () => {
  test.each(SUBSCRIPTIONS)('over SSE is refused for %s, in one event', async (_what, operation, code, ...named) => {
    const { status, headers, text } = await overEventSource(app.address, operation, {
      authorization: app.authorization,
    });
    expect({ status, type: headers.get('content-type') }).toEqual({ status: 200, type: 'text/event-stream' });
    const { errors } = JSON.parse(/^data: (.+)$/m.exec(text)?.[1] ?? '{}');
    expect(errors).toMatchObject([{ extensions: { code } }]);
    for (const name of named) expect(errors[0].message).toContain(name);
  });

  test.each(SUBSCRIPTIONS)('over a WebSocket is refused for %s', async (_what, operation, code, ...named) => {
    const { errors = [] } = await overSocket(app.address, operation, app.authorization);
    expect(errors.map(({ extensions }) => extensions.code)).toEqual([code]);
    for (const name of named) expect(errors[0]?.message).toContain(name);
  });

  test('over a WebSocket is refused where it is not said which of two', async () => {
    const query = 'subscription A { runEvents { cursor } } subscription B { runEvents { cursor } }';
    const { errors } = await overSocket(app.address, { query }, app.authorization);
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
  });

  test('over SSE is refused for a Last-Event-ID of nothing', async () => {
    const headers = { authorization: app.authorization, 'last-event-id': 'zz' };
    const { text } = await overEventSource(app.address, { query: 'subscription { runEvents { cursor } }' }, headers);
    expect(text).toContain('CURSOR_EXPIRED');
  });
});

describe('GraphQL without the right credentials', () => {
  test.each([
    ['none', {}],
    ['a wrong secret', { authorization: basic('admin-key', 'wrong') }],
    ['an unknown key', { authorization: 'Bearer nobody.admin-secret' }],
    ['another scheme', { authorization: 'Digest username="admin-key"' }],
  ])('is UNAUTHENTICATED, over HTTP and SSE: %s', async (_what, headers) => {
    const posted = await postRaw(app.address, JSON.stringify(addTask({})), headers);
    const streamed = await overEventSource(app.address, { query: 'subscription { runEvents { cursor } }' }, headers);
    for (const { status, text } of [posted, streamed]) {
      expect(status).toBe(401);
      expect(JSON.parse(text).errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
    }
  });

  test.each([
    ['none', undefined],
    ['a wrong secret', basic('admin-key', 'wrong')],
  ])('gets its WebSocket closed: %s', async (_what, authorization) => {
    await expect(overSocket(app.address, addTask({}), authorization)).rejects.toMatchObject({ code: 4403 });
  });
});
