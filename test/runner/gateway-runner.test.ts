// Gateways and runners apart, on one database; and what becomes of a run whose runner stops.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Settings } from '../../src/settings.ts';
import { overWebSocket, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { proxyTo } from '../support/proxy.ts';
import { heldClass } from '../support/test-classes.ts';

const NAME = '\\test\\Held';

let database: TestDatabase;
const started: TestApp[] = [];

beforeEach(async () => {
  database = await testDatabase();
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((app) => app.stop()));
  await database.close();
});

/** An app in a role, with attempts that the test steers; it is stopped after the test. */
async function start(role: Settings['ROLE'], graceSeconds = 5, url = database.url) {
  const held = heldClass(NAME);
  const settings = { ROLE: role, GRACE_SECONDS: graceSeconds };
  const app = await startTestApp(url, { settings, taskClasses: [held.taskClass] });
  started.push(app);
  return { ...app, held };
}

async function addTask(gateway: TestApp, policy: object = {}): Promise<string> {
  const { addTask } = await gateway.query<{ addTask: { task: { id: string } } }>(
    `mutation ($name: String!, $policy: TaskPolicyInput) {
      addTask(input: { name: "Held", className: $name, policy: $policy }) { task { id } }
    }`,
    { name: NAME, policy },
  );
  return addTask.task.id;
}

interface Run {
  id: string;
  state: string;
  message: string | null;
  attempt: number;
  events: { edges: { node: { type: string } }[] };
}

const FIELDS = 'id state message attempt events(first: 100) { edges { node { type } } }';

async function execute(gateway: TestApp, task: string, waitSeconds = 0, data = {}): Promise<Run> {
  const { executeTask } = await gateway.query<{ executeTask: { run: Run } }>(
    `mutation ($task: ID!, $waitSeconds: Int, $data: JSON) {
      executeTask(input: { task: { id: $task }, waitSeconds: $waitSeconds, data: $data }) { run { ${FIELDS} } }
    }`,
    { task, waitSeconds, data },
  );
  return executeTask.run;
}

async function runOf(gateway: TestApp, id: string): Promise<Run> {
  return (await gateway.query<{ run: Run }>(`query ($id: ID!) { run(id: $id) { ${FIELDS} } }`, { id })).run;
}

function untilState(gateway: TestApp, id: string, state: string) {
  return expect.poll(async () => (await runOf(gateway, id)).state, { interval: 20 }).toBe(state);
}

const typesOf = ({ events }: Run) => events.edges.map(({ node }) => node.type);

describe('a gateway', () => {
  test('answers with what a runner made of the run, and runs nothing itself', async () => {
    const gateway = await start('gateway');
    const runner = await start('runner');
    expect(runner.address).toBe('');
    const stream = await overWebSocket(gateway);
    const answer = execute(gateway, await addTask(gateway), 20);
    (await runner.held.next()).succeed('from the runner');
    expect(await answer).toMatchObject({ state: 'SUCCEEDED', message: 'from the runner', attempt: 1 });
    expect(gateway.held.begunCount()).toBe(0);
    expect((await stream.atLeast(3)).map(({ type }) => type)).toEqual(['QUEUED', 'STARTED', 'SUCCEEDED']);
    await stream.close();
  });

  test('without a runner waits as long as requested and answers QUEUED; a runner that starts later runs it', async () => {
    const gateway = await start('gateway');
    const begin = performance.now();
    const { id, state } = await execute(gateway, await addTask(gateway), 1);
    expect({ state, waited: performance.now() - begin >= 1_000 }).toEqual({ state: 'QUEUED', waited: true });
    const runner = await start('runner');
    (await runner.held.next()).succeed('late');
    await untilState(gateway, id, 'SUCCEEDED');
    expect(typesOf(await runOf(gateway, id))).toEqual(['QUEUED', 'STARTED', 'SUCCEEDED']);
  });

  test('answers a call that was waiting before there was any runner', async () => {
    const gateway = await start('gateway');
    const answer = execute(gateway, await addTask(gateway), 30);
    const runner = await start('runner');
    (await runner.held.next()).succeed('in time');
    expect(await answer).toMatchObject({ state: 'SUCCEEDED', message: 'in time' });
  });

  test('may be stopped and replaced while the run continues', async () => {
    const first = await start('gateway');
    const runner = await start('runner');
    const { id } = await execute(first, await addTask(first));
    const attempt = await runner.held.next();
    await first.stop();
    const second = await start('gateway');
    expect(await runOf(second, id)).toMatchObject({ state: 'RUNNING' });
    attempt.succeed('seen by the second');
    await untilState(second, id, 'SUCCEEDED');
  });
});

describe('a runner that stops', () => {
  test('lets a run end that does so within the grace time', async () => {
    const gateway = await start('gateway');
    const runner = await start('runner', 30);
    const { id } = await execute(gateway, await addTask(gateway));
    const attempt = await runner.held.next();
    const stopped = runner.stop();
    expect(attempt.context.signal.aborted).toBe(false);
    attempt.succeed('in time');
    await stopped;
    const run = await runOf(gateway, id);
    expect(run).toMatchObject({ state: 'SUCCEEDED', message: 'in time', attempt: 1 });
    expect(typesOf(run)).toEqual(['QUEUED', 'STARTED', 'SUCCEEDED']);
  });

  test('hands back a run that takes longer, and another makes the same attempt again', async () => {
    const gateway = await start('gateway');
    const first = await start('runner', 0);
    const { id } = await execute(gateway, await addTask(gateway));
    const attempt = await first.held.next();
    await first.stop();
    expect(attempt.context.signal.aborted).toBe(true);
    expect(await runOf(gateway, id)).toMatchObject({ state: 'QUEUED' });
    const second = await start('runner');
    const again = await second.held.next();
    expect(again.context.run.attempt).toBe(1);
    again.succeed('by the second');
    await untilState(gateway, id, 'SUCCEEDED');
    const run = await runOf(gateway, id);
    expect(run).toMatchObject({ message: 'by the second', attempt: 1 });
    expect(typesOf(run)).toEqual(['QUEUED', 'STARTED', 'RETRYING', 'STARTED', 'SUCCEEDED']);
  });

  test('cannot settle a run that it handed back, whatever its code still does', async () => {
    const gateway = await start('gateway');
    const first = await start('runner', 0);
    const { id } = await execute(gateway, await addTask(gateway), 0, { ignoreSignal: true });
    const attempt = await first.held.next();
    const second = await start('runner');
    const stopped = first.stop();
    const again = await second.held.next();
    attempt.succeed('too late');
    await stopped;
    expect(await runOf(gateway, id)).toMatchObject({ state: 'RUNNING' });
    again.succeed('by the second');
    await untilState(gateway, id, 'SUCCEEDED');
    const run = await runOf(gateway, id);
    expect(run).toMatchObject({ message: 'by the second', attempt: 1 });
    expect(typesOf(run).filter((type) => type === 'SUCCEEDED')).toHaveLength(1);
  });

  test('ends within a bounded time when the database is lost, and another runner makes its run', async () => {
    const gateway = await start('gateway');
    const way = await proxyTo(database.url);
    const first = await start('runner', 0, way.url);
    const task = await addTask(gateway, { retry: { attempts: 2, delaySeconds: 0 } });
    const { id } = await execute(gateway, task);
    const lost = await first.held.next();
    await way.cut();
    // Within the test's time, or it fails.
    await first.stop();
    expect(lost.context.signal.aborted).toBe(true);
    const second = await start('runner');
    const again = await second.held.next();
    expect(again.context.run.attempt).toBe(2);
    again.succeed('by the second');
    await untilState(gateway, id, 'SUCCEEDED');
  });

  test('leaves what waits to the others: of many runs each is made once, however often runners come and go', async () => {
    const gateway = await start('gateway');
    let runner = await start('runner', 0);
    const tasks = await Promise.all(Array.from({ length: 15 }, () => addTask(gateway)));
    const runs = await Promise.all(tasks.map((task) => execute(gateway, task)));
    for (let round = 0; round < 3; round += 1) {
      const { held, stop } = runner;
      for (let done = 0; done < 3; done += 1) (await held.next()).succeed('done');
      [runner] = await Promise.all([start('runner', 0), stop()]);
    }
    for (const { id } of runs) void finish(runner, id);
    for (const { id } of runs) await untilState(gateway, id, 'SUCCEEDED');
    for (const { id } of runs) {
      const run = await runOf(gateway, id);
      expect(run.attempt).toBe(1);
      expect(typesOf(run).filter((type) => type === 'SUCCEEDED')).toHaveLength(1);
    }
  });
});

/** Lets the next attempt of the runner end. */
async function finish({ held }: { held: ReturnType<typeof heldClass> }, message: string): Promise<void> {
  (await held.next()).succeed(message);
}
