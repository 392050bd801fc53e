// The limits of one caller: what it may ask for, hold open and send.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { overSse, overWebSocket, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { overSocket, postRaw } from '../support/doors.ts';

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway', STREAMS_PER_KEY: 4 } });
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

const post = (body: string) => postRaw(app.address, body, { authorization: app.authorization });
const ask = (query: string) => post(JSON.stringify({ query }));

const nested = (levels: number) =>
  `{ tasks { edges { node { owner { ${'tasks { edges { node { owner { '.repeat(levels)}id${' } } } }'.repeat(levels)} } } } } }`;
const aliases = (count: number) => `{ ${Array.from({ length: count }, (_, n) => `a${n}: viewer { id }`).join(' ')} }`;
/** Validation compares each of them with each. */
const alike = (count: number) => `{ ${'viewer { id } '.repeat(count)} }`;
const spreads = (count: number) =>
  `{ ${'...F '.repeat(count)} } fragment F on Query { ${'viewer { id } '.repeat(50)} }`;
const bomb = (levels: number) =>
  `{ ...F0 } ${Array.from({ length: levels }, (_, n) => `fragment F${n} on Query { ...F${n + 1} ...F${n + 1} }`).join(' ')}
   fragment F${levels} on Query { viewer { id } }`;

const fragmentNames = (count: number) => Array.from({ length: count }, (_, n) => `F${n}`);

describe('an operation over its limits', () => {
  const KINDS: Record<string, string> = {
    deep: `{ node(id: "VGFzazox") { ... on Task { ${'runs { edges { node { task { '.repeat(6)}id${' } } } }'.repeat(6)} } } }`,
    'of nested values': `{ node(id: ${'['.repeat(2_000)}${']'.repeat(2_000)}) { id } }`,
    'deep beyond the tokens': nested(1_000),
    'wide by aliases': aliases(600),
    'wide by aliases beyond the tokens': aliases(20_000),
    'of many equal fields': alike(1_200),
    'of many equal spreads': spreads(1_000),
    'of fragments that double at each level': bomb(25),
    'of a page of pages': '{ tasks(first: 500) { edges { node { runs(first: 500) { edges { node { id } } } } } } }',
    'of a long comment': `# ${'x'.repeat(300_000)}\n{ viewer { id } }`,
    'of a long text': `{ viewer { id } } # ${'y'.repeat(250_000)}`,
    'of many fragments': `{ ${fragmentNames(200)
      .map((name) => `...${name}`)
      .join(' ')} }
      ${fragmentNames(200)
        .map((name) => `fragment ${name} on Query { viewer { id name } }`)
        .join(' ')}`,
    'of many operations': `${Array.from({ length: 2_000 }, (_, n) => `query Q${n} { viewer { id } }`).join(' ')}`,
  };

  test.each(Object.entries(KINDS))('is refused at once: %s', async (_kind, query) => {
    const times: number[] = [];
    for (let n = 0; n < 5; n += 1) {
      // The CPU time of this thread, which runs server and client, so that other load does not count.
      const before = process.threadCpuUsage();
      const { text } = await ask(`${query}\n# ${n}`);
      const { user, system } = process.threadCpuUsage(before);
      times.push((user + system) / 1_000);
      const { errors, data } = JSON.parse(text) as { errors?: { extensions: { code: string } }[]; data?: unknown };
      expect(errors).toMatchObject([{ extensions: { code: 'TOO_COMPLEX' } }]);
      expect(data ?? null).toBeNull();
    }
    expect(Math.min(...times)).toBeLessThan(50);
  });

  test('is refused over a WebSocket, too', async () => {
    for (const query of [aliases(600), aliases(20_000)]) {
      const { errors } = await overSocket(app.address, { query }, app.authorization);
      expect(errors).toMatchObject([{ extensions: { code: 'TOO_COMPLEX' } }]);
    }
  });

  test('is refused in a batch, since batches are', async () => {
    const { status, text } = await post(JSON.stringify(Array(100).fill({ query: '{ viewer { id } }' })));
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ errors: [{ message: expect.stringContaining('Batch') }] });
  });

  test('is refused in a body that is too large, by its length', async () => {
    const { status } = await post(
      JSON.stringify({ query: '{ viewer { id } }', variables: { x: 'x'.repeat(11_000_000) } }),
    );
    expect(status).toBe(413);
  });
});

test('a key opens streams up to its limit, over all transports, and another one when one is closed', async () => {
  // A socket and its subscription count as one each.
  const first = await overWebSocket(app);
  const second = await overSse(app);
  const third = await overSse(app);
  const tooMany = { code: 4429, reason: 'a key may have at most 4 subscriptions and WebSockets open; close some' };
  // The server may count a subscription a moment later.
  await expect
    .poll(() =>
      overWebSocket(app).then(
        (stream) => stream.close().then(() => null),
        (closed) => closed,
      ),
    )
    .toMatchObject(tooMany);
  const refused = await fetch(
    `${app.address}/graphql?query=${encodeURIComponent('subscription { runEvents { cursor } }')}`,
    {
      headers: { authorization: app.authorization, accept: 'text/event-stream' },
    },
  );
  expect(await refused.text()).toContain('TOO_MANY_REQUESTS');
  await second.close();
  await expect
    .poll(() =>
      overWebSocket(app).then(
        (stream) => stream.close().then(() => 'open'),
        () => 'refused',
      ),
    )
    .toBe('open');
  await Promise.all([first.close(), third.close()]);
});

describe('introspection', () => {
  const QUERY = '{ __schema { types { name } } viewer { __typename } }';

  test('is answered by default', async () => {
    expect(await app.query(QUERY)).toMatchObject({ __schema: { types: expect.any(Array) } });
  });

  test('is refused if it is off, even when it is sent repeatedly; __typename still works', async () => {
    const closed = await startTestApp(database.url, { settings: { ROLE: 'gateway', INTROSPECTION: 'off' } });
    for (let n = 0; n < 6; n += 1) {
      const { errors = [], data } = await closed.post(QUERY);
      expect(errors.map(({ message }) => message)).toContainEqual(expect.stringContaining('introspection'));
      expect(data ?? null).toBeNull();
      expect(await closed.query('{ viewer { __typename } }')).toEqual({ viewer: { __typename: 'User' } });
    }
    const { errors } = await overSocket(
      closed.address,
      { query: '{ __type(name: "Task") { name } }' },
      closed.authorization,
    );
    expect(errors).toMatchObject([{ message: expect.stringContaining('introspection') }]);
    await closed.stop();
  });
});
