// Many tasks that are due at one minute: how late each begins. Each side alone, in turn. `--sizes 1000,10000`.
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Fired } from '../peers/protocol.ts';
import { type BenchDatabases, connect, startDatabases } from '../support/database.ts';
import { startProduct, startProgram } from '../support/programs.ts';
import { hasRedis, startRedis } from '../support/redis.ts';
import { argument, median, publish, quantile, ROUNDS, SMOKE, type Target } from '../support/report.ts';
import { addHourlyTasks, NOTHING_CLASS_FILE, waitUntilForeseen, waitUntilRun } from '../support/tasks.ts';

const MINUTE = 60_000;
const DRAIN_WITHIN_MS = 180_000;
/** Time to add so many and to get ready. */
const READY_MS = (count: number) => 15_000 + count * 2;

const SIZES = argument('sizes', SMOKE ? '20' : '1000,10000')
  .split(',')
  .map(Number);

interface Measured extends Fired {
  /** When all had ended, in milliseconds after the minute, where that is known. */
  drained: number | null;
}

interface Side {
  name: string;
  onDisk: boolean;
  fire(count: number): Promise<Measured>;
}

function nextMinute(count: number): number {
  return Math.ceil((Date.now() + READY_MS(count)) / MINUTE) * MINUTE;
}

async function firePeer(file: string, env: Record<string, string>, concurrency: number, count: number) {
  const minute = nextMinute(count);
  const program = await startProgram(fileURLToPath(new URL(`../peers/${file}.ts`, import.meta.url)), {
    env,
    args: ['fire', String(count), String(concurrency), String(minute)],
    ready: /result (.*)\n/,
  });
  await program.stop();
  return { ...(JSON.parse(program.address) as Fired), drained: null };
}

function sidesOf(databases: BenchDatabases, withRedis: boolean): Side[] {
  let number = 0;
  const database = () => {
    number += 1;
    return databases.create(`firing_${number}`);
  };
  const onPostgres = (name: string, file: string, concurrency: number): Side => ({
    name,
    onDisk: true,
    fire: async (count) => firePeer(file, { DATABASE_URL: await database() }, concurrency, count),
  });
  const bullmq = (name: string, onDisk: boolean): Side => ({
    name,
    onDisk,
    fire: async (count) => {
      const redis = await startRedis(onDisk);
      try {
        return await firePeer('bullmq', { REDIS_URL: redis.url }, 200, count);
      } finally {
        await redis.stop();
      }
    },
  });
  const slotkeeper = (concurrency: number): Side => ({
    name: `Slotkeeper, CONCURRENCY ${concurrency}`,
    onDisk: true,
    fire: async (count) => fireProduct(await database(), concurrency, count),
  });
  return [
    slotkeeper(10),
    slotkeeper(200),
    onPostgres('graphile-worker cron, 20 at once', 'graphile-worker', 20),
    ...(withRedis ? [bullmq('BullMQ, nothing on disk', false), bullmq('BullMQ, append-only file', true)] : []),
    onPostgres('pg-boss schedule', 'pg-boss', 200),
    {
      name: 'node-schedule, in memory',
      onDisk: false,
      fire: (count) => firePeer('node-schedule', {}, 1, count),
    },
  ];
}

async function fireProduct(databaseUrl: string, concurrency: number, count: number): Promise<Measured> {
  const server = await startProduct(databaseUrl, {
    TASK_MODULES: NOTHING_CLASS_FILE,
    CONCURRENCY: String(concurrency),
  });
  const client = await connect(databaseUrl);
  const minute = nextMinute(count);
  try {
    await addHourlyTasks(client, count, new Date(minute));
    await waitUntilForeseen(client);
    if (Date.now() >= minute) throw new Error('the minute came before all was ready');
    await pause(minute - Date.now() + 1_000);
    await waitUntilRun(client, count, DRAIN_WITHIN_MS);
    const { rows } = await client.query<{ late: number; ended: number }>(
      `select (extract(epoch from started_at - slot) * 1000)::float8 as late,
         (extract(epoch from finished_at - slot) * 1000)::float8 as ended
       from run order by started_at`,
    );
    const late = rows.map((row) => row.late);
    const drained = Math.max(...rows.map(({ ended }) => ended));
    return { fired: late.length, p50: quantile(late, 0.5), p99: quantile(late, 0.99), max: quantile(late, 1), drained };
  } finally {
    await client.end();
    await server.stop();
  }
}

const all = new Map<string, Measured[]>();
const keyOf = (name: string, count: number) => `${name} ${count}`;
const of = (name: string, count: number, key: keyof Measured) =>
  median((all.get(keyOf(name, count)) ?? []).map((measured) => measured[key] ?? Number.NaN));

const withRedis = await hasRedis();
if (!withRedis) process.stderr.write('There is no redis-server on this machine: BullMQ is left out.\n');
const databases = await startDatabases();
try {
  const sides = sidesOf(databases, withRedis);
  const measure = async (side: Side, count: number) => {
    const measured = await side.fire(count);
    process.stderr.write(`${side.name}, ${count}: ${JSON.stringify(measured)}\n`);
    all.set(keyOf(side.name, count), [...(all.get(keyOf(side.name, count)) ?? []), measured]);
  };
  for (const count of SIZES) {
    for (let round = 0; round < ROUNDS; round += 1) {
      // A trial of the programs needs one minute for all of them.
      if (SMOKE) await Promise.all(sides.map((side) => measure(side, count)));
      else for (const side of sides) await measure(side, count);
    }
  }
  const round = (value: number) => (Number.isNaN(value) ? '' : Math.round(value));
  const most = Math.max(...SIZES);
  const ours = 'Slotkeeper, CONCURRENCY 200';
  const targets: Target[] = [
    { what: `${most} slots at one minute: the last begins, of 4 s`, ratio: of(ours, most, 'max') / 4_000, atMost: 1 },
    ...sides
      .filter(({ name, onDisk }) => onDisk && !name.startsWith('Slotkeeper') && !name.startsWith('BullMQ'))
      // Of a peer that did not fire all in time, what it did fire is compared.
      .map(({ name }) => ({
        what: `p99 to that of ${name}`,
        ratio: of(ours, most, 'p99') / of(name, most, 'p99'),
        atMost: 1,
      })),
    ...sides
      .filter(({ name }) => name.startsWith('BullMQ'))
      .map(({ name }) => ({
        what: `p99 to that of ${name}`,
        ratio: of(ours, most, 'p99') / of(name, most, 'p99'),
        atMost: 2.5,
      })),
  ];
  await publish({
    subject: 'firing',
    title: 'Firing: tasks that are due at one minute, trivial body',
    tables: SIZES.map((count) => ({
      title: `${count} tasks: milliseconds from the minute until each begins`,
      columns: ['', 'fired within 75 s', 'p50', 'p99', 'max', 'all ended'],
      rows: sides.map(({ name }) => [
        name,
        of(name, count, 'fired'),
        round(of(name, count, 'p50')),
        round(of(name, count, 'p99')),
        round(of(name, count, 'max')),
        round(of(name, count, 'drained')),
      ]),
    })),
    targets,
    measurements: [...all],
  });
} finally {
  await databases.release();
}
