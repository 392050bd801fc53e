// The clock of a process jumps, or the machine sleeps: slots stay exact, and none is doubled.
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCoverage } from '../../src/ledger/coverage.ts';
import { addRecorders } from '../support/accounts.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type AppProcess, startProcess } from '../support/process.ts';
import { rows } from '../support/races.ts';

const PROGRAM = fileURLToPath(new URL('../support/chaos-process.ts', import.meta.url));
const CLOCK = pathToFileURL(fileURLToPath(new URL('../support/shifting-clock.ts', import.meta.url))).href;
const HOUR = 3_600_000;
const SHIFTS = [HOUR, -3 * HOUR, 400 * 24 * HOUR];
const TASKS = 5;

let database: TestDatabase;
let app: AppProcess;

beforeAll(async () => {
  database = await testDatabase();
  app = await startProcess(
    database.url,
    { NODE_OPTIONS: `--import ${CLOCK}`, CLOCK_SHIFTS: SHIFTS.join(), LOG_LEVEL: 'fatal' },
    PROGRAM,
  );
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

/** How many slots have run to their end. */
async function slotsDone(): Promise<number> {
  const [row] = await rows<{ n: number }>(
    database.orm.em,
    `select count(*)::int as n from (
       select slot from run where state = 'SUCCEEDED' group by slot having count(*) = ${TASKS}) as done`,
  );
  return row?.n ?? 0;
}

test('a clock that jumps forward or back, and a sleep across a minute, leave every slot exact', async () => {
  await addRecorders(database.orm, TASKS);
  const begin = new Date();
  for (const [turn, shift] of SHIFTS.entries()) {
    // After one slot and before the next, while its alarm is set.
    await expect.poll(slotsDone, { timeout: 90_000, interval: 200 }).toBe(turn + 1);
    app.child.kill('SIGUSR2');
    await expect.poll(() => app.output()).toContain(`the clock is shifted by ${shift}`);
  }
  await expect.poll(slotsDone, { timeout: 90_000, interval: 200 }).toBe(SHIFTS.length + 1);
  // Asleep from three seconds before a minute until three seconds after it.
  await pause(60_000 - (Date.now() % 60_000) - 3_000);
  app.child.kill('SIGSTOP');
  await pause(6_000);
  app.child.kill('SIGCONT');
  await expect.poll(slotsDone, { timeout: 90_000, interval: 200 }).toBe(SHIFTS.length + 2);

  const { em } = database.orm;
  expect(await rows(em, `select id from run where state <> 'SUCCEEDED' or attempt <> 1`)).toEqual([]);
  const coverage = await readCoverage(em, begin, new Date(), null);
  expect(coverage).toMatchObject({
    expected: TASKS * (SHIFTS.length + 2),
    ran: TASKS * (SHIFTS.length + 2),
    missing: [],
  });
  // A jump costs no more than the slow sweep takes; without one a slot is fired at once.
  const [late] = await rows<{ most: number }>(
    em,
    'select max(extract(epoch from queued_at - slot))::float8 as most from run',
  );
  expect(late?.most).toBeLessThan(16);
}, 480_000);
