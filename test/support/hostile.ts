// Calls of the old API as nobody should make them, by the thousand, and what the server made of them.
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import { expect } from 'vitest';
import { ACTIONS } from '../../src/legacy/actions.ts';
import { signedQuery } from '../../src/legacy/signature.ts';
import { ADMIN, HOLDING } from './app.ts';
import { contentsOf } from './contents.ts';
import { testDatabase } from './database.ts';
import { residentMiB, startProcess } from './process.ts';

const MEBIBYTE = 1024 * 1024;

interface Hostile {
  method: string;
  query: string;
  headers: Record<string, string>;
  body?: Buffer | string;
}

const sign = (query: string) => signedQuery(query, ADMIN.key, ADMIN.secret);
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((each) => Buffer.from(each));
const types = fc.constantFrom(
  'application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=X',
  'multipart/form-data',
  'text/plain',
  'application/octet-stream',
  'application/json; charset=utf-16',
);
const action = fc.constantFrom(...ACTIONS.map(({ name }) => name), 'drop', '', '__proto__', 'constructor');
const call = action.map((name) => `target=scheduler&action=${name}`);
const writing = fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE');

/** No query here has a class that there is, nor the id of a task that there is: whatever else fits, nothing is stored. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    '',
    '0',
    -1,
    2 ** 31,
    1e300,
    '999999999999999999999',
    [],
    {},
    [[]],
    'x\0y',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.double(),
);
const parameters = fc
  .record(
    {
      taskId: fc.oneof(value, fc.integer({ min: 2 })),
      id: fc.oneof(value, fc.integer({ min: 2 })),
      user_id: value,
      name: value,
      class_name: fc.oneof(value, fc.constant(`${HOLDING}x`)),
      data: value,
      active: value,
      repeat_items: fc.oneof(
        value,
        fc.array(fc.dictionary(fc.constantFrom('repeat_hour', 'repeat_start', 'repeat_week'), value)),
      ),
      repeat_hour: value,
    },
    { requiredKeys: [] },
  )
  .map(({ taskId, id, class_name, ...rest }) => ({ ...rest, ...harmless({ taskId, id, class_name }) }));

function harmless({ taskId, id, class_name }: Record<string, unknown>) {
  const isTask = (given: unknown) => typeof given !== 'object' && (given === undefined || Number(given) === 1);
  return {
    taskId: isTask(taskId) ? 'no task' : taskId,
    id: isTask(id) ? 'no task' : id,
    class_name: class_name === HOLDING ? 'none' : class_name,
  };
}

const post = (query: string, type: string, body: Buffer | string): Hostile => ({
  method: 'POST',
  query,
  headers: { 'content-type': type },
  body,
});
const wrongTypes = fc.tuple(call, parameters, types).map(([query, fields, type]) => {
  const body = type.includes('json') ? JSON.stringify(fields) : new URLSearchParams(textsOf(fields)).toString();
  return post(sign(query), type, body);
});
const wrongTypesByGet = fc.tuple(call, parameters).map(([query, fields]) => ({
  method: 'GET',
  query: sign(`${query}&${new URLSearchParams(textsOf(fields))}`),
  headers: {},
}));

function textsOf(fields: object): Record<string, string> {
  const entries = Object.entries(fields).filter(([, each]) => each !== undefined);
  return Object.fromEntries(
    entries.map(([name, each]) => [name, typeof each === 'string' ? each : (JSON.stringify(each) ?? '')]),
  );
}

const randomBodies = fc.tuple(call, types, bytes(2_000)).map(([query, type, body]) => post(sign(query), type, body));
const halfJson = fc.tuple(call, parameters, fc.nat()).map(([query, fields, cut]) => {
  const text = JSON.stringify(fields);
  return post(sign(query), 'application/json', text.slice(0, cut % text.length));
});
const deep = fc
  .tuple(call, fc.integer({ min: 65, max: 50_000 }), fc.boolean())
  .map(([query, depth, inJson]) =>
    inJson
      ? post(sign(query), 'application/json', `{"data":${'['.repeat(depth)}${']'.repeat(depth)}}`)
      : post(sign(query), 'application/x-www-form-urlencoded', `data${'[a]'.repeat(depth)}=1`),
  );
const many = fc
  .tuple(call, fc.integer({ min: 1_001, max: 20_000 }))
  .map(([query, count]) => post(sign(query), 'application/x-www-form-urlencoded', 'data[]=1&'.repeat(count)));
const queryBytes = bytes(300).map((each) =>
  each.toString('latin1').replace(/[^!-~]/g, (character) => encodeURIComponent(character)),
);
const randomQueries = fc
  .tuple(queryBytes, fc.boolean())
  .map(([query, isSigned]) => ({ method: 'GET', query: isSigned ? sign(query) : query, headers: {} }));
const strangers = fc
  .tuple(
    call,
    fc.string({ unit: 'grapheme-ascii', maxLength: 50 }),
    fc.string({ unit: 'grapheme-ascii', maxLength: 60 }),
  )
  .map(([query, key, hash]) => ({
    method: 'GET',
    query: `${query}&apiKey=${encodeURIComponent(key)}&hash=${encodeURIComponent(hash)}`,
    headers: { authorization: `Basic ${Buffer.from(`${key}:${hash}`).toString('base64')}` },
  }));
const wrongMethods = fc
  .tuple(writing, fc.constantFrom('deleteTask', 'executeTask', 'updateTask'), types)
  .map(([method, name, type]) => ({
    method,
    query: sign(`target=scheduler&action=${name}${method === 'POST' ? '' : '&taskId=1'}`),
    headers: { 'content-type': type },
    body: method === 'POST' ? 'taskId=none' : 'taskId=1',
  }));
const longKeys = fc
  .tuple(call, fc.string({ unit: 'grapheme-ascii', minLength: 201, maxLength: 2_000 }))
  .map(([query, key]) => ({
    ...post(sign(query), 'application/json', '{"class_name":"x"}'),
    headers: { 'idempotency-key': key.replace(/[^!-~]/g, 'x') },
  }));

const hostile: fc.Arbitrary<Hostile> = fc.oneof(
  { weight: 6, arbitrary: wrongTypes },
  { weight: 3, arbitrary: wrongTypesByGet },
  { weight: 3, arbitrary: randomBodies },
  { weight: 2, arbitrary: halfJson },
  { weight: 1, arbitrary: deep },
  { weight: 1, arbitrary: many },
  { weight: 3, arbitrary: randomQueries },
  { weight: 2, arbitrary: strangers },
  { weight: 1, arbitrary: wrongMethods },
  { weight: 1, arbitrary: longKeys },
);

const AT_ONCE = 4;
const HUGE = 20;
const GARBAGE = 100;

interface Answered {
  status: number;
  milliseconds: number;
  body: string;
}

function send(address: string, agent: Agent, { method, query, headers, body }: Hostile): Promise<Answered> {
  const begin = performance.now();
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const options = { method, agent, headers: { ...headers, ...length } };
    const sent = request(`${address}/api/v1/api.php?${query}`, options, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, milliseconds: performance.now() - begin, body: text });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Bytes that are no HTTP; whatever the server says to them, it must live on. */
async function sendGarbage(address: string, garbage: Buffer): Promise<string> {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  socket.end(garbage);
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

/** Sends the calls, and expects no fault of the server, nothing stored, and (on Linux) no memory that grows. */
export async function sendHostileCalls(count: number): Promise<void> {
  const database = await testDatabase();
  // A heap that is small: what is kept of every call would end the process, and collections come soon enough to measure.
  const settings = {
    ROLE: 'gateway',
    LOG_LEVEL: 'error',
    NODE_OPTIONS: '--max-old-space-size=256 --max-semi-space-size=16',
  };
  const app = await startProcess(database.url, settings);
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  try {
    await app.query(
      'mutation ($name: String!) { addTask(input: { name: "Task", className: $name }) { task { id } } }',
      {
        name: HOLDING,
      },
    );
    await app.query('{ events(first: 1) { edges { cursor } } }');
    const before = await contentsOf(database.orm);
    const calls = fc.sample(hostile, count);
    const answered: Answered[] = [];
    const memory: number[] = [];
    let next = 0;
    const sender = async () => {
      for (let each = calls[next++]; each !== undefined; each = calls[next++]) {
        const answer = await send(app.address, agent, each);
        answered.push(answer);
        if (answer.status !== 200 && answer.status !== 401 && answer.status !== 431)
          expect({ each, answer }).toBeNull();
        if (answered.length % Math.ceil(count / 10) === 0) memory.push(await residentMiB(app.child.pid));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, sender));
    const big = Buffer.alloc(8 * MEBIBYTE - 100, '[');
    for (let index = 0; index < HUGE; index += 1) {
      const type = index % 2 === 0 ? 'application/json' : 'application/x-www-form-urlencoded';
      expect((await send(app.address, agent, post(sign('target=scheduler&action=addTask'), type, big))).status).toBe(
        200,
      );
    }
    for (const garbage of fc.sample(bytes(500), GARBAGE)) {
      expect(await sendGarbage(app.address, garbage)).not.toMatch(/^HTTP\/1\.1 5/);
    }

    expect(answered).toHaveLength(count);
    expect(await contentsOf(database.orm)).toEqual(before);
    expect(app.child.exitCode).toBeNull();
    expect(app.output()).not.toMatch(/"level":[56]0/);
    expect(
      (await send(app.address, agent, { method: 'GET', query: sign('target=scheduler&action=getTasks'), headers: {} }))
        .body,
    ).toContain('"Task"');
    report(answered, memory);
    if (memory.length >= 10) expect((memory.at(-1) ?? 0) - (memory[4] ?? 0)).toBeLessThan(32);
  } finally {
    agent.destroy();
    await app.stop();
    await database.close();
  }
}

function report(answered: readonly Answered[], memory: readonly number[]): void {
  const sorted = answered.map(({ milliseconds }) => milliseconds).sort((left, right) => left - right);
  const at = (part: number) => sorted[Math.floor(part * (sorted.length - 1))]?.toFixed(1);
  process.stdout.write(
    `${sorted.length} hostile calls: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms; MiB resident ${memory.map(Math.round).join(' ')}\n`,
  );
}
