// Traces as a collector gets them, from a request to its run in another process.
import type { ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { FAILED, KIND, type ReceivedSpan, readSpans } from '../support/otlp.ts';
import { type AppProcess, startProcess } from '../support/process.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';

const HTTP_REQUEST = '\\scheduler\\Tasks\\HttpRequestTask';
const CARELESS = '\\test\\Careless';
const LOADED_PACKAGES = '\\test\\LoadedPackages';
const MODULE = fileURLToPath(new URL('../support/process-tasks.ts', import.meta.url));
/** Spans must arrive within this time. */
const SENT_WITHIN = { timeout: 30_000 };
/** Planted in data, headers, variables, query texts and the collector's header: none may be in a span. */
const SECRETS = [
  'p1anted-url',
  'p1anted-header',
  'p1anted-stored',
  'p1anted-query',
  'admin-secret',
  'p1anted-collector',
];

let database: TestDatabase;
let collector: Receiver;
let target: Receiver;
let gateway: AppProcess;
let runner: AppProcess;
/** The pending responses of `/held`. */
const held: ServerResponse[] = [];

const spans = () => collector.requests.flatMap(({ bytes }) => readSpans(bytes));
const traceId = (digit: string) => digit.repeat(32);
const ofTrace = (id: string) => spans().filter((span) => span.traceId === id);
const named = (name: string) => (span: ReceivedSpan) => span.name === name;

function tracing(): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.port}/`,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer p1anted-collector',
    OTEL_BSP_SCHEDULE_DELAY: '200',
    LOG_LEVEL: 'info',
  };
}

function startRunner(settings: Record<string, string> = {}): Promise<AppProcess> {
  return startProcess(database.url, {
    ROLE: 'runner',
    METRICS_PORT: '0',
    HTTP_ALLOW_PRIVATE: '*',
    TASK_MODULES: MODULE,
    ...settings,
  });
}

beforeAll(async () => {
  database = await testDatabase();
  collector = await startReceiver();
  target = await startReceiver({
    '/broken': (response) => void response.writeHead(500).end(),
    '/held': (response) => void held.push(response),
  });
  [gateway, runner] = await Promise.all([
    startProcess(database.url, { ROLE: 'gateway', ...tracing() }),
    startRunner(tracing()),
  ]);
});

afterAll(async () => {
  await Promise.all([gateway?.stop(), runner?.stop(), collector?.close(), target?.close()]);
  await database?.close();
});

async function addTask(name: string, className: string, data: object, more: object = {}): Promise<number> {
  const { addTask } = await gateway.query<{ addTask: { task: { legacyId: number } } }>(
    'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { legacyId } } }',
    { input: { name, className, data, ...more } },
  );
  return addTask.task.legacyId;
}

const EXECUTE = `mutation Nightly($task: Int!, $data: JSON) {
  executeTask(input: { task: { legacyId: $task }, data: $data, waitSeconds: 60 }) { run { id state message } }
}`;

interface Run {
  id: string;
  state: string;
  message: string;
}

async function execute(variables: object, headers: Record<string, string>, query = EXECUTE): Promise<Run> {
  const reply = await fetch(`${gateway.address}/graphql`, {
    method: 'POST',
    headers: { authorization: gateway.authorization, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  const { data } = (await reply.json()) as { data: { executeTask: { run: Run } } };
  return data.executeTask.run;
}

test('a run is in the trace of its request, and so is the URL that it calls', async () => {
  await gateway.query('mutation ($input: SetSecretInput!) { setSecret(input: $input) { secret { name } } }', {
    input: { name: 'token', value: 'p1anted-stored', allowedHosts: [`http://127.0.0.1:${target.port}`] },
  });
  const task = await addTask('Call', HTTP_REQUEST, { url: `http://127.0.0.1:${target.port}/` });
  const id = traceId('a');
  const data = {
    url: `http://127.0.0.1:${target.port}/?key=p1anted-url`,
    headers: { 'x-one': 'p1anted-header', 'x-two': { secret: 'token' } },
  };
  const run = await execute(
    { task, data },
    { traceparent: `00-${id}-1234567890abcdef-01`, 'x-request-id': 'request-1' },
    `# p1anted-query\n${EXECUTE}`,
  );
  expect(run.state).toBe('SUCCEEDED');

  await expect.poll(() => ofTrace(id).length, SENT_WITHIN).toBe(3);
  const [request] = ofTrace(id).filter(named('POST /graphql'));
  const [queued] = ofTrace(id).filter(named('queue run'));
  const [attempt] = ofTrace(id).filter(named('run attempt'));
  expect(request).toMatchObject({
    kind: KIND.server,
    parentSpanId: '1234567890abcdef',
    status: 0,
    attributes: {
      'slotkeeper.request.id': 'request-1',
      'graphql.operation.type': 'mutation',
      'graphql.operation.name': 'Nightly',
      'slotkeeper.operation': 'executeTask',
      'http.response.status_code': 200,
    },
    resource: { 'service.name': 'slotkeeper', 'slotkeeper.role': 'gateway' },
  });
  expect(queued).toMatchObject({ kind: KIND.producer, parentSpanId: request?.spanId });
  expect(attempt).toMatchObject({
    kind: KIND.consumer,
    parentSpanId: queued?.spanId,
    status: 0,
    attributes: {
      'slotkeeper.run.id': run.id,
      'slotkeeper.run.trigger': 'MANUAL',
      'slotkeeper.task.class': HTTP_REQUEST,
      'slotkeeper.attempt': 1,
      'slotkeeper.state': 'SUCCEEDED',
    },
    resource: { 'slotkeeper.role': 'runner' },
  });
  expect(target.requests.at(-1)?.headers).toMatchObject({
    traceparent: `00-${id}-${attempt?.spanId}-01`,
    'x-two': 'p1anted-stored',
  });
});

test('failed attempts have failed spans, each with the same parent', async () => {
  const url = `http://127.0.0.1:${target.port}/broken`;
  const task = await addTask('Fail', HTTP_REQUEST, { url }, { policy: { retry: { attempts: 2, delaySeconds: 0 } } });
  const id = traceId('b');
  await execute({ task }, { traceparent: `00-${id}-1234567890abcdef-01` });
  const attempts = () => ofTrace(id).filter(named('run attempt'));
  await expect.poll(() => attempts().length, SENT_WITHIN).toBe(2);
  const [queued] = ofTrace(id).filter(named('queue run'));
  for (const attempt of attempts()) {
    expect(attempt).toMatchObject({
      parentSpanId: queued?.spanId,
      status: FAILED,
      attributes: { 'slotkeeper.state': 'FAILED' },
    });
  }
  expect(attempts().map(({ attributes }) => attributes['slotkeeper.attempt'])).toEqual([1, 2]);
});

test('an old call has a span named after its action, and its log line has the trace id', async () => {
  const task = await addTask('Old', LOADED_PACKAGES, {});
  const id = traceId('c');
  const headers = { traceparent: `00-${id}-1234567890abcdef-01`, 'x-request-id': 'old-1' };
  await gateway.legacy(`target=scheduler&action=executeTask&taskId=${task}`, { headers });
  await expect.poll(() => ofTrace(id).filter(named('run attempt')).length, SENT_WITHIN).toBe(1);
  await expect.poll(() => ofTrace(id).filter(named('api.php executeTask')).length, SENT_WITHIN).toBe(1);
  const line = gateway
    .output()
    .split('\n')
    .find((each) => each.includes('"requestId":"old-1"'));
  expect(JSON.parse(line ?? '{}')).toMatchObject({ msg: 'old call', traceId: id, action: 'executeTask' });
});

test('an unhandled rejection of a task is logged with its run and its trace', async () => {
  const task = await addTask('Careless', CARELESS, {});
  const { id } = await execute({ task }, { traceparent: `00-${traceId('f')}-1234567890abcdef-01` });
  const find = () =>
    runner
      .output()
      .split('\n')
      .find((line) => line.includes('nobody awaits this'));
  await expect.poll(find).toBeDefined();
  expect(JSON.parse(find() ?? '{}')).toMatchObject({ runId: id, attempt: 1, traceId: traceId('f') });
});

test('an operation over a WebSocket has its own span, which its run continues', async () => {
  const task = await addTask('Socket', LOADED_PACKAGES, {});
  const client = createClient({
    url: `${gateway.address.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: gateway.authorization },
  });
  const { value } = await client.iterate<{ executeTask: { run: Run } }>({ query: EXECUTE, variables: { task } }).next();
  await client.dispose();
  const isOf = ({ attributes }: ReceivedSpan) => attributes['slotkeeper.run.id'] === value.data?.executeTask.run.id;
  await expect.poll(() => spans().filter(isOf).length, SENT_WITHIN).toBe(2);
  const [attempt] = spans().filter(isOf).filter(named('run attempt'));
  await expect
    .poll(
      () =>
        ofTrace(attempt?.traceId ?? '')
          .map(({ name }) => name)
          .toSorted(),
      SENT_WITHIN,
    )
    .toEqual(['WebSocket /graphql', 'queue run', 'run attempt']);
});

test('the run of a slot starts a trace, which its further attempts continue', async () => {
  const url = `http://127.0.0.1:${target.port}/broken`;
  const policy = { retry: { attempts: 2, delaySeconds: 0 } };
  const task = await addTask('Slot', HTTP_REQUEST, { url }, { policy, repeatItems: [{ minute: null }] });
  await database.orm.em
    .getConnection()
    .execute(`update task set next_run_at = date_trunc('minute', now()) where id = ${task}`);
  const attempts = () => spans().filter(({ attributes }) => attributes['slotkeeper.run.trigger'] === 'SCHEDULE');
  await expect.poll(() => attempts().length, { timeout: 90_000 }).toBeGreaterThanOrEqual(2);
  const [first, second] = attempts();
  expect(first).toMatchObject({ parentSpanId: '', attributes: { 'slotkeeper.attempt': 1 } });
  expect(first?.attributes['slotkeeper.run.slot']).toMatch(/^20\d\d-.*:00\.000Z$/);
  expect(second).toMatchObject({
    traceId: first?.traceId,
    parentSpanId: first?.spanId,
    attributes: { 'slotkeeper.attempt': 2, 'slotkeeper.run.id': first?.attributes['slotkeeper.run.id'] },
  });
  await gateway.query('mutation ($task: Int!) { pauseTask(input: { task: { legacyId: $task } }) { task { id } } }', {
    task,
  });
});

const ASK = `mutation ($task: Int!) { executeTask(input: { task: { legacyId: $task } }) { run { id state message } } }`;
const attemptsOf = (id: string) => ofTrace(id).filter(named('run attempt'));

test('a run that waits for an earlier one is in the trace of its request', async () => {
  const task = await addTask('Wait', HTTP_REQUEST, { url: `http://127.0.0.1:${target.port}/held` });
  const [first, second] = [traceId('1'), traceId('2')];
  await execute({ task }, { traceparent: `00-${first}-1234567890abcdef-01` }, ASK);
  const run = await execute({ task }, { traceparent: `00-${second}-1234567890abcdef-01` }, ASK);
  for (const _run of [first, second]) {
    await expect.poll(() => held.length, SENT_WITHIN).toBe(1);
    held.pop()?.end();
  }
  await expect.poll(() => attemptsOf(second).length, SENT_WITHIN).toBe(1);
  const [queued] = ofTrace(second).filter(named('queue run'));
  expect(queued?.attributes['slotkeeper.run.id']).toBe(run.id);
  expect(attemptsOf(second)).toMatchObject([
    { parentSpanId: queued?.spanId, attributes: { 'slotkeeper.run.id': run.id } },
  ]);
});

test('all runs of a backfill are in the trace of its request', async () => {
  const task = await addTask('Backfill', LOADED_PACKAGES, {}, { repeatItems: [{ minute: null }] });
  const id = traceId('3');
  const to = new Date(Math.floor(Date.now() / 60_000) * 60_000);
  const from = new Date(to.getTime() - 3 * 60_000);
  await execute(
    { task, from, to },
    { traceparent: `00-${id}-1234567890abcdef-01` },
    `mutation ($task: Int!, $from: DateTime!, $to: DateTime!) {
      pauseTask(input: { task: { legacyId: $task } }) { task { id } }
      backfillTask(input: { task: { legacyId: $task }, from: $from, to: $to }) { runs { id } }
      executeTask(input: { task: { legacyId: $task } }) { run { id } }
    }`,
  );
  await expect.poll(() => attemptsOf(id).length, SENT_WITHIN).toBe(4);
  const [queued] = ofTrace(id).filter(named('queue runs'));
  expect(queued?.attributes).toMatchObject({ 'slotkeeper.runs': 3, 'slotkeeper.run.trigger': 'BACKFILL' });
  const backfilled = attemptsOf(id).filter(({ parentSpanId }) => parentSpanId === queued?.spanId);
  expect(backfilled.map(({ attributes }) => attributes['slotkeeper.run.slot'])).toEqual(
    [0, 1, 2].map((minutes) => new Date(from.getTime() + minutes * 60_000).toISOString()),
  );
});

test('the attempt after a lost runner is in the trace of the request, although the lost attempt is not', async () => {
  const url = `http://127.0.0.1:${target.port}/held`;
  const task = await addTask('Lose', HTTP_REQUEST, { url }, { policy: { retry: { attempts: 2, delaySeconds: 0 } } });
  const id = traceId('4');
  await execute({ task }, { traceparent: `00-${id}-1234567890abcdef-01` }, ASK);
  await expect.poll(() => held.length, SENT_WITHIN).toBe(1);
  runner.child.kill('SIGKILL');
  held.pop();
  runner = await startRunner(tracing());
  await expect.poll(() => held.length, { timeout: 60_000 }).toBe(1);
  held.pop()?.end();
  await expect.poll(() => attemptsOf(id).length, SENT_WITHIN).toBe(1);
  const [queued] = ofTrace(id).filter(named('queue run'));
  expect(attemptsOf(id)).toMatchObject([
    { parentSpanId: queued?.spanId, status: 0, attributes: { 'slotkeeper.attempt': 2 } },
  ]);
});

test('an unsampled or invalid traceparent affects only the trace', async () => {
  const task = await addTask('Unsampled', LOADED_PACKAGES, {});
  const unsampled = traceId('d');
  const wrong = traceId('g');
  await execute({ task }, { traceparent: `00-${unsampled}-1234567890abcdef-00` });
  const { id } = await execute({ task }, { traceparent: `00-${wrong}-1234567890abcdef-01` });
  const isOf = ({ attributes }: ReceivedSpan) => attributes['slotkeeper.run.id'] === id;
  await expect.poll(() => spans().filter(isOf).length, SENT_WITHIN).toBe(2);
  expect(ofTrace(unsampled)).toEqual([]);
});

test('pending spans are sent at a stop, without secrets, and the collector gets its header', async () => {
  const other = await startProcess(database.url, { ROLE: 'gateway', ...tracing() });
  const before = collector.requests.length;
  await fetch(`${other.address}/graphql`, {
    method: 'POST',
    headers: { traceparent: `00-${traceId('e')}-1234567890abcdef-01` },
  });
  await other.stop();
  expect(collector.requests.length).toBe(before + 1);
  expect(ofTrace(traceId('e'))).toMatchObject([{ attributes: { 'http.response.status_code': 401 } }]);
  for (const { headers } of collector.requests) expect(headers.authorization).toBe('Bearer p1anted-collector');
  const sent = Buffer.concat(collector.requests.map(({ bytes }) => bytes));
  for (const secret of SECRETS) expect(sent.includes(secret), secret).toBe(false);
  expect([gateway, runner, other].map(({ output }) => output()).join('')).not.toContain('p1anted-collector');
});

test.each([
  ['refuses connections', async () => 1],
  [
    'does not answer',
    async () => {
      const silent = await startReceiver({ '/v1/traces': () => undefined });
      onTestFinished(() => silent.close());
      return silent.port;
    },
  ],
])('a collector that %s does not affect requests, and delays a stop at most by its timeout', async (_what, portOf) => {
  const other = await startProcess(database.url, {
    ROLE: 'gateway',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await portOf()}`,
    OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
  });
  await other.query('{ viewer { name } }');
  const begun = performance.now();
  await other.stop();
  expect(performance.now() - begun).toBeLessThan(9_000);
  expect(other.output()).toContain('could not send traces');
});

test('invalid settings end the start with a sentence that names them without their values', async () => {
  const settings = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318',
    OTEL_TRACES_SAMPLER: 'sometimes',
    OTEL_TRACES_SAMPLER_ARG: '1.5',
    GRAPHIQL: 'yes',
  };
  const start = startProcess(database.url, settings);
  await expect(start).rejects.toThrow(/Invalid settings: GRAPHIQL .*OTEL_EXPORTER_OTLP_ENDPOINT must be an http/);
  await expect(start).rejects.toThrow(/OTEL_TRACES_SAMPLER must be one of .*OTEL_TRACES_SAMPLER_ARG must be a number/);
  await expect(start).rejects.not.toThrow('collector:4318');
});

test('without tracing the OpenTelemetry SDK is not loaded', async () => {
  const loadedBy = async (settings: Record<string, string>) => {
    const other = await startProcess(database.url, { TASK_MODULES: MODULE, CONCURRENCY: '1', ...settings });
    const { addTask } = await other.query<{ addTask: { task: { legacyId: number } } }>(
      'mutation ($name: String!) { addTask(input: { name: "Loaded", className: $name }) { task { legacyId } } }',
      { name: LOADED_PACKAGES },
    );
    const { executeTask } = await other.query<{ executeTask: { run: Run } }>(EXECUTE, { task: addTask.task.legacyId });
    await other.stop();
    return executeTask.run.message.split(' ');
  };
  // So that the other process is the only runner.
  await runner.stop();
  // prom-client loads the API, which does nothing by itself.
  const isOpenTelemetry = (name: string) => name.startsWith('@opentelemetry/') && name !== '@opentelemetry/api';
  const off = await loadedBy({});
  expect(off).toContain('pino');
  expect(off.filter(isOpenTelemetry)).toEqual([]);
  expect((await loadedBy({ ...tracing(), OTEL_SDK_DISABLED: 'true' })).filter(isOpenTelemetry)).toEqual([]);
  expect(await loadedBy(tracing())).toContain('@opentelemetry/sdk-trace');
});
