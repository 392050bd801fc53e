// Work for a cluster, and what must be true of it afterwards, whatever befell the cluster.
import { setTimeout as pause } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'vitest';
import { readCoverage } from '../../src/ledger/coverage.ts';
import { RECORDER } from './chaos-process.ts';
import type { Follower, Member } from './cluster.ts';
import type { AppProcess } from './process.ts';
import { addTasks, everyHourAt, findBroken, rows } from './races.ts';

/** Adds tasks whose code writes down that it ran, due each minute since `from`. */
export async function addRecorders(orm: MikroORM, count: number, from = new Date()): Promise<number[]> {
  await rows(orm.em, 'create table recorded (run_id bigint, attempt int, what text)');
  const rule = { ...everyHourAt(0), minute: null };
  const ids = await addTasks(orm.em, {
    count,
    rule,
    from,
    catchUp: 'ALL',
    overlap: 'QUEUE',
    retryAttempts: 20,
  });
  await rows(orm.em, 'update task set class_name = ?', [RECORDER]);
  return ids;
}

/** Asks for runs by hand now and then, each under a key, again until it is answered. Returns how many were asked for. */
export async function askForRuns(
  gateways: readonly Member[],
  taskIds: readonly number[],
  isOver: () => boolean,
): Promise<number> {
  let asked = 0;
  for (; !isOver(); asked += 1) {
    const variables = { task: taskIds[asked % taskIds.length], key: `ask ${asked}` };
    for (let turn = asked; ; turn += 1) {
      const gateway = await (gateways[turn % gateways.length] as Member).process;
      const reply = await gateway
        .post<{ executeTask: { run: { id: string } } | null }>(
          `mutation ($task: Int!, $key: String!) {
            executeTask(input: { task: { legacyId: $task }, idempotencyKey: $key }) { run { id } }
          }`,
          variables,
        )
        .catch(() => null);
      if (reply?.data?.executeTask) break;
      await pause(100);
    }
    await pause(100);
  }
  return asked;
}

/** Pauses all tasks and waits until every run is finished. */
export async function waitUntilQuiet(orm: MikroORM, gateway: AppProcess, taskIds: readonly number[]): Promise<void> {
  for (const task of taskIds) {
    const pauseTask = 'mutation ($task: Int!) { pauseTask(input: { task: { legacyId: $task } }) { task { active } } }';
    // The last blow may still be felt: a connection that was cut answers with an error once.
    const paused = async () => {
      const reply = await gateway.post<{ pauseTask: unknown }>(pauseTask, { task }).catch(() => null);
      return reply?.data?.pauseTask;
    };
    await expect.poll(paused, { timeout: 10_000 }).toEqual({ task: { active: false } });
  }
  const unfinished = `select count(*)::int as n from run where state in ('QUEUED', 'RUNNING')`;
  const due = 'select count(*)::int as n from task where next_run_at <= now()';
  await expect
    .poll(async () => [...(await rows(orm.em, unfinished)), ...(await rows(orm.em, due))], {
      timeout: 120_000,
      interval: 500,
    })
    .toEqual([{ n: 0 }, { n: 0 }]);
}

/** Checks that nothing was lost, doubled or left without an account; returns what there was, in a line. */
export async function checkAccounts(
  orm: MikroORM,
  begin: Date,
  followers: readonly Follower[],
  asked: number,
): Promise<string> {
  const { em } = orm;
  const coverage = await readCoverage(em, begin, new Date(), null);
  expect(coverage).toMatchObject({ unaccounted: 0, missing: [] });
  expect(await findBroken(em)).toEqual([]);
  // A run that succeeded did so once, and its code says that it came to its end.
  const doubled = `select run_id from event where type = 'SUCCEEDED' group by run_id having count(*) > 1`;
  expect(await rows(em, doubled)).toEqual([]);
  const unrecorded = `
    select id from run where state = 'SUCCEEDED'
      and not exists (select from recorded r where r.run_id = run.id and r.attempt = run.attempt and r.what = 'ended')`;
  expect(await rows(em, unrecorded)).toEqual([]);
  // What the code says of attempts and what the log says of them is the same: none was made in secret, or twice.
  const secret = `
    select run_id, attempt from recorded where what = 'begun' group by run_id, attempt
    having count(*) > (select count(*) from event e where e.run_id = recorded.run_id and e.attempt = recorded.attempt and e.type = 'STARTED')`;
  expect(await rows(em, secret)).toEqual([]);
  const [manual] = await rows<{ n: number }>(em, `select count(*)::int as n from run where trigger = 'MANUAL'`);
  expect(manual?.n).toBe(asked);

  const stored = await rows<{ seq: number }>(em, 'select seq from event where run_id is not null order by seq');
  const expected = stored.map(({ seq }) => Number(seq));
  for (const follower of followers) {
    const seen = () =>
      follower.cursors.map((cursor) => Number(Buffer.from(cursor, 'base64url').toString().split('.')[1]));
    await expect.poll(() => follower.cursors.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(expected.length);
    expect(seen()).toEqual(expected);
  }
  const [counts] = await rows<{ states: string }>(
    em,
    `select string_agg(n || ' ' || state, ', ') as states from (select state, count(*) as n from run group by state) as s`,
  );
  return `${coverage?.expected} slots: ${coverage?.ran} ran, ${coverage?.skipped} skipped, 0 unaccounted; runs: ${counts?.states}; ${expected.length} events`;
}
