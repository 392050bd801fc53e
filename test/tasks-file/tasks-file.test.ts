// Whatever tasks there are, their file makes the same ones elsewhere.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findRuleFault } from '../../src/calendar/schedule.ts';
import { User } from '../../src/entities/index.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { processHoldingTask } from '../../src/task-classes/built-in/process-holding-task.ts';
import { KnownClasses } from '../../src/task-classes/known-classes.ts';
import { TaskClasses } from '../../src/task-classes/registry.ts';
import { applyTasks } from '../../src/tasks-file/apply.ts';
import { writeTasks } from '../../src/tasks-file/export.ts';
import { readTasksFile } from '../../src/tasks-file/file.ts';
import { HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { ZONES } from '../support/calendar-properties.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';

let database: TestDatabase;
let app: TestApp;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-tasks-file-'));
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  await app.query('mutation { addUser(input: { name: "öps", role: OPERATOR }) { user { id } } }');
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

const within = (min: number, max: number) => fc.integer({ min, max });
const orNull = (min: number, max: number) => fc.option(within(min, max), { nil: null });
const day = fc.option(
  within(0, 20_000).map((days) => new Date(days * 86_400_000).toISOString().slice(0, 10)),
  { nil: null },
);

const rule = fc.record({
  start: day,
  end: day,
  intervalDays: fc.option(within(1, 400), { nil: null, freq: 1 }),
  year: fc.option(within(2000, 2050), { nil: null, freq: 1 }),
  month: orNull(1, 12),
  dayOfMonth: orNull(1, 31),
  weekOfMonth: orNull(1, 5),
  dayOfWeek: orNull(0, 6),
  hour: orNull(0, 23),
  minute: orNull(0, 59),
});

const policy = fc.record(
  {
    overlap: fc.constantFrom('SKIP', 'QUEUE', 'ALLOW', 'CANCEL_RUNNING'),
    queueLimit: within(1, 10_000),
    catchUp: fc.constantFrom('LATEST', 'ALL', 'NONE'),
    misfireGraceSeconds: within(1, 86_400),
    catchUpMaxAgeSeconds: orNull(0, 2_147_483_647),
    retry: fc.record(
      {
        attempts: within(1, 100),
        delaySeconds: within(0, 86_400),
        backoff: fc.double({ min: 1, max: 10, noNaN: true }),
        jitter: fc.double({ min: 0, max: 1, noNaN: true }),
      },
      { requiredKeys: [] },
    ),
    timeoutSeconds: within(1, 82_800),
  },
  { requiredKeys: [] },
);

const dataText = fc.oneof(
  fc
    .tuple(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), fc.constantFrom(0, 3))
    .map(([value, space]) => JSON.stringify(value, null, space)),
  fc.constantFrom('{"n": 1234567890123456789}', '{"b": 1, "1": 2}', '{"a": 1, "a": 2}', '{"n": -0}', '{}'),
);

const input = fc
  .record({
    name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((name) => !name.includes('\0')),
    active: fc.boolean(),
    timeZone: fc.constantFrom(...ZONES),
    repeatItems: fc.array(rule, { maxLength: 4 }),
    ownerLegacyId: within(1, 2),
    policy,
    dataText: fc.option(dataText, { nil: undefined }),
  })
  .map((task) => ({
    ...task,
    className: HOLDING,
    repeatItems: task.repeatItems.filter((each) => findRuleFault(each, task.timeZone) === null),
  }));

const exported = async (from: TestDatabase): Promise<string> => {
  const stream = new PassThrough();
  const [content] = await Promise.all([text(stream), writeTasks(from.orm.em, stream).then(() => stream.end())]);
  return content;
};

async function applyTo(target: TestDatabase, content: string) {
  const path = join(folder, 'tasks.json');
  await writeFile(path, content);
  const jobs = new Jobs(target.url, pino({ level: 'silent' }), false);
  await jobs.start();
  const actor = await target.orm.em.fork().findOneOrFail(User, { id: 1 });
  const taskClasses = new KnownClasses(new TaskClasses([processHoldingTask(30)]));
  const options = { remove: false, force: false, taskClasses, timeZone: 'UTC', actor, jobs, from: path };
  try {
    return await applyTasks(target.orm.em, await readTasksFile(path), options);
  } finally {
    await jobs.stop();
  }
}

test('exported, applied to an empty installation and exported again, any tasks are the same bytes', async () => {
  const property = fc.asyncProperty(fc.array(input, { minLength: 1, maxLength: 20 }), async (inputs) => {
    for (const each of inputs) {
      await app.query('mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }', { input: each });
    }
    const content = await exported(database);
    const target = await testDatabase();
    await rows(
      target.orm.em,
      `insert into app_user (id, name, role) values (1, 'admin', 'ADMIN'), (5, 'öps', 'OPERATOR')`,
    );
    const first = await applyTo(target, content);
    const again = await exported(target);
    const second = await applyTo(target, content);
    await target.close();
    // Both are copies of one template, so that even the installation is the same.
    expect(again).toBe(content);
    const count = (JSON.parse(content) as { tasks: unknown[] }).tasks.length;
    expect(first.plan.add).toHaveLength(count);
    expect(second.plan).toMatchObject({ add: [], change: [], remove: [], left: [], conflicts: [], same: count });
  });
  await fc.assert(property, { numRuns: 3, endOnFailure: true });
});
