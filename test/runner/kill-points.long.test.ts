// A process that is killed after its first, second, third … statement from the minute on, until what was due has been
// fired, run and settled: whoever comes next finds everything in order and brings it to its end.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readCoverage } from '../../src/ledger/coverage.ts';
import { addRecorders } from '../support/accounts.ts';
import { testDatabase } from '../support/database.ts';
import { deadlyProxyTo } from '../support/deadly-proxy.ts';
import { startProcess } from '../support/process.ts';
import { findBroken, rows } from '../support/races.ts';

const PROGRAM = fileURLToPath(new URL('../support/chaos-process.ts', import.meta.url));
const TASKS = 3;
/** Firing, taking, the statements of the code itself, and settling are about so many. */
const STATEMENTS = 44;
/** Databases that are worked on at once, each with its share of the statements. */
const LANES = 4;
/** The lease, and two looks at what has lapsed. */
const RECOVERED_MS = 40_000;

/** Dies at every `LANES`-th statement from `first` on, one after the other on one database. */
async function dieAtEach(first: number): Promise<number> {
  const database = await testDatabase();
  const proxy = await deadlyProxyTo(database.url);
  const { em } = database.orm;
  const settings = { LOG_LEVEL: 'fatal', LEASE_SECONDS: '10', GRACE_SECONDS: '5' };
  let app = await startProcess(proxy.url, settings, PROGRAM);
  let deaths = 0;
  try {
    const begin = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 120 * 60_000);
    await addRecorders(database.orm, TASKS);
    // A task that is never late: the slots are past ones, one for each death.
    await rows(em, 'update task set next_run_at = null, misfire_grace_seconds = 86400');
    await rows(em, 'update schedule_version set valid_from = ?::timestamptz', [begin.toISOString()]);
    for (let statement = first; statement < STATEMENTS; statement += LANES) {
      const slot = new Date(begin.getTime() + (deaths + 1) * 60_000);
      const gone = once(app.child, 'exit');
      proxy.dieAfter(statement, () => app.child.kill('SIGKILL'));
      // The slot after it is known, and not due: `fireDue` has no arithmetic to do.
      await rows(
        em,
        `update task set next_run_at = ?::timestamptz, following_of = ?::timestamptz, following_run_at = null`,
        [slot.toISOString(), slot.toISOString()],
      );
      await rows(em, `select pg_notify('slotkeeper_schedule', '')`);
      await gone;
      deaths += 1;
      proxy.revive();
      app = await startProcess(proxy.url, settings, PROGRAM);
      const ended = () =>
        rows(em, `select count(*)::int as n from run where slot = ?::timestamptz and state = 'SUCCEEDED'`, [
          slot.toISOString(),
        ]);
      await expect
        .poll(ended, { timeout: RECOVERED_MS, message: `after statement ${statement}` })
        .toEqual([{ n: TASKS }]);
      expect(await findBroken(em), `after statement ${statement}`).toEqual([]);
    }
    const lastSlot = new Date(begin.getTime() + deaths * 60_000);
    const range = [new Date(begin.getTime() + 60_000), new Date(lastSlot.getTime() + 1)] as const;
    const slots = deaths * TASKS;
    expect(await readCoverage(em, ...range, null)).toMatchObject({ expected: slots, ran: slots, missing: [] });
    const doubled = `select run_id from event where type = 'SUCCEEDED' group by run_id having count(*) > 1`;
    expect(await rows(em, doubled)).toEqual([]);
    const secret = `
      select run_id, attempt from recorded where what = 'begun' group by run_id, attempt
      having count(*) > (select count(*) from event e
        where e.run_id = recorded.run_id and e.attempt = recorded.attempt and e.type = 'STARTED')`;
    expect(await rows(em, secret)).toEqual([]);
    const [lost] = await rows<{ n: number }>(em, `select count(*)::int as n from event where type = 'RETRYING'`);
    return lost?.n ?? 0;
  } finally {
    await app.stop();
    await proxy.close();
    await database.close();
  }
}

test('a process that dies after any statement leaves nothing lost, doubled or without an account', async () => {
  const lost = await Promise.all(Array.from({ length: LANES }, (_, lane) => dieAtEach(lane)));
  // Some died while they held attempts, or the statements were not those that matter.
  for (const each of lost) expect(each).toBeGreaterThan(0);
}, 900_000);
