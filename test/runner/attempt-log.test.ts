// What a task's code tells while it runs: lines, data and progress, bounded and in order.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { defineTaskClass, type TaskContext } from '../../src/task-classes/task-class.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';

let database: TestDatabase;
let app: TestApp;
let work: (context: TaskContext) => Promise<void>;

const talker = defineTaskClass({
  name: '\\test\\Talker',
  title: 'Talker',
  description: 'Says what the test wants.',
  data: z.looseObject({}),
  async run(context) {
    await work(context);
    return 'said';
  },
});

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { taskClasses: [talker] });
  await app.query('mutation ($name: String!) { addTask(input: { name: "Talk", className: $name }) { task { id } } }', {
    name: talker.name,
  });
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

interface Told {
  type: string;
  message: string | null;
  data: unknown;
}

async function tell(said: (context: TaskContext) => Promise<void>): Promise<{ progress: number | null; told: Told[] }> {
  work = said;
  const { executeTask } = await app.query<{
    executeTask: { run: { id: string; state: string; progress: number | null } };
  }>('mutation { executeTask(input: { task: { legacyId: 1 }, waitSeconds: 30 }) { run { id state progress } } }');
  expect(executeTask.run.state).toBe('SUCCEEDED');
  const told: Told[] = [];
  for (let after: string | null = null; ; ) {
    const page: {
      run: { events: { edges: { node: Told }[]; pageInfo: { hasNextPage: boolean; endCursor: string } } };
    } = await app.query(
      `query ($id: ID!, $after: String) { run(id: $id) { events(first: 500, after: $after) {
          edges { node { type message data } } pageInfo { hasNextPage endCursor } } } }`,
      { id: executeTask.run.id, after },
    );
    told.push(...page.run.events.edges.map(({ node }) => node));
    if (!page.run.events.pageInfo.hasNextPage) return { progress: executeTask.run.progress, told };
    after = page.run.events.pageInfo.endCursor;
  }
}

test('lines come in order, with the data that they carry', async () => {
  const { told } = await tell(async ({ log }) => {
    log('one');
    log('two', { blocks: [1, 2], note: 'with \0 in it' });
    log('three', null);
  });
  expect(told.map(({ type }) => type)).toEqual(['QUEUED', 'STARTED', 'LOG', 'LOG', 'LOG', 'SUCCEEDED']);
  expect(told.slice(2, 5).map(({ message, data }) => [message, data])).toEqual([
    ['one', null],
    ['two', { blocks: [1, 2], note: 'with \u{FFFD} in it' }],
    ['three', null],
  ]);
});

test('what is too long, too much or no JSON is cut, with a mark that says so, and fails nothing', async () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const { told } = await tell(async ({ log }) => {
    log('x'.repeat(20_000), { large: 'y'.repeat(20_000) });
    log('circular', circular);
    for (let line = 3; line <= 1_200; line += 1) log(`line ${line}`);
  });
  const lines = told.filter(({ type }) => type === 'LOG');
  expect(lines).toHaveLength(1_001);
  expect(lines[0]?.message).toHaveLength(8_192 + ' [cut]'.length);
  expect(lines[0]?.message).toMatch(/x \[cut\]$/);
  expect(lines[0]?.data).toEqual({
    cut: expect.stringMatching(/^the data had 200\d\d characters, at most 8192 are kept$/),
  });
  expect(lines[1]?.data).toEqual({ cut: expect.stringContaining('cannot be written as JSON') });
  expect(lines[999]?.message).toBe('line 1000');
  expect(lines[1_000]?.message).toBe('The log was cut after 1000 lines.');
});

test('progress is reported at most a few times a second, as a fraction or a count, and the last value always', async () => {
  const { told, progress } = await tell(async (context) => {
    for (let done = 0; done <= 150; done += 1) {
      context.progress(done, 150);
      await pause(10);
    }
    context.progress(Number.NaN);
  });
  const steps = told.filter(({ type }) => type === 'PROGRESS').map(({ data }) => data as Record<string, number>);
  expect(steps.length).toBeGreaterThan(1);
  // 151 were reported. However slow the machine, two are half a second apart.
  expect(steps.length).toBeLessThan(40);
  expect(steps.at(-1)).toEqual({ progress: 1, done: 150, total: 150 });
  const parts = steps.map((step) => step.progress ?? Number.NaN);
  expect(parts).toEqual(parts.toSorted((left, right) => left - right));
  expect(progress).toBe(1);
  const part = await tell(async (context) => context.progress(0.25));
  expect(part.told.filter(({ type }) => type === 'PROGRESS').map(({ data }) => data)).toEqual([{ progress: 0.25 }]);
  expect(part.progress).toBe(0.25);
});

/** While the test runs, the connection that writes a line is killed: in the middle of its transaction, or as it commits. */
async function killing(times: number, when: 'before' | 'during', during: () => Promise<void>): Promise<void> {
  const { em } = database.orm;
  // A sequence counts on, whatever becomes of the transaction.
  await rows(em, 'create sequence tries minvalue 0 start 0');
  await rows(
    em,
    `create function kill() returns trigger language plpgsql as $$ begin
       if new.type = 'LOG' and nextval('tries') < ${times} then perform pg_terminate_backend(pg_backend_pid()); end if;
       return new;
     end $$`,
  );
  const deferred = when === 'during' ? 'deferrable initially deferred' : '';
  await rows(
    em,
    `create constraint trigger kill after insert on event ${deferred} for each row execute function kill()`,
  );
  try {
    await during();
  } finally {
    await rows(em, 'drop function kill() cascade');
    await rows(em, 'drop sequence tries');
  }
}

async function tries(): Promise<number> {
  const [row] = await rows<{ n: number }>(
    database.orm.em,
    'select case when is_called then last_value + 1 else 0 end::int as n from tries',
  );
  return row?.n ?? 0;
}

const logged = (told: Told[]) => told.filter(({ type }) => type === 'LOG').map(({ message }) => message);

test('lines and progress that could not be written since the database was away are written once it is back', async () => {
  // More often than a transaction is tried at once.
  await killing(12, 'before', async () => {
    const { told, progress } = await tell(async (context) => {
      context.log('one');
      context.progress(0.5);
      await expect.poll(tries).toBeGreaterThan(0);
      context.log('two');
      await expect.poll(tries).toBeGreaterThan(12);
    });
    expect(logged(told)).toEqual(['one', 'two']);
    expect(told.filter(({ type }) => type === 'PROGRESS').map(({ data }) => data)).toEqual([{ progress: 0.5 }]);
    expect(progress).toBe(0.5);
  });
});

test('what could not be written by the end of the code is written with how the attempt ended', async () => {
  await killing(5, 'before', async () => {
    const { told } = await tell(async (context) => {
      context.log('one');
      await expect.poll(tries).toBeGreaterThanOrEqual(5);
      context.log('two');
    });
    expect(told.map(({ type }) => type)).toEqual(['QUEUED', 'STARTED', 'LOG', 'LOG', 'SUCCEEDED']);
    expect(logged(told)).toEqual(['one', 'two']);
  });
});

test('a line whose commit was cut off is not lost', async () => {
  await killing(1, 'during', async () => {
    const { told } = await tell(async (context) => {
      context.log('one');
      await expect.poll(tries).toBeGreaterThan(1);
    });
    expect(logged(told)).toEqual(['one']);
  });
});
