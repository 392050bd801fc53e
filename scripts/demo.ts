// An installation that looks like one in use, for the screenshots: tasks of several kinds, a day of history, and work
// under way.
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { z } from 'zod';
import { defineTaskClass } from '../src/task-classes/task-class.ts';
import type { TestApp } from '../test/support/app.ts';

/** Reads devices one after the other, and says so. */
const readDevices = defineTaskClass({
  name: '\\scheduler\\Tasks\\ReadDevicesTask',
  title: 'Read devices',
  description: 'Reads the address tables of the devices.',
  data: z.looseObject({ devices: z.number().int().min(1).max(10_000).default(40).describe('How many there are.') }),
  async run({ data, signal, log, progress }) {
    for (let done = 1; done <= data.devices; done += 1) {
      await wait(900, undefined, { signal });
      log(`edge-${String(done).padStart(2, '0')}.example.net: ${200 + ((done * 37) % 400)} addresses`);
      progress(done, data.devices);
    }
    return `${data.devices} devices were read.`;
  },
});

const verifyZones = defineTaskClass({
  name: '\\scheduler\\Tasks\\VerifyZonesTask',
  title: 'Verify zones',
  description: 'Asks the name servers whether they serve what they should.',
  data: z.looseObject({}),
  async run({ log }) {
    log('ns1.example.net serves example.org with serial 2026112401');
    throw new Error('ns2.example.net does not answer: timed out after 5 s.');
  },
});

export const DEMO_CLASSES = [readDevices, verifyZones];

const HOLDING = '\\scheduler\\Tasks\\ProcessHoldingTask';
const BACKUP = '\\scheduler\\Tasks\\BackupTask';
const DNS = '\\scheduler\\Tasks\\DNSPushTask';
const DAY = { hour: null, minute: 0 };

interface DemoTask {
  name: string;
  className: string;
  /** Minutes between its slots, for its history. */
  every: number;
  repeatItems: Record<string, number | string | null>[];
  timeZone?: string;
  /** Seconds that a run took, and the part of them that failed. */
  seconds: number;
  failed: number;
}

const TASKS: DemoTask[] = [
  {
    name: 'Return blocks from the holding tank',
    className: HOLDING,
    every: 15,
    repeatItems: [0, 15, 30, 45].map((minute) => ({ minute })),
    seconds: 14,
    failed: 0,
  },
  {
    name: 'Push DNS zones',
    className: DNS,
    every: 60,
    repeatItems: [{ ...DAY, minute: 5 }],
    seconds: 42,
    failed: 0.04,
  },
  {
    name: 'Back up the database',
    className: BACKUP,
    every: 1_440,
    repeatItems: [{ hour: 2, minute: 30 }],
    timeZone: 'Europe/Berlin',
    seconds: 320,
    failed: 0,
  },
  {
    name: 'Read the devices of Frankfurt',
    className: readDevices.name,
    every: 30,
    repeatItems: [10, 40].map((minute) => ({ minute })),
    timeZone: 'Europe/Berlin',
    seconds: 220,
    failed: 0.02,
  },
  {
    name: 'Read the devices of New York',
    className: readDevices.name,
    every: 30,
    repeatItems: [10, 40].map((minute) => ({ minute })),
    timeZone: 'America/New_York',
    seconds: 180,
    failed: 0.05,
  },
  {
    name: 'Verify zones',
    className: verifyZones.name,
    every: 60,
    repeatItems: [{ minute: 20 }],
    seconds: 9,
    failed: 0.3,
  },
  {
    name: 'Report of assigned blocks',
    className: '\\scheduler\\Tasks\\HttpRequestTask',
    every: 1_440,
    repeatItems: [4, 5, 6, 0].map((dayOfWeek) => ({ dayOfWeek, hour: 20, minute: 0, start: '2015-05-06' })),
    seconds: 2,
    failed: 0,
  },
];

const DATA: Record<string, unknown> = {
  '\\scheduler\\Tasks\\HttpRequestTask': { url: 'https://reports.example.org/assigned' },
};

/** Adds the tasks with a day behind them, and starts some. Resolves when something is to be seen. */
export async function fillDemo(app: TestApp, databaseUrl: string): Promise<void> {
  const ids = new Map<string, string>();
  for (const { name, className, repeatItems, timeZone } of TASKS) {
    const { addTask } = await app.query<{ addTask: { task: { id: string; legacyId: number } } }>(
      'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id legacyId } } }',
      { input: { name, className, repeatItems, ...(timeZone ? { timeZone } : {}), data: DATA[className] ?? {} } },
    );
    ids.set(name, addTask.task.id);
  }
  await addHistory(databaseUrl);
  const { addUser } = await app.query<{ addUser: { user: { id: string } } }>(
    'mutation { addUser(input: { name: "noc", role: OPERATOR }) { user { id } } }',
  );
  await app.query('mutation ($user: ID!) { createApiKey(input: { user: $user }) { apiKey { key } } }', {
    user: addUser.user.id,
  });
  for (const action of ['getTasks', 'getTaskHistory']) await app.legacy(`target=scheduler&action=${action}`);
  const run = (name: string, data?: unknown) =>
    app.query(
      'mutation ($id: ID!, $data: JSON) { executeTask(input: { task: { id: $id }, data: $data }) { run { id } } }',
      {
        id: ids.get(name),
        data,
      },
    );
  await run('Verify zones');
  await run('Read the devices of Frankfurt', { devices: 60 });
  await run('Read the devices of New York', { devices: 400 });
  await run('Read the devices of New York');
  await wait(12_000);
}

/** A day of runs as they would have been recorded, with some that failed and an outage. */
async function addHistory(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(
      "update task set created_at = now() - interval '40 days', updated_at = now() - interval '40 days'",
    );
    await client.query("update schedule_version set valid_from = now() - interval '40 days'");
    await client.query('select setseed(0.5)');
    await client.query(HISTORY, [
      JSON.stringify(TASKS.map(({ name, every, seconds, failed }) => ({ name, every, seconds, failed }))),
    ]);
    await client.query(
      "update task set last_run_at = (select max(finished_at) from run where task_id = task.id and state = 'SUCCEEDED')",
    );
  } finally {
    await client.end();
  }
}

/** The slots of the past day or two, at their distances from the next one; those of an hour five hours ago are skipped. */
const HISTORY = `
  with slots as (
    select t.id, t.owner_id, t.next_run_at - n * make_interval(mins => every) as slot, seconds, failed,
      random() as luck, random() as spread
    from json_to_recordset($1::json) as said (name text, every int, seconds float8, failed float8)
      join task t using (name), generate_series(1, 2880 / every) n
  ), fates as (
    select *, slot > now() - interval '6 hours' and slot < now() - interval '5 hours' as away, luck < failed as failing,
      seconds * (0.7 + 0.6 * spread) * interval '1 second' as took,
      (0.2 + spread) * interval '0.4 second' as late
    from slots where slot < now()
  )
  insert into run (task_id, slot, trigger, state, skip_reason, actor_id, attempt, queued_at, started_at, finished_at, message)
  select id, slot, 'SCHEDULE', case when away then 'SKIPPED' when failing then 'FAILED' else 'SUCCEEDED' end,
    case when away then 'MISSED' end, owner_id, case when away then 0 else 1 end, slot,
    case when not away then slot + late end, case when away then slot + interval '1 hour' else slot + late + took end,
    case when away then 'The slot was not fired in time: no runner was there.'
      when failing then 'ns2.example.net does not answer: timed out after 5 s.' else 'Done.' end
  from fates order by slot`;
