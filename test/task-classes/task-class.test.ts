// What the contract of a task class promises to whoever writes one: its data, permanent failures, checkpoints, exclusion,
// and that gateways without the code know it.
import type { EntityManager } from '@mikro-orm/postgresql';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { explainSlot } from '../../src/ledger/explain.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { KnownClasses, registerClasses } from '../../src/task-classes/known-classes.ts';
import { TaskClasses } from '../../src/task-classes/registry.ts';
import { defineTaskClass, PermanentError, type TaskContext } from '../../src/task-classes/task-class.ts';
import { HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { engineOf } from '../support/engine.ts';
import { addTasks, findBroken, rows } from '../support/races.ts';
import { heldClass } from '../support/test-classes.ts';

let database: TestDatabase;
let em: EntityManager;

beforeAll(async () => {
  database = await testDatabase();
  em = database.orm.em;
});

afterAll(() => database?.close());

interface Task {
  id: string;
  legacyId: number;
  timeoutSeconds: number;
  hasRunner: boolean;
  retry: object;
}

async function addTask(app: TestApp, className: string, input: object = {}): Promise<Task> {
  const { addTask } = await app.query<{ addTask: { task: Task } }>(
    `mutation ($input: AddTaskInput!) {
      addTask(input: $input) { task { id legacyId timeoutSeconds hasRunner overlap retry { attempts delaySeconds backoff jitter } } }
    }`,
    { input: { name: 'Task', className, ...input } },
  );
  return addTask.task;
}

async function execute(app: TestApp, task: string, data: object | null = null): Promise<string> {
  const { executeTask } = await app.query<{ executeTask: { run: { id: string } } }>(
    'mutation ($task: ID!, $data: JSON) { executeTask(input: { task: { id: $task }, data: $data }) { run { id } } }',
    { task, data },
  );
  return executeTask.run.id;
}

async function readRun(app: TestApp, id: string) {
  const { run } = await app.query<{ run: { state: string; attempt: number; message: string | null } }>(
    'query ($id: ID!) { run(id: $id) { state attempt message } }',
    { id },
  );
  return run;
}

const untilState = (app: TestApp, id: string, state: string) =>
  expect.poll(async () => (await readRun(app, id)).state).toBe(state);

describe('an attempt', () => {
  let app: TestApp;
  let work: (context: TaskContext) => Promise<string>;
  const worker = defineTaskClass({
    name: '\\test\\Worker',
    title: 'Worker',
    description: 'Does what the test wants.',
    data: z.looseObject({ count: z.int().default(3) }),
    run: (context) => work(context),
  });
  const retry = { retry: { attempts: 3, delaySeconds: 0 } };

  beforeAll(async () => {
    await rows(em, 'create table done (what text)');
    app = await startTestApp(database.url, { taskClasses: [worker] });
  });

  afterAll(() => app?.stop());

  test('is given its task, its run and the data as the schema makes it', async () => {
    const seen: unknown[] = [];
    work = async ({ data, task, run }) => {
      seen.push({ data, task, run });
      return 'seen';
    };
    const task = await addTask(app, worker.name, { data: { other: 1 } });
    await untilState(app, await execute(app, task.id), 'SUCCEEDED');
    await untilState(app, await execute(app, task.id, { count: 7 }), 'SUCCEEDED');
    const told = { name: 'Task', className: worker.name, id: expect.any(Number) };
    const run = { id: expect.any(Number), trigger: 'MANUAL', slot: null, attempt: 1, checkpoint: null };
    expect(seen).toEqual([
      { data: { count: 3, other: 1 }, task: told, run },
      { data: { count: 7 }, task: told, run },
    ]);
  });

  test('that fails for good is not tried again, whatever copy of PermanentError it throws', async () => {
    class ForeignError extends Error {
      override readonly name = 'PermanentError';
    }
    for (const error of [new PermanentError('It cannot be.'), new ForeignError('It cannot be.')]) {
      work = () => Promise.reject(error);
      const id = await execute(app, (await addTask(app, worker.name, { policy: retry })).id);
      await untilState(app, id, 'FAILED');
      expect(await readRun(app, id)).toEqual({ state: 'FAILED', attempt: 1, message: 'It cannot be.' });
    }
  });

  test('finds what the one before it saved together with its work; what was rolled back is in neither', async () => {
    const checkpoints: unknown[] = [];
    work = async ({ run, checkpoint }) => {
      checkpoints.push(run.checkpoint);
      if (run.attempt === 3) return 'done';
      await checkpoint(async (transaction) => {
        await transaction.execute('insert into done values (?)', [`attempt ${run.attempt}`]);
        return { after: run.attempt };
      });
      await checkpoint(async (transaction) => {
        await transaction.execute('insert into done values (?)', ['never']);
        throw new Error('half-way');
      });
      return 'never';
    };
    const task = await addTask(app, worker.name, { policy: retry });
    const id = await execute(app, task.id);
    await untilState(app, id, 'SUCCEEDED');
    expect(checkpoints).toEqual([null, { after: 1 }, { after: 2 }]);
    expect(await rows(em, 'select what from done')).toEqual([{ what: 'attempt 1' }, { what: 'attempt 2' }]);

    // A run of its own begins anew.
    work = async ({ run }) => JSON.stringify(run.checkpoint);
    const again = await app.query<{ retryRun: { run: { id: string } } }>(
      'mutation ($id: ID!) { retryRun(input: { run: $id }) { run { id } } }',
      { id },
    );
    await untilState(app, again.retryRun.run.id, 'SUCCEEDED');
    expect((await readRun(app, again.retryRun.run.id)).message).toBe('null');
  });

  test('leaves no note behind when its run is cancelled before the next one', async () => {
    work = async ({ checkpoint }) => {
      await checkpoint(async () => 'a note');
      throw new Error('again');
    };
    const task = await addTask(app, worker.name, { policy: { retry: { attempts: 2, delaySeconds: 3600 } } });
    const id = await execute(app, task.id);
    const notes = () => rows(em, 'select state, checkpoint from run order by id desc limit 1');
    await expect.poll(notes).toEqual([{ state: 'QUEUED', checkpoint: '"a note"' }]);
    await app.query('mutation ($id: ID!) { cancelRun(input: { run: $id }) { run { id } } }', { id });
    expect(await notes()).toEqual([{ state: 'CANCELLED', checkpoint: null }]);
  });

  test('that hangs in the middle of its work is given up, and holds up no other', async () => {
    const hanging = Promise.withResolvers<never>();
    hanging.promise.catch(() => undefined);
    work = ({ checkpoint }) =>
      checkpoint(async (transaction) => {
        await transaction.execute('insert into done values (?)', ['hanging']);
        return hanging.promise;
      });
    const id = await execute(app, (await addTask(app, worker.name, { policy: { timeoutSeconds: 1 } })).id);
    await expect.poll(() => readRun(app, id)).toMatchObject({ state: 'FAILED', message: /longer than its timeout/ });
    work = async () => 'done';
    await untilState(app, await execute(app, (await addTask(app, worker.name)).id), 'SUCCEEDED');
    hanging.reject(new Error('let go'));
  });

  test('may throw, return and log values that are not text, and ends nothing but itself', async () => {
    const outcomes = [
      [() => Promise.reject(Object.create(null)), 'FAILED', '[a value that is no text: object]'],
      [() => Promise.reject(Object.assign(new Error(), { message: { code: 1 } })), 'FAILED', '[object Object]'],
      [() => Promise.reject(undefined), 'FAILED', 'undefined'],
      [async ({ log }: TaskContext) => log(Object.create(null)) as never, 'SUCCEEDED', ''],
      [async () => 7 as never, 'SUCCEEDED', '7'],
    ] as const;
    const task = await addTask(app, worker.name);
    for (const [does, state, message] of outcomes) {
      work = does;
      const id = await execute(app, task.id);
      await untilState(app, id, state);
      expect(await readRun(app, id)).toMatchObject({ state, message });
    }
  });

  test('that was taken over by another worker, or saves too much, saves nothing and does nothing', async () => {
    const refusals: string[] = [];
    const tryToSave = ({ checkpoint }: TaskContext, value: unknown) =>
      checkpoint(async (transaction) => {
        await transaction.execute('insert into done values (?)', ['refused']);
        return value;
      }).catch((error: Error) => refusals.push(error.message));
    work = async (context) => {
      await tryToSave(context, 'x'.repeat(65_535));
      // What the recovery of lost attempts does to the run.
      const { id } = context.run;
      const [held] = await rows<{ job_id: string }>(em, 'select job_id from run where id = ?', [id]);
      await rows(em, 'update run set job_id = gen_random_uuid() where id = ?', [id]);
      await tryToSave(context, 'late');
      await rows(em, 'update run set job_id = ? where id = ?', [held?.job_id, id]);
      return 'late';
    };
    await execute(app, (await addTask(app, worker.name)).id);
    await expect
      .poll(() => refusals)
      .toEqual([
        'the checkpoint has 65537 characters, at most 65536 can be kept',
        'The attempt is no longer ours: another worker has taken it over.',
      ]);
    expect(await rows(em, `select from done where what = 'refused'`)).toEqual([]);
  });
});

describe('a gateway without the code', () => {
  const greeter = defineTaskClass({
    name: '\\test\\Greeter',
    title: 'Greeter',
    description: 'Greets.',
    data: z.looseObject({
      who: z.string().max(5),
      times: z.array(z.looseObject({ hour: z.int().min(0).max(23) })).optional(),
    }),
    defaults: { timeoutSeconds: 77, overlap: 'QUEUE', retry: { attempts: 4, delaySeconds: 5 } },
    exclusive: true,
    run: async ({ data }) => `Hello, ${data.who}.`,
  });
  let gateway: TestApp;

  const classes = async () => {
    const { taskClasses } = await gateway.query<{ taskClasses: { name: string }[] }>(
      `{ taskClasses { name title description dataSchema exclusive liveRunners
        defaults { timeoutSeconds overlap retry { attempts delaySeconds backoff jitter } } } }`,
    );
    return taskClasses;
  };

  beforeAll(async () => {
    gateway = await startTestApp(database.url, { settings: { ROLE: 'gateway', LEGACY_EXECUTE_TIMEOUT: 1 } });
  });

  afterAll(() => gateway?.stop());

  test('learns a class from a runner that has it, checks data by its schema, and says when no live runner has it', async () => {
    const input = { name: 'n', className: greeter.name, data: { who: 'you' } };
    const add = (task: object) =>
      gateway.post<unknown>('mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }', {
        input: task,
      });
    const unknown = await add(input);
    expect(unknown.errors?.[0]).toMatchObject({
      message: expect.stringContaining(`must be an available task class (${HOLDING}`),
      extensions: { code: 'BAD_USER_INPUT', field: 'input.className' },
    });

    const runner = await startTestApp(database.url, { settings: { ROLE: 'runner' }, taskClasses: [greeter] });
    try {
      expect((await classes()).find(({ name }) => name === greeter.name)).toEqual({
        name: greeter.name,
        title: 'Greeter',
        description: 'Greets.',
        dataSchema: expect.objectContaining({ type: 'object', required: ['who'] }),
        exclusive: true,
        liveRunners: 1,
        defaults: {
          timeoutSeconds: 77,
          overlap: 'QUEUE',
          retry: { attempts: 4, delaySeconds: 5, backoff: null, jitter: null },
        },
      });

      const refusals = [
        [{ who: 'everyone' }, 'input.data.who', 'must be what the class takes (must NOT have more'],
        [{}, 'input.data.who', 'is required by the class'],
        [{ who: 'you', times: [{ hour: 1 }, { hour: 24 }] }, 'input.data.times.1.hour', ', got 24'],
      ] as const;
      for (const [data, field, message] of refusals) {
        const { errors } = await add({ ...input, data });
        expect(errors?.[0]).toMatchObject({
          message: expect.stringContaining(message),
          extensions: { code: 'BAD_USER_INPUT', field },
        });
      }

      const task = await addTask(gateway, greeter.name, { data: { who: 'you', unknown: true } });
      expect(task).toMatchObject({
        hasRunner: true,
        timeoutSeconds: 77,
        overlap: 'QUEUE',
        retry: { attempts: 4, delaySeconds: 5, backoff: 2, jitter: 0 },
      });
      const own = await addTask(gateway, greeter.name, { data: { who: 'me' }, policy: { timeoutSeconds: 5 } });
      expect(own).toMatchObject({ timeoutSeconds: 5, overlap: 'QUEUE' });
      const { executeTask } = await gateway.query<{ executeTask: { run: { message: string } } }>(
        'mutation ($id: ID!) { executeTask(input: { task: { id: $id }, waitSeconds: 20 }) { run { message } } }',
        { id: task.id },
      );
      expect(executeTask.run.message).toBe('Hello, you.');
      expect(await gateway.legacy('target=scheduler&action=getTasks')).toContain(String.raw`"\\test\\Greeter"`);
    } finally {
      await runner.stop();
    }
    expect((await classes()).find(({ name }) => name === greeter.name)).toMatchObject({ liveRunners: 0 });
    // A run that waits for it follows its task to a class that somebody has.
    const moved = await addTask(gateway, greeter.name, { data: { who: 'you' } });
    const run = await execute(gateway, moved.id);
    const other = heldClass('\\test\\Mover');
    const mover = await startTestApp(database.url, { taskClasses: [other.taskClass] });
    try {
      await mover.query(
        'mutation ($id: ID!, $name: String!) { updateTask(input: { task: { id: $id }, className: $name }) { task { id } } }',
        { id: moved.id, name: other.taskClass.name },
      );
      (await other.next()).succeed('moved');
      await untilState(gateway, run, 'SUCCEEDED');
    } finally {
      await mover.stop();
    }

    const waiting = await addTask(gateway, greeter.name, { data: { who: 'you' } });
    expect(waiting).toMatchObject({ hasRunner: false });
    expect(await gateway.legacy(`target=scheduler&action=executeTask&taskId=${waiting.legacyId}`)).toContain(
      'waits for a live runner that has its class; getTaskHistory tells how it ends',
    );
  });
});

describe('of an exclusive class', () => {
  test('one run at a time is running on all runners, across all tasks, and the others wait', async () => {
    const held = heldClass('\\test\\Alone');
    const other = heldClass('\\test\\Other');
    const taskClasses = [{ ...held.taskClass, exclusive: true }, other.taskClass];
    const apps = [
      await startTestApp(database.url, { taskClasses }),
      await startTestApp(database.url, { taskClasses }),
    ] as const;
    try {
      const tasks = [];
      for (let count = 0; count < 3; count += 1) tasks.push(await addTask(apps[0], held.taskClass.name));
      const otherTask = await addTask(apps[0], other.taskClass.name, { policy: { overlap: 'ALLOW' } });
      const runs: string[] = [];
      for (let count = 0; count < 9; count += 1) {
        const app = apps[count % 2] as TestApp;
        runs.push(await execute(app, tasks[count % 3]?.id ?? ''));
        await execute(app, otherTask.id);
      }
      // They stand in nobody else's way.
      for (let count = 0; count < 9; count += 1) (await other.next()).succeed('other');
      const ran: number[] = [];
      for (let count = 0; count < 9; count += 1) {
        const attempt = await held.next();
        expect(held.begunCount()).toBe(0);
        expect(await rows(em, `select id from run where state = 'RUNNING' and exclusive_class is not null`)).toEqual([
          { id: attempt.context.run.id },
        ]);
        ran.push(attempt.context.run.id);
        attempt.succeed('alone');
      }
      const asked = runs.map((id) => Number(Buffer.from(id, 'base64').toString().split(':')[1]));
      expect(ran.toSorted((left, right) => left - right)).toEqual(asked);
    } finally {
      await Promise.all(apps.map((app) => app.stop()));
    }
  });

  test('an executor that is frozen while it takes a run of it keeps no other from taking what it can', async () => {
    const jobs = new Jobs(database.url, pino({ level: 'silent' }), false);
    await jobs.start();
    try {
      const [task = 0] = await addTasks(em, { count: 1 });
      const [engine, frozenEngine] = [engineOf(jobs, ['class']), engineOf(jobs, ['class'])];
      // It learns which classes it has not.
      await frozenEngine.take(em, 10);
      await engine.request(em, task);
      const frozen = em.fork();
      await frozen.begin();
      expect(await frozenEngine.takeUncommitted(frozen, 10)).toHaveLength(1);
      const [other = 0] = await addTasks(em, { count: 1 });
      await engine.request(em, other);
      expect(await engine.take(em, 10)).toMatchObject({ attempts: [] });
      await frozen.rollback();
      for (let run = 0; run < 2; run += 1) {
        const { attempts } = await engine.take(em, 10);
        expect(attempts).toHaveLength(1);
        await engine.end(em, attempts);
      }
    } finally {
      await jobs.stop();
    }
  });

  test('many concurrent takers, all of which find its jobs, leave one run running and lose none', async () => {
    const jobs = new Jobs(database.url, pino({ level: 'silent' }), false);
    await jobs.start();
    try {
      const tasks = await addTasks(em, { count: 6, overlap: 'ALLOW' });
      const engines = Array.from({ length: 4 }, () => engineOf(jobs, ['class']));
      const asked: (number | null)[] = [];
      for (let round = 0; round < 4; round += 1) {
        for (const task of tasks) asked.push((await engines[0]?.request(em, task)) ?? null);
      }
      const ran: number[] = [];
      let most = 0;
      const work = async (engine: ReturnType<typeof engineOf>) => {
        while (ran.length < asked.length) {
          const { attempts } = await engine.take(em.fork(), 10);
          const [under] = await rows<{ n: number }>(
            em,
            `select count(*)::int as n from run where state = 'RUNNING' and exclusive_class = 'class'`,
          );
          most = Math.max(most, attempts.length, under?.n ?? 0);
          await engine.end(em.fork(), attempts);
          ran.push(...attempts.map(({ runId }) => runId));
        }
      };
      await Promise.all(engines.map(work));
      expect(most).toBe(1);
      expect(ran.toSorted((left, right) => left - right)).toEqual(asked);
      expect(await findBroken(em)).toEqual([]);
    } finally {
      await jobs.stop();
    }
  });

  test('explainSlot says which task a run of the class waits for', async () => {
    const [waiting = 0, busy = 0] = await addTasks(em, { count: 2 });
    const slot = new Date(Math.floor(Date.now() / 60_000) * 60_000);
    await rows(em, `update task set class_name = 'alone' where id in (?, ?)`, [waiting, busy]);
    await rows(
      em,
      `insert into runner (id, host, pid, class_names, lives_until)
       values (gen_random_uuid(), 'h', 1, '{alone}', now() + interval '1 minute')`,
    );
    await rows(
      em,
      `insert into run (task_id, slot, trigger, state, actor_id, job_id, queued_at, started_at, exclusive_class)
       values (?, ?, 'SCHEDULE', 'QUEUED', 1, gen_random_uuid(), now(), null, null),
         (?, ?, 'SCHEDULE', 'RUNNING', 1, gen_random_uuid(), now(), now(), 'alone')`,
      [waiting, slot, busy, slot],
    );
    expect((await explainSlot(em, waiting, slot))?.because).toBe(
      `Its run is QUEUED. It waits for a run of task ${busy}: no two runs of its class are under way at once.`,
    );
  });
});

const text = z.string();
const FITTING: [z.ZodType, unknown][] = [
  [z.coerce.number(), '5'],
  [z.coerce.string(), 5],
  [z.number().catch(3), undefined],
  [z.number().catch(3), 'three'],
  [z.preprocess(Number, z.number()), '5'],
  [text.trim().regex(/^\d+$/), ' 5 '],
  [text.toLowerCase().regex(/^[a-z]+$/), 'AB'],
  [text.trim().max(1), ' a '],
  [text.regex(/^[a-z]+$/i), 'ABC'],
  [text.regex(/^a-b$/), 'a-b'],
  [text.regex(/^[\w-.]+$/), 'a-b.c'],
  [z.number().multipleOf(0.01), 19.99],
  [text.nullish(), null],
  [text.default('x'), undefined],
  [z.union([z.int(), text.trim().regex(/^\d+$/).transform(Number)]), ' 7 '],
  [z.record(z.string(), z.int()), { a: 1 }],
  [z.tuple([z.int(), z.string()]), [1, 'a']],
  [
    z.discriminatedUnion('type', [z.object({ type: z.literal('a') }), z.object({ type: z.literal('b') })]),
    { type: 'b' },
  ],
];

test.each(FITTING)('a gateway without the code does not refuse what the class takes: %#', async (schema, value) => {
  const taskClass = defineTaskClass({
    name: '\\test\\Fitting',
    title: 'Fitting',
    description: 'Fits.',
    data: z.looseObject({ value: schema }),
    run: async () => '',
  });
  const data = value === undefined ? {} : { value };
  expect(taskClass.data.safeParse(data).success).toBe(true);
  await registerClasses(em, [taskClass]);
  const known = await new KnownClasses(new TaskClasses([])).named(em.fork(), taskClass.name);
  expect(known?.findFault(data)).toBeNull();
});

test.each([
  [{ name: 'Greet' }, 'the name of a task class must be a PHP name with its namespace'],
  [{ name: '\\a\\b-c' }, 'the name of a task class must be a PHP name with its namespace'],
  [{ title: '' }, 'the title of \\a\\B must have 1 to 100 characters, got 0'],
  [
    { defaults: { timeoutSeconds: 0 } },
    'defaults.timeoutSeconds of \\a\\B must be a whole number from 1 to 82800, got 0',
  ],
  [
    { defaults: { retry: { attempts: 101 } } },
    'defaults.retry.attempts of \\a\\B must be a whole number from 1 to 100, got 101',
  ],
])('a class that cannot be is refused when it is defined: %j', (part, message) => {
  const define = () =>
    defineTaskClass({
      name: '\\a\\B',
      title: 'B',
      description: 'B.',
      data: z.looseObject({}),
      run: async () => '',
      ...part,
    });
  expect(define).toThrow(message);
});
