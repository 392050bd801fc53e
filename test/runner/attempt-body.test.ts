// What becomes of an attempt whose runner took it for lost, since the database was away, and that is ours all the same.
import type { EntityManager } from '@mikro-orm/postgresql';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { runBody, type StopReason } from '../../src/runner/attempt-body.ts';
import { AttemptLog } from '../../src/runner/attempt-log.ts';
import { settleAttempts } from '../../src/runner/settle-attempts.ts';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { TaskClasses } from '../../src/task-classes/registry.ts';
import { defineTaskClass, PermanentError, type TaskClass } from '../../src/task-classes/task-class.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Engine, engineOf, OWN_CLASSES } from '../support/engine.ts';
import { addTasks, findBroken, rows } from '../support/races.ts';

let database: TestDatabase;
let em: EntityManager;
let jobs: Jobs;
let engine: Engine;

beforeAll(async () => {
  database = await testDatabase();
  em = database.orm.em;
  jobs = new Jobs(database.url, pino({ level: 'silent' }), false);
  await jobs.start();
  engine = engineOf(jobs);
});

beforeEach(async () => {
  await rows(em, 'truncate event, run, schedule_version, task restart identity cascade');
  await rows(em, 'delete from pgboss.job');
});

afterAll(async () => {
  await jobs?.stop();
  await database?.close();
});

/** A run whose attempt is stopped while its code is under way, which then ends as it likes. */
function stopThen(reason: StopReason, end: () => string) {
  const controller = new AbortController();
  return runOnce(async () => {
    controller.abort(reason);
    return end();
  }, controller);
}

/** The attempt of a run, made with this code. */
async function runOnce(run: TaskClass['run'], controller: AbortController) {
  const defined = defineTaskClass({
    name: '\\test\\Stopped',
    title: 'Stopped',
    description: 'Is stopped by the test.',
    data: z.looseObject({}),
    run,
  });
  // As the tasks of `addTasks` have it, which is no name that one may give.
  const taskClass = { ...defined, name: OWN_CLASSES[0] ?? '' };
  const [task = 0] = await addTasks(em, { count: 1 });
  await engine.request(em, task);
  const { attempts } = await engine.take(em, 1);
  const [attempt] = attempts;
  if (attempt === undefined) throw new Error('there was no job');
  const log = new AttemptLog(em, attempt, () => undefined);
  const outcome = await runBody(em, new TaskClasses([taskClass]), attempt, log, controller);
  return { attempt, outcome, log: await log.close() };
}

const readRun = () => rows<{ state: string; message: string }>(em, 'select state, message from run');

async function settled(reason: StopReason, end: () => string) {
  await settleAttempts(em, jobs, [await stopThen(reason, end)]);
  expect(await findBroken(em)).toEqual([]);
  return readRun();
}

test('work that was done while the attempt was considered lost counts, unless another runner took it over', async () => {
  expect(await settled('LOST', () => 'all done')).toEqual([{ state: 'SUCCEEDED', message: 'all done' }]);
});

test('work that was done while the attempt was taken over by another does not count', async () => {
  const ended = await stopThen('LOST', () => 'all done');
  // As pg-boss does when the heartbeats of its worker stop.
  await rows(em, `update pgboss.job set state = 'failed' where id = ?`, [ended.attempt.job.id]);
  expect((await settleAttempts(em, jobs, [ended])).lost).toHaveLength(1);
  expect(await readRun()).toEqual([{ state: 'RUNNING', message: null }]);
});

test('a failure that no further attempt would mend stands, though the attempt was taken for lost', async () => {
  const fail = () => {
    throw new PermanentError('no such place');
  };
  expect(await settled('LOST', fail)).toEqual([{ state: 'FAILED', message: 'no such place' }]);
});

test('code that stops since its attempt was taken for lost uses up no try, and the log says why', async () => {
  const stop = () => {
    throw new Error('The request was stopped.');
  };
  const lost = 'Handed back: its runner did not reach the database for longer than its lease.';
  const message = `${lost} Its code said: The request was stopped.`;
  expect(await settled('LOST', stop)).toEqual([{ state: 'QUEUED', message }]);
  expect(await rows(em, `select message from event where type = 'RETRYING'`)).toEqual([{ message }]);
  expect((await engine.take(em, 1)).attempts).toMatchObject([{ attempt: 1 }]);
});

test('code that loses a connection of its own while it saves a checkpoint is not called again by the transaction', async () => {
  let calls = 0;
  const lose = async () => {
    calls += 1;
    throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  };
  const run: TaskClass['run'] = async ({ checkpoint }) => String(await checkpoint(lose));
  const { outcome } = await runOnce(run, new AbortController());
  expect([outcome, calls]).toEqual([{ state: 'FAILED', message: 'read ECONNRESET', permanent: false }, 1]);
});

test('an attempt whose process stops is handed back, whatever its code made of it', async () => {
  const message = 'Handed back: its runner stopped.';
  expect(await settled('STOPPING', () => 'all done')).toEqual([{ state: 'QUEUED', message }]);
});
