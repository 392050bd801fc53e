// Tasks that call a URL, by the doors that users take, against receivers that behave and others that do not.
import type { NetworkInterfaceInfo } from 'node:os';
import { setDefaultCACertificates } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Vault } from '../../src/credentials/vault.ts';
import { createLog } from '../../src/lib/log.ts';
import { PrivateTargets } from '../../src/task-classes/built-in/http-request/private-targets.ts';
import { httpRequestTask } from '../../src/task-classes/built-in/http-request-task.ts';
import { MASTER_KEY, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { CERTIFICATE, KEY } from '../support/hooks-example.ts';
import { type Receiver, raw, redirect, startReceiver } from '../support/receiver.ts';

const HTTP_REQUEST = '\\scheduler\\Tasks\\HttpRequestTask';
/** The same, with a resolver that the test steers. */
const RESOLVED = '\\test\\HttpRequestTask';
const SECRET = 's3cr3t/"of+many=characters';
const MEBIBYTE = 1024 * 1024;

let database: TestDatabase;
let app: TestApp;
/** Listed in HTTP_ALLOW_PRIVATE with their ports, `unlisted` is not. */
let receiver: Receiver;
let other: Receiver;
let secure: Receiver;
let unlisted: Receiver;
let endless = { bytes: 0 };
const logged: string[] = [];
const answers = new Map<string, { address: string; family: number }[][]>();
const asked: string[] = [];

/** What a name resolves to: the next of its answers, the last one for ever. */
async function lookup(host: string) {
  asked.push(host);
  const left = answers.get(host) ?? [];
  const [next = []] = left.length > 1 ? left.splice(0, 1) : left;
  return next;
}

/** A machine with public addresses of its own, in their networks. */
const interfaces = () => {
  const cidrs = ['93.184.215.14/24', '2a01:4f8:1:2::10/64'];
  return { eth0: cidrs.map((cidr) => ({ address: cidr.split('/')[0] ?? '', cidr }) as NetworkInterfaceInfo) };
};

const ipv4 = (...addresses: string[]) => addresses.map((address) => ({ address, family: 4 }));

beforeAll(async () => {
  setDefaultCACertificates([CERTIFICATE]);
  unlisted = await startReceiver();
  other = await startReceiver({ '/echo': (response, { headers }) => void response.end(JSON.stringify(headers)) });
  const at = (port: number, path: string) => `http://127.0.0.1:${port}${path}`;
  secure = await startReceiver(
    { '/down': redirect(at(other.port, '/end')), '/stay': redirect('/end') },
    { tls: { key: KEY, cert: CERTIFICATE } },
  );
  receiver = await startReceiver({
    '/404': (response) => void response.writeHead(404).end('there is nothing here'),
    '/500': (response) => void response.writeHead(500).end('it broke'),
    '/429': (response) => void response.writeHead(429, { 'retry-after': '120' }).end(),
    '/409': (response) => void response.writeHead(409).end(),
    '/204': (response) => void response.writeHead(204).end(),
    '/hang': () => undefined,
    '/drip-headers': raw('HTTP/1.1 200 OK\r\n', { text: 'x: y\r\n', milliseconds: 50 }),
    '/drip-body': raw('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n', { text: 'x', milliseconds: 50 }),
    '/drip-information': raw('', { text: 'HTTP/1.1 102 Processing\r\n\r\n', milliseconds: 50 }),
    '/drip-chunk': raw('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x=', { text: 'y', milliseconds: 50 }),
    '/endless': (response) => {
      const write = () => {
        while (!response.destroyed) {
          endless.bytes += 65_536;
          if (!response.write(Buffer.alloc(65_536, 'x'))) return void response.once('drain', write);
        }
      };
      write();
    },
    '/huge-headers': raw(`HTTP/1.1 200 OK\r\n${`x-filler: ${'y'.repeat(1_000)}\r\n`.repeat(100)}\r\n`),
    '/reset': (response, { socket }) => {
      response.writeHead(200, { 'content-length': '1000' }).write('half');
      setImmediate(() => socket.resetAndDestroy());
    },
    '/hang-up': (_response, { socket }) => socket.destroy(),
    '/upgrade': raw('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
    '/nonsense': raw('this is no HTTP\r\n\r\n'),
    '/bomb': (response) =>
      void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(64 * MEBIBYTE))),
    '/echo': (response, { headers }) => {
      const credentials = headers.authorization ?? '';
      const encoded = Buffer.from(`user:${credentials}`).toString('base64');
      response.end(`${JSON.stringify(headers)} ${encoded} ${encodeURIComponent(credentials)}`);
    },
    '/echo-in-path': (response, { headers }) =>
      void response.writeHead(302, { location: `/${encodeURIComponent(headers.authorization ?? '')}/404` }).end(),
    '/echo-status': (response, { headers }) =>
      void response.writeHead(500, `${headers['x-token']}`, { 'retry-after': `${headers['x-token']}` }).end(),
    '/edge': (response, { headers }) => void response.end(`${'x'.repeat(990)}${headers['x-token']}`),
    '/loop': redirect('/loop'),
    '/once': redirect('/end'),
    '/302': redirect('/end', 302),
    '/303': redirect('/end', 303),
    '/307': redirect('/end', 307),
    '/away': redirect(at(other.port, '/end'), 307),
    '/inward': redirect(at(unlisted.port, '/')),
    '/metadata': redirect('http://169.254.169.254/latest/meta-data/'),
    '/file': redirect('file:///etc/passwd'),
    '/user': redirect(`http://user:password@127.0.0.1:${other.port}/`),
    '/no-location': (response) => void response.writeHead(302).end(),
  });
  const list = [receiver, other].map(({ port }) => `127.0.0.1:${port}`);
  const privateTargets = PrivateTargets.parse([...list, 'hooks.example', 'wrong.example'].join(), interfaces);
  const write = (line: string) => void logged.push(line);
  const processLog = createLog('trace', { write });
  const resolved = {
    ...httpRequestTask({ vault: new Vault(MASTER_KEY), privateTargets, lookup, processLog }),
    name: RESOLVED,
  };
  database = await testDatabase();
  app = await startTestApp(database.url, {
    settings: { HTTP_ALLOW_PRIVATE: privateTargets, LOG_LEVEL: 'trace' },
    taskClasses: [resolved],
    log: { write },
  });
  for (const className of [HTTP_REQUEST, RESOLVED]) await addTask({ url: 'http://127.0.0.1/' }, { className });
  await setSecret('TOKEN', SECRET, [`http://127.0.0.1:${receiver.port}`, 'hooks.example']);
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
  for (const each of [receiver, other, secure, unlisted]) await each?.close();
});

async function addTask(data: object, { className = HTTP_REQUEST, ...input }: Record<string, unknown> = {}) {
  const { addTask: added } = await app.query<{ addTask: { task: { id: string; legacyId: number } } }>(
    'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id legacyId } } }',
    { input: { name: 'Call', className, data, ...input, policy: { overlap: 'ALLOW', ...(input.policy as object) } } },
  );
  return added.task;
}

async function setSecret(name: string, value: string, allowedHosts: string[]) {
  await app.query('mutation ($input: SetSecretInput!) { setSecret(input: $input) { secret { name } } }', {
    input: { name, value, allowedHosts },
  });
}

interface Outcome {
  id: string;
  state: string;
  attempt: number;
  message: string;
  events: { edges: { node: { type: string; message: string | null; data: unknown } }[] };
}

const RUN = 'run { id state attempt message events(first: 100) { edges { node { type message data } } } }';

async function execute(task: object, data?: object): Promise<Outcome> {
  const { executeTask } = await app.query<{ executeTask: { run: Outcome } }>(
    `mutation ($input: ExecuteTaskInput!) { executeTask(input: $input) { ${RUN} } }`,
    { input: { task, data, waitSeconds: 60 } },
  );
  return executeTask.run;
}

const to = ({ port }: Receiver, path: string) => `http://127.0.0.1:${port}${path}`;
const call = (path: string, data: object = {}) => execute({ legacyId: 1 }, { url: to(receiver, path), ...data });
const callResolved = (url: string, data: object = {}) => execute({ legacyId: 2 }, { url, ...data });
const logOf = ({ events }: Outcome) =>
  events.edges.flatMap(({ node }) => (node.type === 'LOG' ? [node.message ?? ''] : []));
const secretHeaders = { headers: { Authorization: { secret: 'TOKEN', prefix: 'Bearer ' } } };

describe('a request', () => {
  test('is sent as the task says, and its outcome is the message of the run, without the query', async () => {
    const sent = await receiver.during(async () => {
      const data = { method: 'PATCH', headers: { 'X-A': 'b', 'x-number': 5 }, body: { a: [1, null] } };
      const run = await call('/hook?token=hidden#part', data);
      expect(run.state).toBe('SUCCEEDED');
      expect(run.message).toMatch(new RegExp(`^200 OK from ${to(receiver, '/hook')} in \\d+ ms$`));
      expect(logOf(run)).toEqual([]);
    });
    expect(sent).toMatchObject([{ method: 'PATCH', path: '/hook?token=hidden', body: '{"a":[1,null]}' }]);
    expect(sent[0]?.headers).toMatchObject({
      host: `127.0.0.1:${receiver.port}`,
      'x-a': 'b',
      'x-number': '5',
      'content-type': 'application/json',
      'content-length': '14',
      'user-agent': expect.stringMatching(/^Slotkeeper\/\d+\.\d+\.\d+$/),
      'idempotency-key': expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
    });
  });

  test('has the headers of the task where it would send its own', async () => {
    const headers = { 'User-Agent': 'mine', 'idempotency-key': 'my key', 'Content-Type': 'text/csv' };
    const [sent] = await receiver.during(() => call('/', { method: 'POST', headers, body: 'a;b' }));
    expect(sent).toMatchObject({
      body: 'a;b',
      headers: { 'user-agent': 'mine', 'idempotency-key': 'my key', 'content-type': 'text/csv' },
    });
  });

  test('may be described by a form of the old API, with its numbers as text and its lists as objects', async () => {
    const fields = {
      'data[url]': to(receiver, '/204'),
      'data[method]': 'POST',
      'data[headers][X-Form]': '7',
      'data[headers][Authorization][secret]': 'TOKEN',
      'data[expected_status][0]': '200',
      'data[expected_status][1]': '204-205',
      'data[timeout_seconds]': '5',
      'data[max_redirects]': '0',
    };
    const body = new URLSearchParams({ user_id: '1', name: 'Form', class_name: HTTP_REQUEST, active: '1', ...fields });
    body.set('repeat_items[0][repeat_hour]', '20');
    const added = await app.legacy('target=scheduler&action=addTask', { method: 'POST', body });
    const [, id = added] = /\((\d+)\) added/.exec(added) ?? [];
    const [sent] = await receiver.during(async () => {
      const reply = JSON.parse(await app.legacy(`target=scheduler&action=executeTask&taskId=${id}`));
      expect(reply).toMatchObject({ success: 1, message: expect.stringMatching(/^204 No Content from /) });
    });
    expect(sent).toMatchObject({ method: 'POST', headers: { 'x-form': '7', authorization: SECRET } });
    expect(await app.legacy(`target=scheduler&action=getTaskHistory&taskId=${id}`)).not.toContain('s3cr3t');
  });

  test.each<[string, object]>([
    ['url', { url: 'ftp://example.org/' }],
    ['url', { url: 'http://user:password@example.org/' }],
    ['url', { url: 'nonsense' }],
    ['url', {}],
    ['method', { method: 'TRACE' }],
    ['headers.Host', { headers: { Host: 'x' } }],
    ['headers.Transfer-Encoding', { headers: { 'Transfer-Encoding': 'chunked' } }],
    ['headers.X', { headers: { X: 'a\r\nY: b' } }],
    ['headers.X Y', { headers: { 'X Y': 'a' } }],
    ['headers.x', { headers: { X: 'a', x: 'b' } }],
    ['headers.X', { headers: { X: { secret: 'a b' } } }],
    ['body', { body: 'a GET has none' }],
    ['expected_status', { expected_status: '2xx' }],
    ['timeout_seconds', { timeout_seconds: 0 }],
    ['max_redirects', { max_redirects: 21 }],
    ['max_response_bytes', { max_response_bytes: 16 * MEBIBYTE + 1 }],
    ['log_response', { log_response: 8_001 }],
  ])('with a wrong %s is refused when the task is saved: %j', async (field, data) => {
    const url = Object.hasOwn(data, 'url') || Object.keys(data).length === 0 ? {} : { url: 'http://example.org/' };
    const { errors } = await app.post('mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }', {
      input: { name: 'Call', className: HTTP_REQUEST, data: { ...url, ...data } },
    });
    expect(errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: `input.data.${field}` });
  });

  test('names a host that does not exist, and one that does not listen', async () => {
    const closed = await startReceiver();
    await closed.close();
    answers.set('closed.example', [ipv4('127.0.0.1')]);
    expect(await execute({ legacyId: 1 }, { url: `http://nowhere.invalid:${closed.port}/` })).toMatchObject({
      state: 'FAILED',
      message: expect.stringMatching(/^No whole response from http:\/\/nowhere\.invalid:\d+\/: (ENOTFOUND|EAI_AGAIN)/),
    });
    answers.set('hooks.example', [ipv4('127.0.0.1')]);
    const refused = await callResolved(`http://hooks.example:${closed.port}/`);
    const words = 'ECONNREFUSED (connection refused)';
    expect(refused.message).toBe(`No whole response from http://hooks.example:${closed.port}/: ${words}.`);
    // The address is for those who read the log of the process.
    const line = logged.find((each) => each.includes('a call got no whole response') && each.includes(refused.id));
    expect(JSON.parse(line ?? '{}').errors).toEqual([
      { code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.1', port: closed.port },
    ]);
  });
});

describe('a status', () => {
  test('that is not expected fails, with the beginning of the response in the log', async () => {
    const run = await call('/404');
    expect(run.state).toBe('FAILED');
    expect(run.message).toMatch(/^404 Not Found from .*\/404 in \d+ ms; expected is 200-299\.$/);
    expect(logOf(run)).toEqual(['Response: there is nothing here']);
    expect(await call('/404', { log_response: 5 }).then(logOf)).toEqual(['Response: there [cut]']);
    expect(await call('/404', { log_response: 0 }).then(logOf)).toEqual([]);
    expect(await call('/429').then(logOf)).toEqual(['The response has no body.', 'Retry-After: 120']);
  });

  test('that is expected succeeds, whatever it is', async () => {
    expect(await call('/404', { expected_status: 404 })).toMatchObject({ state: 'SUCCEEDED' });
    expect(await call('/500', { expected_status: ['200-299', 500], log_response: '100' }).then(logOf)).toEqual([
      'Response: it broke',
    ]);
    expect(await call('/', { expected_status: '201' })).toMatchObject({ state: 'FAILED' });
  });

  test.each([
    ['/404', 1],
    ['/409', 2],
    ['/429', 2],
    ['/500', 2],
    ['/hang-up', 2],
  ])('of %s is tried %i times, each with the same idempotency key', async (path, tries) => {
    const policy = { retry: { attempts: 2, delaySeconds: 0 } };
    const task = await addTask({ url: to(receiver, path) }, { policy });
    const sent = await receiver.during(async () => {
      expect(await execute({ id: task.id })).toMatchObject({ state: 'FAILED', attempt: tries });
    });
    expect(sent).toHaveLength(tries);
    expect(new Set(sent.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });
});

test('the idempotency key is one for each slot, also when it is run again, and one for each run without a slot', async () => {
  const task = await addTask({ url: to(receiver, '/') }, { repeatItems: [{ minute: 0 }], active: false });
  const hour = Math.floor(Date.now() / 3_600_000);
  const [from, to_] = [hour - 3, hour - 1].map((each) => new Date(each * 3_600_000).toISOString());
  const keys = async (work: () => Promise<unknown>, count: number) => {
    const sent = await receiver.during(async () => {
      const before = receiver.requests.length;
      await work();
      await expect.poll(() => receiver.requests.length - before).toBe(count);
    });
    return sent.map(({ headers }) => headers['idempotency-key']);
  };
  let runs: string[] = [];
  const slots = await keys(async () => {
    const { backfillTask } = await app.query<{ backfillTask: { runs: { id: string }[] } }>(
      'mutation ($input: BackfillTaskInput!) { backfillTask(input: $input) { runs { id } } }',
      { input: { task: { id: task.id }, from, to: to_ } },
    );
    runs = backfillTask.runs.map(({ id }) => id);
  }, 2);
  expect(new Set(slots).size).toBe(2);
  const again = await keys(async () => {
    for (const run of runs) {
      await expect
        .poll(() => app.query('query ($run: ID!) { run(id: $run) { state } }', { run }))
        .toEqual({ run: { state: 'SUCCEEDED' } });
      await app.query('mutation ($run: ID!) { retryRun(input: { run: $run, waitSeconds: 60 }) { run { state } } }', {
        run,
      });
    }
  }, 2);
  expect(again.toSorted()).toEqual(slots.toSorted());
  const manual = await keys(async () => {
    await execute({ id: task.id });
    await execute({ id: task.id });
  }, 2);
  expect(new Set([...slots, ...manual]).size).toBe(4);
});

describe('a hostile receiver', () => {
  test('that does not come to an end is left when the time is over, wherever it dawdles', async () => {
    const begun = performance.now();
    const paths = ['/hang', '/drip-headers', '/drip-body', '/drip-information', '/drip-chunk'];
    for (const run of await Promise.all(paths.map((path) => call(path, { timeout_seconds: 1 })))) {
      expect(run).toMatchObject({
        state: 'FAILED',
        message: 'No whole response within 1 seconds (timeout_seconds).',
      });
    }
    expect(performance.now() - begun).toBeGreaterThan(990);
    await expect.poll(() => receiver.open()).toBe(0);
  });

  test('that sends an endless body is left at the limit, and nothing is tried again', async () => {
    endless = { bytes: 0 };
    const task = await addTask(
      { url: to(receiver, '/endless'), max_response_bytes: MEBIBYTE },
      { policy: { retry: { attempts: 2, delaySeconds: 0 } } },
    );
    const run = await execute({ id: task.id });
    expect(run).toMatchObject({ state: 'FAILED', attempt: 1 });
    expect(run.message).toMatch(/^200 OK from .* but the response is larger than max_response_bytes/);
    await expect.poll(() => receiver.open()).toBe(0);
    // What was under way in the buffers of both ends comes on top.
    expect(endless.bytes).toBeLessThan(32 * MEBIBYTE);
  });

  test('that sends a body of exactly the limit is fine, and of one byte more is not', async () => {
    expect(await call('/', { max_response_bytes: 2 })).toMatchObject({ state: 'SUCCEEDED' });
    expect(await call('/', { max_response_bytes: 1 })).toMatchObject({ state: 'FAILED' });
  });

  test.each([
    ['huge-headers', /Headers Overflow/i],
    ['reset', /ECONNRESET|other side closed|content-length/i],
    ['hang-up', /other side closed|ECONNRESET/i],
    ['upgrade', /upgrade/i],
    ['nonsense', /Parse Error|Expected HTTP/i],
  ])('that answers with %s fails the attempt, which may be tried again', async (path, message) => {
    const run = await call(`/${path}`);
    expect(run.state).toBe('FAILED');
    expect(run.message).toMatch(/^No whole response from /);
    expect(run.message).toMatch(message);
    await expect.poll(() => receiver.open()).toBe(0);
  });

  test('that sends 64 MiB in a few bytes of gzip does not get them unpacked', async () => {
    const run = await call('/bomb', { max_response_bytes: 100_000, log_response: 100 });
    expect(run).toMatchObject({ state: 'SUCCEEDED' });
    expect(logOf(run)).toEqual(['The response is compressed and is not shown.']);
  });
});

describe('a redirect', () => {
  test('is followed, as often as the task says', async () => {
    const run = await call('/once');
    expect(run.message).toContain(`200 OK from ${to(receiver, '/end')} in `);
    expect(logOf(run)).toEqual([`302 Found from ${to(receiver, '/once')}: redirected to ${to(receiver, '/end')}`]);
    expect(await call('/once', { max_redirects: 0, expected_status: 302 })).toMatchObject({ state: 'SUCCEEDED' });
    expect((await call('/no-location')).message).toContain('302 Found');
    const sent = await receiver.during(async () => {
      const { state, message } = await call('/loop', { max_redirects: 3 });
      expect(state).toBe('FAILED');
      expect(message).toContain('redirects again, after 3 redirects');
    });
    expect(sent).toHaveLength(4);
  });

  test.each([
    ['/302', 'POST', 'GET', ''],
    ['/303', 'PUT', 'GET', ''],
    ['/302', 'PUT', 'PUT', 'x'],
    ['/307', 'POST', 'POST', 'x'],
  ])('%s of a %s becomes a %s', async (path, method, becomes, body) => {
    const [, followed] = await receiver.during(() => call(path, { method, body: 'x' }));
    expect(followed).toMatchObject({ path: '/end', method: becomes, body });
    expect(followed?.headers['content-type']).toBe(body === '' ? undefined : 'text/plain; charset=utf-8');
  });

  test('keeps secrets at their origin, and takes none of the credentials to another one', async () => {
    const headers = { ...secretHeaders.headers, Cookie: 'a=b', 'X-Token': { secret: 'TOKEN' }, 'X-Other': 'c' };
    const [, followed] = await receiver.during(() => call('/once', { headers }));
    expect(followed?.headers).toMatchObject({ authorization: `Bearer ${SECRET}`, cookie: 'a=b', 'x-token': SECRET });
    const [away] = await other.during(() => call('/away', { method: 'POST', headers, body: 'x' }));
    expect(away).toMatchObject({ method: 'POST', path: '/end', body: 'x', headers: { 'x-other': 'c' } });
    for (const name of ['authorization', 'cookie', 'x-token']) expect(away?.headers).not.toHaveProperty(name);
  });

  test.each(['/inward', '/metadata', '/file', '/user'])('%s is refused and not tried again', async (path) => {
    const task = await addTask({ url: to(receiver, path) }, { policy: { retry: { attempts: 2, delaySeconds: 0 } } });
    expect(await execute({ id: task.id })).toMatchObject({ state: 'FAILED', attempt: 1 });
    expect(unlisted.connections()).toBe(0);
  });
});

describe('a private target', () => {
  const FORMS = [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '%31%32%37.0.0.1',
    '１２７.0.0.1',
    '127.0.0.1.',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '0.0.0.0',
    '[::]',
    'localhost',
    'LOCALHOST.',
    '10.0.0.1',
    '169.254.169.254',
    '[fd00:ec2::254]',
    '[fe80::1]',
  ];

  test.each(FORMS)('is refused in the form of %s', async (host) => {
    const { state, message } = await execute({ legacyId: 1 }, { url: `http://${host}:${unlisted.port}/` });
    expect(state).toBe('FAILED');
    expect(message).toMatch(/^The target .* is refused: its address is not public \(/);
    expect(unlisted.connections()).toBe(0);
  });

  test('is refused where a name has it among its addresses', async () => {
    answers.set('mixed.example', [[...ipv4('203.0.114.1', '127.0.0.1')]]);
    answers.set('none.example', [[]]);
    expect((await callResolved(`http://mixed.example:${unlisted.port}/`)).message).toContain('not public (loopback)');
    expect((await callResolved('http://none.example/')).message).toContain('has no address');
    expect(unlisted.connections()).toBe(0);
  });

  test.each([
    ['168.63.129.16', 'cloud platform'],
    ['93.184.215.14', 'own network'],
    ['93.184.215.99', 'own network'],
    ['2a01:4f8:1:2::99', 'own network'],
  ])('is what only this machine and its neighbours reach so: %s', async (address, kind) => {
    answers.set('own.example', [[{ address, family: address.includes(':') ? 6 : 4 }]]);
    const { state, message } = await callResolved('http://own.example/');
    expect(state).toBe('FAILED');
    expect(message).toContain(`is refused: its address is not public (${kind})`);
  });

  test('is never reached by a name whose answer changes', async () => {
    // On the port that is allowed at 127.0.0.1, so that nothing but the address is wrong.
    const trap = await startReceiver({}, { host: '127.0.0.2', port: receiver.port });
    try {
      answers.set('changing.example', [ipv4('127.0.0.1'), ipv4('127.0.0.2')]);
      asked.length = 0;
      const url = `http://changing.example:${receiver.port}`;
      const sent = await receiver.during(async () => {
        expect(await callResolved(`${url}/`)).toMatchObject({ state: 'SUCCEEDED' });
      });
      expect(sent[0]?.headers.host).toBe(`changing.example:${receiver.port}`);
      // One question for the judgement and the connection; the next request asks anew and is judged anew.
      expect(asked).toEqual(['changing.example']);
      expect((await callResolved(`${url}/`)).message).toContain('is refused');
      answers.set('changing.example', [ipv4('127.0.0.1'), ipv4('127.0.0.2')]);
      expect((await callResolved(`${url}/once`)).message).toContain('is refused');
      expect(trap.connections()).toBe(0);
    } finally {
      await trap.close();
    }
  });
});

describe('a secret', () => {
  test('is sent, and what the receiver sends back of it is nowhere', async () => {
    const headers = { ...secretHeaders.headers, 'X-Token': { secret: 'TOKEN' } };
    const [sent] = await receiver.during(async () => {
      const echoed = await call('/echo', { headers, log_response: 8_000 });
      expect(logOf(echoed).join()).toMatch(/Response: .*\[secret\].*\[secret\]/);
    });
    expect(sent?.headers).toMatchObject({ authorization: `Bearer ${SECRET}`, 'x-token': SECRET });
    expect((await call('/echo-in-path', { headers })).message).toContain('/Bearer%20[secret]/404');
    expect((await call('/echo-status', { headers })).state).toBe('FAILED');
    // Its beginning would be at the end of what is shown.
    const edge = await call('/edge', { headers, log_response: 1_000 });
    expect(logOf(edge)).toEqual([`Response: ${'x'.repeat(990)}[secret]`]);
    await execute({ legacyId: 1 }, { url: `http://${encodeURIComponent('s3cr3t')}.invalid/`, headers: {} });

    const { events } = await app.query<{ events: object }>(
      '{ events(last: 500, filter: {types: [LOG, RETRYING, SUCCEEDED, FAILED]}) { edges { node { message data run { message } } } } }',
    );
    const history = await app.legacy('target=scheduler&action=getTaskHistory&taskId=1');
    const base64 = Buffer.from(SECRET).toString('base64').slice(4, -4);
    for (const text of [JSON.stringify(events), history, logged.join('')]) {
      expect(text).not.toContain('of+many');
      expect(text).not.toContain('of%2Bmany');
      expect(text).not.toContain(base64);
    }
  });

  test.each<[string, object, RegExp]>([
    [
      'there is not',
      { headers: { A: { secret: 'ABSENT' } } },
      /^There is no secret ABSENT, to which the header A refers/,
    ],
    [
      'may not go there',
      { headers: { A: { secret: 'ELSEWHERE' } } },
      /^The secret ELSEWHERE, to which the header A refers, may not be sent to http:\/\/127\.0\.0\.1:\d+ by plain http: /,
    ],
    [
      'is stored for https',
      { headers: { A: { secret: 'BARE' } } },
      /: its allowedHosts list no "http:\/\/127\.0\.0\.1:\d+"\. Accepted are https, to a host that they list, or that entry among them\.$/,
    ],
    [
      'was sealed for another name',
      { headers: { A: { secret: 'MOVED' } } },
      /cannot be opened with the MASTER_KEY of this/,
    ],
  ])('that %s fails the run before anything is sent', async (_what, data, message) => {
    await setSecret('ELSEWHERE', 'value', ['example.org', '*.0.0.1.example']);
    await setSecret('BARE', 'value', ['127.0.0.1', 'http://127.0.0.1', `http://127.0.0.1:${other.port}`]);
    await setSecret('MOVED', 'value', [`http://127.0.0.1:${receiver.port}`]);
    await database.orm.em
      .getConnection()
      .execute(
        `update secret set sealed_value = (select sealed_value from secret where name = 'TOKEN') where name = 'MOVED'`,
      );
    const connections = receiver.connections();
    const run = await call('/', data);
    expect(run.state).toBe('FAILED');
    expect(run.message).toMatch(message);
    expect(receiver.connections()).toBe(connections);
  });
});

describe('https', () => {
  const url = (host: string, path: string) => `https://${host}:${secure.port}${path}`;

  beforeAll(() => {
    for (const host of ['hooks.example', 'wrong.example']) answers.set(host, [ipv4('127.0.0.1')]);
  });

  test('verifies the certificate for the name of the URL', async () => {
    const [sent] = await secure.during(async () => {
      expect(await callResolved(url('hooks.example', '/stay'), secretHeaders)).toMatchObject({ state: 'SUCCEEDED' });
    });
    expect(sent?.headers).toMatchObject({ host: `hooks.example:${secure.port}`, authorization: `Bearer ${SECRET}` });
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    onTestFinished(() => void delete process.env.NODE_TLS_REJECT_UNAUTHORIZED);
    expect((await callResolved(url('wrong.example', '/'))).message).toMatch(/No whole response from .*altnames/);
    expect((await callResolved(`https://hooks.example:${receiver.port}/`)).message).toMatch(
      /No whole response from .*SSL/,
    );
  });

  test('is not left for http with a secret', async () => {
    const sent = await other.during(async () => {
      const run = await callResolved(url('hooks.example', '/down'), secretHeaders);
      expect(run.message).toMatch(/redirects a request with secrets from https to http\.$/);
    });
    expect(sent).toEqual([]);
    expect(await callResolved(url('hooks.example', '/down'))).toMatchObject({ state: 'SUCCEEDED' });
  });

  test('is required for a secret that is stored for a host, whatever answers at its name by plain http', async () => {
    answers.set('hooks.example', [ipv4('127.0.0.1')]);
    const connections = receiver.connections();
    const run = await callResolved(`http://hooks.example:${receiver.port}/`, secretHeaders);
    expect(run).toMatchObject({ state: 'FAILED' });
    expect(run.message).toBe(
      `The secret TOKEN, to which the header Authorization refers, may not be sent to http://hooks.example:${receiver.port} by plain http: its allowedHosts list no "http://hooks.example:${receiver.port}". Accepted are https, to a host that they list, or that entry among them.`,
    );
    await setSecret('PLAIN', 'a value', [`http://HOOKS.example:${receiver.port}`]);
    const headers = { A: { secret: 'PLAIN' } };
    expect((await callResolved(url('hooks.example', '/'), { headers })).message).toBe(
      'The secret PLAIN, to which the header A refers, may not be sent to hooks.example: its allowedHosts do not list it.',
    );
    expect(receiver.connections()).toBe(connections);
    const [sent, ...followed] = await receiver.during(async () => {
      const redirected = await callResolved(`http://hooks.example.:${receiver.port}/away`, { headers });
      expect(redirected).toMatchObject({ state: 'SUCCEEDED' });
    });
    expect(sent?.headers).toMatchObject({ a: 'a value' });
    expect(followed).toEqual([]);
    expect(other.requests.at(-1)).toMatchObject({ path: '/end' });
    expect(other.requests.at(-1)?.headers).not.toHaveProperty('a');
  });
});

describe('a running request', () => {
  test('ends at once when its run is cancelled', async () => {
    const { executeTask } = await app.query<{ executeTask: { run: { id: string } } }>(
      'mutation ($data: JSON) { executeTask(input: { task: { legacyId: 1 }, data: $data }) { run { id } } }',
      { data: { url: to(receiver, '/hang') } },
    );
    await expect.poll(() => receiver.open()).toBe(1);
    const run = executeTask.run.id;
    await app.query('mutation ($run: ID!) { cancelRun(input: { run: $run }) { run { state } } }', { run });
    await expect.poll(() => receiver.open()).toBe(0);
    await expect
      .poll(() => app.query('query ($run: ID!) { run(id: $run) { state message } }', { run }))
      .toEqual({ run: { state: 'CANCELLED', message: 'Cancelled on request.' } });
  });

  test('ends at once when the process stops, also while the name is looked up', async () => {
    const stopped = await testDatabase();
    const looking = Promise.withResolvers<void>();
    const parts = { vault: new Vault(MASTER_KEY), privateTargets: PrivateTargets.parse('*') };
    const never = () => {
      looking.resolve();
      return new Promise<never>(() => undefined);
    };
    const stopping = await startTestApp(stopped.url, {
      settings: { HTTP_ALLOW_PRIVATE: parts.privateTargets, GRACE_SECONDS: 0 },
      taskClasses: [{ ...httpRequestTask({ ...parts, lookup: never }), name: RESOLVED }],
    });
    try {
      for (const [className, url] of [
        [HTTP_REQUEST, to(receiver, '/hang')],
        [RESOLVED, 'http://slow.example/'],
      ]) {
        await stopping.query(`mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }`, {
          input: { name: 'Call', className, data: { url } },
        });
      }
      await stopping.query(
        'mutation { a: executeTask(input: {task: {legacyId: 1}}) { run { id } } b: executeTask(input: {task: {legacyId: 2}}) { run { id } } }',
      );
      await looking.promise;
      await expect.poll(() => receiver.open()).toBe(1);
      const begun = performance.now();
      await stopping.stop();
      // Code that ignores its signal is left behind after five seconds.
      expect(performance.now() - begun).toBeLessThan(4_000);
      await expect.poll(() => receiver.open()).toBe(0);
    } finally {
      await stopped.close();
    }
  });
});

test('no connection is left open', async () => {
  for (const each of [receiver, other, secure, unlisted]) await expect.poll(() => each.open()).toBe(0);
});
