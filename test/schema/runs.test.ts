// What becomes of runs: retries, timeouts, cancellation, overlap, log and progress.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { heldClass } from '../support/test-classes.ts';

const held = heldClass();
let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { taskClasses: [held.taskClass] });
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

interface RunFields {
  id: string;
  state: string;
  message: string | null;
  attempt: number;
  skipReason: string | null;
  progress: number | null;
  events: { edges: { node: { type: string; message: string | null } }[] };
}

const FIELDS = 'id state message attempt skipReason progress events(first: 100) { edges { node { type message } } }';

async function addTask(policy: object = {}): Promise<string> {
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
    `mutation ($className: String!, $policy: TaskPolicyInput) {
      addTask(input: { name: "Held", className: $className, policy: $policy }) { task { id } }
    }`,
    { className: held.taskClass.name, policy },
  );
  return addTask.task.id;
}

async function execute(task: string, data: object | null = null): Promise<string> {
  const { executeTask } = await app.query<{ executeTask: { run: { id: string } } }>(
    'mutation ($task: ID!, $data: JSON) { executeTask(input: { task: { id: $task }, data: $data }) { run { id } } }',
    { task, data },
  );
  return executeTask.run.id;
}

async function run(id: string): Promise<RunFields> {
  const { run } = await app.query<{ run: RunFields }>(`query ($id: ID!) { run(id: $id) { ${FIELDS} } }`, { id });
  return run;
}

async function types(id: string): Promise<string[]> {
  return (await run(id)).events.edges.map(({ node }) => node.type);
}

function untilState(id: string, state: string) {
  return expect.poll(async () => (await run(id)).state, { interval: 50 }).toBe(state);
}

function cancel(id: string) {
  return app.post('mutation ($run: ID!) { cancelRun(input: { run: $run }) { run { state } } }', { run: id });
}

test('a failed attempt is tried again as often as the task says, each with its events', async () => {
  const task = await addTask({ retry: { attempts: 3, delaySeconds: 0 } });
  const id = await execute(task);
  (await held.next()).fail('first');
  (await held.next()).fail('second');
  const third = await held.next();
  expect(third.context.run.attempt).toBe(3);
  third.succeed('at last');
  await untilState(id, 'SUCCEEDED');
  expect(await types(id)).toEqual(['QUEUED', 'STARTED', 'RETRYING', 'STARTED', 'RETRYING', 'STARTED', 'SUCCEEDED']);
  expect(await run(id)).toMatchObject({ message: 'at last', attempt: 3 });
});

test('after the last attempt a run has failed, with the message of the code', async () => {
  const id = await execute(await addTask());
  (await held.next()).fail('out of disk');
  await untilState(id, 'FAILED');
  expect(await run(id)).toMatchObject({ message: 'out of disk', attempt: 1 });
});

test('a retry waits for its delay', async () => {
  const task = await addTask({ retry: { attempts: 2, delaySeconds: 1 } });
  const id = await execute(task);
  (await held.next()).fail('once');
  (await held.next()).succeed('done');
  await untilState(id, 'SUCCEEDED');
  const [gap] = await database.orm.em.getConnection().execute<{ seconds: number }[]>(
    `select extract(epoch from max(at) filter (where type = 'STARTED') - max(at) filter (where type = 'RETRYING'))::float8
       as seconds from event where run_id = (select max(id) from run)`,
  );
  // The events carry the times at which their transactions began, some milliseconds before what they did.
  expect(gap?.seconds).toBeGreaterThan(0.9);
});

test('an attempt that takes longer than its timeout fails, even if its code does not heed the signal', async () => {
  const task = await addTask({ timeoutSeconds: 1 });
  const heeds = await execute(task, {});
  await held.next();
  await untilState(heeds, 'FAILED');
  expect((await run(heeds)).message).toContain('timeout of 1 seconds');
  const ignores = await execute(task, { ignoreSignal: true });
  await held.next();
  await untilState(ignores, 'FAILED');
});

test('cancelling stops a running run through its signal and a queued one at once', async () => {
  const task = await addTask();
  const running = await execute(task);
  const attempt = await held.next();
  const waiting = await execute(task);
  expect((await cancel(waiting)).data).toEqual({ cancelRun: { run: { state: 'CANCELLED' } } });
  await cancel(running);
  await untilState(running, 'CANCELLED');
  expect(attempt.context.signal.aborted).toBe(true);
  expect(await types(waiting)).toEqual(['QUEUED', 'CANCELLED']);
  expect(await types(running)).toEqual(['QUEUED', 'STARTED', 'CANCELLED']);
  expect((await cancel(running)).errors?.[0]?.extensions.code).toBe('CONFLICT');
});

test('deleting a task ends what has not begun; what runs may end, is not tried again, and can be cancelled', async () => {
  const remove = (task: string) =>
    app.query('mutation ($task: ID!) { deleteTask(input: { task: { id: $task } }) { task { id } } }', { task });
  const task = await addTask({ retry: { attempts: 3 } });
  const running = await execute(task);
  const attempt = await held.next();
  const waiting = await execute(task);
  await remove(task);
  expect(await run(waiting)).toMatchObject({ state: 'CANCELLED', message: 'Cancelled: the task was deleted.' });
  attempt.fail('after the deletion');
  await untilState(running, 'CANCELLED');
  expect((await run(running)).message).toBe('Cancelled: its task was deleted. The last attempt: after the deletion');

  const second = await addTask();
  const cancelled = await execute(second);
  const stopped = await held.next();
  await remove(second);
  expect((await cancel(cancelled)).errors).toBeUndefined();
  await untilState(cancelled, 'CANCELLED');
  expect(stopped.context.signal.aborted).toBe(true);
  expect(
    (await app.post('mutation ($task: ID!) { executeTask(input: { task: { id: $task } }) { run { id } } }', { task }))
      .errors,
  ).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
});

test('runs by request of one task wait for each other, in the order in which they came', async () => {
  const task = await addTask();
  const ids = [await execute(task), await execute(task), await execute(task)];
  for (const id of ids) {
    const attempt = await held.next();
    expect(held.begunCount()).toBe(0);
    expect(Buffer.from(id, 'base64').toString()).toBe(`Run:${attempt.context.run.id}`);
    attempt.succeed('done');
    await untilState(id, 'SUCCEEDED');
  }
});

test('under ALLOW they run side by side', async () => {
  const task = await addTask({ overlap: 'ALLOW' });
  const ids = [await execute(task), await execute(task)];
  const attempts = [await held.next(), await held.next()];
  for (const attempt of attempts) attempt.succeed('done');
  for (const id of ids) await untilState(id, 'SUCCEEDED');
});

test('under CANCEL_RUNNING a newer run takes the place of the older', async () => {
  const task = await addTask({ overlap: 'CANCEL_RUNNING' });
  const older = await execute(task);
  await held.next();
  const newer = await execute(task);
  await untilState(older, 'CANCELLED');
  (await held.next()).succeed('done');
  await untilState(newer, 'SUCCEEDED');
});

test('a policy that now allows overlap lets the waiting runs go', async () => {
  const task = await addTask();
  const ids = [await execute(task), await execute(task)];
  const first = await held.next();
  await app.query(
    'mutation ($task: ID!) { updateTask(input: { task: { id: $task }, policy: { overlap: ALLOW } }) { task { overlap } } }',
    { task },
  );
  const second = await held.next();
  second.succeed('done');
  first.succeed('done');
  for (const id of ids) await untilState(id, 'SUCCEEDED');
});

test('log lines and progress are events of the run, and the last progress always arrives', async () => {
  const id = await execute(await addTask());
  const attempt = await held.next();
  attempt.context.log('line 1');
  for (let step = 1; step <= 10; step += 1) attempt.context.progress(step / 10);
  attempt.context.log('line 2 with a NUL \0 and half a surrogate \ud800');
  attempt.succeed('done');
  await untilState(id, 'SUCCEEDED');
  const { events, progress } = await run(id);
  const nodes = events.edges.map(({ node }) => node);
  expect(nodes.filter(({ type }) => type === 'LOG').map(({ message }) => message)).toEqual([
    'line 1',
    'line 2 with a NUL \ufffd and half a surrogate \ufffd',
  ]);
  expect(nodes.at(-1)?.type).toBe('SUCCEEDED');
  expect(nodes.some(({ type }) => type === 'PROGRESS')).toBe(true);
  expect(progress).toBe(1);
});

test('a finished run is done again by retryRun, with what it was done with', async () => {
  const first = await execute(await addTask(), { note: 'kept' });
  (await held.next()).fail('no');
  await untilState(first, 'FAILED');
  const { retryRun } = await app.query<{ retryRun: { run: { id: string; trigger: string; retryOf: { id: string } } } }>(
    'mutation ($run: ID!) { retryRun(input: { run: $run }) { run { id trigger retryOf { id } } } }',
    { run: first },
  );
  expect(retryRun.run).toMatchObject({ trigger: 'RETRY', retryOf: { id: first } });
  (await held.next()).succeed('yes');
  await untilState(retryRun.run.id, 'SUCCEEDED');
});

test('a mutation that is repeated with its idempotency key is done once, at the same instant too', async () => {
  const task = await addTask();
  const call = (data: object) =>
    app.post<{ executeTask: { run: { id: string } } }>(
      `mutation ($task: ID!, $data: JSON) {
        executeTask(input: { task: { id: $task }, data: $data, idempotencyKey: "once" }) { run { id } }
      }`,
      { task, data },
    );
  const replies = await Promise.all(Array.from({ length: 8 }, () => call({ n: 1 })));
  expect(new Set(replies.map(({ data }) => data?.executeTask.run.id)).size).toBe(1);
  expect((await call({ n: 2 })).errors?.[0]?.extensions).toMatchObject({
    code: 'CONFLICT',
    field: 'input.idempotencyKey',
  });
  (await held.next()).succeed('done');
  expect(held.begunCount()).toBe(0);
});

describe('backfillTask', () => {
  interface Backfilled {
    slots: string[];
    runs: { id: string; trigger: string; slot: string; state: string }[];
  }
  const BACKFILL = `mutation ($input: BackfillTaskInput!) {
    backfillTask(input: $input) { slots runs { id trigger slot state } }
  }`;
  const HOUR = 3_600_000;
  const hourStart = Math.floor(Date.now() / HOUR) * HOUR;
  const ago = (hours: number) => new Date(hourStart - hours * HOUR).toISOString();
  const backfill = async (input: object) =>
    (await app.query<{ backfillTask: Backfilled }>(BACKFILL, { input })).backfillTask;

  /** A paused task that is due every hour. */
  async function addHourly(policy: object = {}): Promise<string> {
    const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
      `mutation ($className: String!, $policy: TaskPolicyInput) {
        addTask(input: { name: "Hourly", className: $className, active: false, policy: $policy,
          repeatItems: [{ minute: 0 }] }) { task { id } }
      }`,
      { className: held.taskClass.name, policy },
    );
    return addTask.task.id;
  }

  test('runs the slots of the past one after the other, says which they would be, and leaves out what is done', async () => {
    const task = await addHourly({ queueLimit: 1, overlap: 'CANCEL_RUNNING' });
    const range = { task: { id: task }, from: ago(5), to: ago(2) };
    const slots = [ago(5), ago(4), ago(3)];
    expect(await backfill({ ...range, dryRun: true })).toEqual({ slots, runs: [] });
    const made = await backfill(range);
    expect(made.slots).toEqual(slots);
    expect(made.runs.map(({ trigger, slot }) => [trigger, slot])).toEqual(slots.map((slot) => ['BACKFILL', slot]));
    for (const { id } of made.runs) {
      const attempt = await held.next();
      expect(held.begunCount()).toBe(0);
      expect(Buffer.from(id, 'base64').toString()).toBe(`Run:${attempt.context.run.id}`);
      attempt.succeed('done');
      await untilState(id, 'SUCCEEDED');
    }
    expect(await backfill({ ...range, from: ago(6), dryRun: true })).toEqual({ slots: [ago(6)], runs: [] });
    expect((await backfill({ ...range, dryRun: true, includeSucceeded: true })).slots).toEqual(slots);
    expect(await backfill(range)).toEqual({ slots: [], runs: [] });
  });

  test('is done once for an idempotency key, at the same instant too', async () => {
    const task = await addHourly({ overlap: 'ALLOW' });
    const input = { task: { id: task }, from: ago(3), to: ago(1), idempotencyKey: `backfill ${task}` };
    const replies = await Promise.all([1, 2, 3].map(() => backfill(input)));
    expect(new Set(replies.map(({ runs }) => runs.map(({ id }) => id).join())).size).toBe(1);
    expect(replies[0]?.runs).toHaveLength(2);
    for (const attempt of [await held.next(), await held.next()]) attempt.succeed('done');
    for (const { id } of replies[0]?.runs ?? []) await untilState(id, 'SUCCEEDED');
  });

  test.each([
    ['what is to come', { from: ago(1), to: ago(-2) }, 'input.to'],
    ['a range that ends before it begins', { from: ago(1), to: ago(2) }, 'input.to'],
    ['more than 500 slots', { from: ago(600), to: ago(1) }, 'input.to'],
  ])('refuses %s', async (_what, range, field) => {
    const task = await addHourly();
    const { errors } = await app.post(BACKFILL, { input: { task: { id: task }, ...range } });
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', field } }]);
  });
});

test('the delay of a retry is lengthened at random by up to its jitter', async () => {
  const task = await addTask({ retry: { attempts: 2, delaySeconds: 1_000, backoff: 1, jitter: 1 }, overlap: 'ALLOW' });
  const ids = await Promise.all(Array.from({ length: 8 }, () => execute(task)));
  for (const _ of ids) (await held.next()).fail('again');
  for (const id of ids) await expect.poll(async () => (await run(id)).events.edges.at(-1)?.node.type).toBe('RETRYING');
  const delays = await database.orm.em
    .getConnection()
    .execute<{ seconds: number }[]>(
      `select extract(epoch from next_attempt_at - now())::float8 as seconds from run where next_attempt_at is not null`,
    );
  expect(delays).toHaveLength(8);
  for (const { seconds } of delays) expect(seconds).toBeGreaterThan(900);
  for (const { seconds } of delays) expect(seconds).toBeLessThanOrEqual(2_000);
  expect(new Set(delays.map(({ seconds }) => Math.round(seconds))).size).toBeGreaterThan(1);
  for (const id of ids) await cancel(id);
});
