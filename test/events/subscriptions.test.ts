// What holds for a subscription, whatever it comes over: one suite for all transports.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SqlEntityManager } from '@mikro-orm/postgresql';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import WebSocket from 'ws';
import { basic, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { get } from '../support/doors.ts';
import { addTasks, rows } from '../support/races.ts';
import {
  type Ask,
  appendRunEvents,
  type Message,
  metric as metricOf,
  type Stream,
  seqOf,
  TRANSPORTS,
  type Transport,
} from '../support/streams.ts';

let database: TestDatabase;
let app: TestApp;
const open: Stream[] = [];

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

afterEach(async () => {
  for (const stream of open.splice(0)) await stream.close();
});

const append = (count: number, task = 1) => appendRunEvents(database.orm.em, count, { task });
const metric = (name: string) => metricOf(app, name);

const RUN_EVENTS =
  'subscription ($after: String, $task: ID) { runEvents(after: $after, task: $task) { cursor type task { legacyId } run { state } } }';

interface RunEvents {
  runEvents: { cursor: string; type: string; task: { legacyId: number } };
}

const eventsOf = ({ received }: Stream) =>
  received.map((message) => (message.data as RunEvents | null)?.runEvents ?? fail(message));

function fail(message: Message): never {
  throw new Error(`no event: ${JSON.stringify(message)}`);
}

const idOf = (task: number) => Buffer.from(`Task:${task}`).toString('base64');

async function newestCursor(): Promise<string> {
  const { events } = await app.query<{ events: { pageInfo: { endCursor: string } } }>(
    '{ events(last: 1) { pageInfo { endCursor } } }',
  );
  return events.pageInfo.endCursor;
}

/** The log becomes what it was at the cursor, and goes on with as many other events, which have the same ids. */
async function putBack(cursor: string, count: number): Promise<void> {
  const seq = seqOf(cursor);
  await database.orm.em.fork().transactional(async (em) => {
    await em.execute('create temporary table lost on commit drop as select * from event where seq > ?', [seq]);
    await em.execute('delete from event where seq > ?', [seq]);
    await em.execute(
      `insert into event (id, seq, type, task_id, task_name, actor_id, run_id, run_state, attempt)
       select first.id + n, ? + 1 + n, first.type, 1, 'Other', 1, first.run_id, first.run_state, 0
       from (select * from lost order by seq limit 1) as first, generate_series(0, ? - 1) as n`,
      [seq, count],
    );
    await em.execute('update event_log set head = ? + ?', [seq, count]);
    await em.execute(`select setval(pg_get_serial_sequence('event', 'id'), max(id)) from event`);
  });
}

beforeAll(async () => {
  await addTasks(database.orm.em, { count: 2 });
  await append(5);
});

describe.each(Object.entries(TRANSPORTS))('a subscription over %s', (_name, transport: Transport) => {
  let streams = 0;

  beforeEach(async () => {
    await expect.poll(() => metric('slotkeeper_streams')).toBe(0);
    streams = 0;
  });

  async function subscribe(ask: Ask): Promise<Stream> {
    const stream = await transport(app, ask);
    open.push(stream);
    streams += 1;
    return stream;
  }

  /** From now on it hears of everything. */
  const isLive = () => expect.poll(() => metric('slotkeeper_live_subscribers')).toBe(streams);

  test('without a cursor it begins now; with one it has exactly what follows, then continues live', async () => {
    const before = await newestCursor();
    await append(3);
    const late = await subscribe({ query: RUN_EVENTS });
    const resumed = await subscribe({ query: RUN_EVENTS, variables: { after: before } });
    await isLive();
    await append(2, 2);
    await expect.poll(() => late.received.length).toBe(2);
    await expect.poll(() => resumed.received.length).toBe(5);
    const head = seqOf(before);
    expect(eventsOf(resumed).map(({ cursor }) => seqOf(cursor))).toEqual([1, 2, 3, 4, 5].map((n) => head + n));
    expect(eventsOf(late)).toEqual(eventsOf(resumed).slice(3));
    expect(eventsOf(late).map(({ task }) => task.legacyId)).toEqual([2, 2]);
  });

  test('of one task has the events of that task alone', async () => {
    const after = await newestCursor();
    const stream = await subscribe({ query: RUN_EVENTS, variables: { task: idOf(2), after } });
    await append(2, 1);
    await append(3, 2);
    await expect.poll(() => stream.received.length).toBe(3);
    expect(new Set(eventsOf(stream).map(({ task }) => task.legacyId))).toEqual(new Set([2]));
  });

  test.each([
    ['that is none', 'zz'],
    ['of another installation', Buffer.from('00000000-0000-4000-8000-000000000000.1').toString('base64url')],
  ])('with a cursor %s ends in CURSOR_EXPIRED', async (_what, after) => {
    const stream = await subscribe({ query: RUN_EVENTS, variables: { after } });
    await stream.ended;
    expect(stream.received).toMatchObject([{ errors: [{ extensions: { code: 'CURSOR_EXPIRED' } }] }]);
  });

  test('that is followed ends in CURSOR_EXPIRED when the log becomes that of another server', async () => {
    const stream = await subscribe({ query: RUN_EVENTS });
    await isLive();
    // What a process sees after a fail-over: the timeline is not the one last seen.
    await rows(database.orm.em, 'update event_log set timeline = timeline - 1');
    await append(1);
    expect(await stream.ended).toBe('complete');
    expect(stream.received.at(-1)).toMatchObject({ errors: [{ extensions: { code: 'CURSOR_EXPIRED' } }] });
    // The log goes on under another id.
    const after = await newestCursor();
    await append(1);
    const anew = await subscribe({ query: RUN_EVENTS, variables: { after } });
    await expect.poll(() => anew.received.length).toBe(1);
  });

  test('resumes from a cursor of an earlier version, which had only a position', async () => {
    const [logId, seq] = Buffer.from(await newestCursor(), 'base64url')
      .toString()
      .split('.');
    const stream = await subscribe({
      query: RUN_EVENTS,
      variables: { after: Buffer.from(`${logId}.${seq}`).toString('base64url') },
    });
    await append(1);
    await expect.poll(() => stream.received.length).toBe(1);
  });

  test('with a cursor of what was lost when an older disk was put back ends in CURSOR_EXPIRED, also while it is followed', async () => {
    await append(3);
    const kept = await newestCursor();
    const followed = await subscribe({ query: RUN_EVENTS });
    await isLive();
    await append(2);
    await expect.poll(() => followed.received.length).toBe(2);
    const lost = await newestCursor();
    await putBack(kept, 4);
    await append(1);
    expect(await followed.ended).toBe('complete');
    expect(followed.received.at(-1)).toMatchObject({ errors: [{ extensions: { code: 'CURSOR_EXPIRED' } }] });
    streams -= 1;
    const resumed = await subscribe({ query: RUN_EVENTS, variables: { after: lost } });
    await resumed.ended;
    expect(resumed.received).toMatchObject([{ errors: [{ extensions: { code: 'CURSOR_EXPIRED' } }] }]);
    streams -= 1;
    const feed = await subscribe({
      query: 'subscription ($after: String) { taskFeed(after: $after) { __typename } }',
      variables: { after: lost },
    });
    await feed.ended;
    expect(feed.received).toMatchObject([{ errors: [{ extensions: { code: 'CURSOR_EXPIRED' } }] }]);
    streams -= 1;
    // What both histories have is a place to go on from.
    const again = await subscribe({ query: RUN_EVENTS, variables: { after: kept } });
    await expect.poll(() => again.received.length).toBe(5);
  });

  test('ends when its key is revoked, and opens no more', async () => {
    const name = `user ${Math.random()}`;
    const key = `key-${Math.random()}`.replace('.', '');
    await app.query(
      `mutation ($key: String!, $name: String!, $id: Int!) {
        importApiKey(input: { key: $key, secret: "their-secret", userLegacyId: $id, userName: $name, role: VIEWER }) { apiKey { key } }
      }`,
      { key, name, id: 100 + Math.floor(Math.random() * 1e6) },
    );
    const theirs = { address: app.address, authorization: basic(key, 'their-secret') };
    const stream = await transport(theirs, { query: RUN_EVENTS });
    open.push(stream);
    const other = await subscribe({ query: RUN_EVENTS });
    streams += 1;
    await isLive();
    await app.query('mutation ($key: String!) { revokeApiKey(input: { key: $key }) { apiKey { revokedAt } } }', {
      key,
    });
    await stream.ended;
    await append(1);
    await expect.poll(() => other.received.length).toBe(1);
    expect(stream.received.filter(({ data }) => data?.runEvents)).toEqual([]);
    const again = await transport(theirs, { query: RUN_EVENTS }).catch(() => null);
    if (again !== null) {
      await again.ended;
      expect(again.received.filter(({ data }) => data?.runEvents)).toEqual([]);
    }
  });

  test('that its client closes leaves nothing behind', async () => {
    const after = await newestCursor();
    for (let round = 0; round < 10; round += 1) {
      const [live, resumed] = [
        await subscribe({ query: RUN_EVENTS }),
        await subscribe({ query: RUN_EVENTS, variables: { after } }),
      ];
      await isLive();
      await append(1);
      await expect.poll(() => live.received.length).toBe(1);
      // Closed while it waits for the next event.
      await live.close();
      await resumed.close();
      streams -= 2;
      await expect.poll(() => metric('slotkeeper_streams')).toBe(0);
      expect(await metric('slotkeeper_live_subscribers')).toBe(0);
    }
  });

  test('costs no read of the database while nothing happens beyond one for all, nor more for many than for one', async () => {
    const ask = { query: RUN_EVENTS };
    await subscribe(ask);
    await isLive();
    const readsOf = async (count: number) => {
      const before = await metric('slotkeeper_event_reads_total');
      await append(count);
      const seen = seqOf(await newestCursor());
      for (const stream of open) {
        await expect.poll(() => seqOf(eventsOf(stream).at(-1)?.cursor ?? 'MC4w')).toBe(seen);
      }
      return (await metric('slotkeeper_event_reads_total')) - before;
    };
    expect(await readsOf(10)).toBe(1);
    for (let count = 0; count < 20; count += 1) await subscribe(ask);
    await isLive();
    expect(await readsOf(10)).toBe(1);
  });
});

test('a socket whose key was revoked does nothing more, even if its client does not close it', async () => {
  const key = `socket-${process.pid}`;
  await app.query(
    `mutation ($key: String!) {
      importApiKey(input: { key: $key, secret: "s", userLegacyId: 77, userName: "socket", role: ADMIN }) { apiKey { key } }
    }`,
    { key },
  );
  const socket = new WebSocket(`${app.address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  await new Promise((resolve) => socket.on('open', resolve));
  const said = new Promise((resolve) => socket.once('message', resolve));
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: basic(key, 's') } }));
  await said;
  // It does not read, so it never answers the close; what it sends gets through.
  socket.pause();
  await app.query('mutation ($key: String!) { revokeApiKey(input: { key: $key }) { apiKey { key } } }', { key });
  await expect.poll(() => metric('slotkeeper_streams')).toBe(0);
  const query = 'mutation { deleteTask(input: { task: { legacyId: 2 } }) { task { id } } }';
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(await rows(database.orm.em, 'select id from task where deleted_at is not null')).toEqual([]);
  socket.resume();
  await closed;
});

test('what served a subscription is let go with it: its entity managers, abort signals and sockets', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const forks: WeakRef<object>[] = [];
  const fork = vi.spyOn(SqlEntityManager.prototype, 'fork');
  try {
    for (let round = 0; round < 10; round += 1) {
      for (const transport of Object.values(TRANSPORTS)) {
        const stream = await transport(app, { query: RUN_EVENTS });
        await expect.poll(() => metric('slotkeeper_live_subscribers')).toBe(1);
        await append(1);
        await expect.poll(() => stream.received.length).toBe(1);
        await stream.close();
        await expect.poll(() => metric('slotkeeper_streams')).toBe(0);
      }
    }
    for (const { value } of fork.mock.results) forks.push(new WeakRef(value as object));
  } finally {
    // It remembers all that it returned.
    fork.mockRestore();
    fork.mockClear();
  }
  expect(forks.length).toBeGreaterThan(60);
  const alive = async () => {
    // The newest may be held by what is under way.
    await new Promise((resolve) => setTimeout(resolve, 20));
    collect();
    return forks.filter((each) => each.deref() !== undefined).length;
  };
  await expect.poll(alive).toBeLessThan(5);
});

test('an EventSource that is disconnected before its first event knows where it began', async () => {
  const after = await newestCursor();
  const controller = new AbortController();
  const response = await fetch(`${app.address}/graphql?${new URLSearchParams({ query: RUN_EVENTS })}`, {
    headers: { authorization: app.authorization, accept: 'text/event-stream' },
    signal: controller.signal,
  });
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.includes('id: ')) break;
  }
  controller.abort();
  // An id alone is no event.
  expect(text).toBe(`:\n\nid: ${after}\n\n`);
});

test('without subscribers and waiting calls, the log is not read', async () => {
  await expect.poll(() => metric('slotkeeper_streams')).toBe(0);
  const before = await metric('slotkeeper_event_reads_total');
  await append(5);
  // Longer than the poll that makes up for a lost wake-up.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(await metric('slotkeeper_event_reads_total')).toBe(before);
});

test('a subscription whose transport is not served leaves nothing behind', async () => {
  const parameters = new URLSearchParams({ query: RUN_EVENTS });
  const { status } = await get(`${app.address}/graphql?${parameters}`, {
    authorization: app.authorization,
    accept: 'multipart/mixed',
  });
  expect(status).toBe(406);
  expect(await metric('slotkeeper_streams')).toBe(0);
});

test('equal subscriptions are executed once, whatever they come over and wherever they began', async () => {
  const after = await newestCursor();
  await append(1);
  const transports = Object.values(TRANSPORTS);
  for (const [index, transport] of transports.entries()) {
    open.push(await transport(app, { query: RUN_EVENTS, variables: index % 2 === 0 ? {} : { after } }));
  }
  await expect.poll(() => metric('slotkeeper_live_subscribers')).toBe(transports.length);
  const queries = vi.spyOn((await import('pg')).default.Client.prototype, 'query');
  try {
    await append(1);
    for (const [index, stream] of open.entries())
      await expect.poll(() => stream.received.length).toBe(index % 2 === 0 ? 1 : 2);
    const texts = queries.mock.calls.map(([query]) => (query as { text?: string }).text ?? String(query));
    // The task and the run of the event, once for all four.
    expect(texts.filter((text) => text.includes('from "run" where id = any'))).toHaveLength(1);
    expect(texts.filter((text) => text.includes('from "task" where id = any'))).toHaveLength(1);
  } finally {
    queries.mockRestore();
  }
});

test('a page after or before a cursor of what was lost when an older disk was put back is CURSOR_EXPIRED', async () => {
  await append(3);
  const kept = await newestCursor();
  await append(2);
  const lost = await newestCursor();
  await putBack(kept, 4);
  const codeOf = async (args: string, cursor: string) => {
    const { errors } = await app.post(`query ($cursor: String!) { events(${args}) { edges { cursor } } }`, { cursor });
    return errors?.[0]?.extensions?.code;
  };
  expect(await codeOf('first: 5, after: $cursor', lost)).toBe('CURSOR_EXPIRED');
  expect(await codeOf('last: 5, before: $cursor', lost)).toBe('CURSOR_EXPIRED');
  expect(await codeOf('first: 5, after: $cursor', kept)).toBeUndefined();
  expect(await codeOf('last: 5, before: $cursor', kept)).toBeUndefined();
});
