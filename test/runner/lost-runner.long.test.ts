// A runner that is frozen for longer than its lease: others take its runs over, and what it says afterwards is refused.
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addRecorders } from '../support/accounts.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type AppProcess, startProcess } from '../support/process.ts';
import { findBroken, rows } from '../support/races.ts';

const PROGRAM = fileURLToPath(new URL('../support/chaos-process.ts', import.meta.url));
/** How soon, by default, the runs of a dead runner are taken from it. */
const TAKEN_BACK_MS = 30_000;

let database: TestDatabase;
const processes: AppProcess[] = [];

beforeEach(async () => {
  database = await testDatabase();
});

afterEach(async () => {
  await Promise.all(processes.splice(0).map(({ stop }) => stop()));
  await database.close();
});

async function start(): Promise<AppProcess> {
  const started = await startProcess(database.url, {}, PROGRAM);
  processes.push(started);
  return started;
}

interface Run {
  state: string;
  attempt: number;
  message: string;
}

const readRun = () => rows<Run>(database.orm.em, 'select state, attempt, message from run');
const recorded = () => rows<{ attempt: number; what: string }>(database.orm.em, 'select attempt, what from recorded');

/** A run that takes two seconds and is under way in a process that was frozen just now. */
async function freezeOne(retryAttempts: number): Promise<AppProcess> {
  const { em } = database.orm;
  const first = await start();
  await addRecorders(database.orm, 1);
  await rows(em, 'update task set retry_attempts = ?, next_run_at = null, data = ?', [
    retryAttempts,
    '{"milliseconds":2000}',
  ]);
  await first.query('mutation { executeTask(input: { task: { legacyId: 1 } }) { run { id } } }');
  await expect.poll(recorded).toEqual([{ attempt: 1, what: 'begun' }]);
  first.child.kill('SIGSTOP');
  return first;
}

async function thaw(frozen: AppProcess): Promise<void> {
  frozen.child.kill('SIGCONT');
  await expect.poll(() => frozen.output()).toContain('the attempt was no longer ours');
}

test('its run is tried again elsewhere within 30 seconds, and its late outcome is refused and logged', async () => {
  const frozen = await freezeOne(2);
  await start();
  await expect.poll(recorded, { timeout: TAKEN_BACK_MS, interval: 100 }).toContainEqual({ attempt: 2, what: 'begun' });
  await expect.poll(readRun).toEqual([{ state: 'SUCCEEDED', attempt: 2, message: 'recorded' }]);
  const events = () =>
    rows<{ type: string; attempt: number }>(database.orm.em, 'select type, attempt from event order by id');
  const before = await events();
  await thaw(frozen);
  expect(await readRun()).toEqual([{ state: 'SUCCEEDED', attempt: 2, message: 'recorded' }]);
  expect(await events()).toEqual(before);
  expect(before.map(({ type, attempt }) => `${type} ${attempt}`)).toEqual([
    'QUEUED 0',
    'STARTED 1',
    'RETRYING 1',
    'STARTED 2',
    'SUCCEEDED 2',
  ]);
  expect(await findBroken(database.orm.em)).toEqual([]);
}, 90_000);

test('its run fails within 30 seconds where the task has no further attempt', async () => {
  const frozen = await freezeOne(1);
  await start();
  const failed = [{ state: 'FAILED', attempt: 1, message: 'The runner of this attempt was lost.' }];
  await expect.poll(readRun, { timeout: TAKEN_BACK_MS, interval: 100 }).toEqual(failed);
  await thaw(frozen);
  expect(await readRun()).toEqual(failed);
}, 90_000);
