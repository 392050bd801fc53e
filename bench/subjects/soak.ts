// Ten minutes of mixed load at half of what the process can do: whether it holds more and more memory or handles, whether
// anything fails, and whether every slot is accounted for. `--minutes N` for another length.
import { readdir } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, startDatabases } from '../support/database.ts';
import { Follower } from '../support/followers.ts';
import { mixedLoad } from '../support/mixed-load.ts';
import { NOTHING_CLASS } from '../support/nothing-class.ts';
import { type Product, residentMiB, startProduct } from '../support/programs.ts';
import { argument, median, publish, quantile, SMOKE } from '../support/report.ts';
import { NOTHING_CLASS_FILE } from '../support/tasks.ts';

const MINUTES = Number(argument('minutes', SMOKE ? '0.1' : '10'));
const TASKS = SMOKE ? 10 : 300;
const AT_ONCE = 16;
const FOLLOWERS = SMOKE ? 2 : 20;
const CAPACITY_SECONDS = SMOKE ? 2 : 20;
const SAMPLE_MS = SMOKE ? 1_000 : 5_000;

interface Sample {
  residentMiB: number;
  heapMiB: number;
  /** Files, sockets and pipes that are open. */
  handles: number;
  databaseConnections: number;
}

async function sample(product: Product, client: Awaited<ReturnType<typeof connect>>): Promise<Sample> {
  const metrics = await (
    await fetch(`${product.address}/metrics`, { headers: { authorization: product.authorization } })
  ).text();
  const { rows } = await client.query<{ connections: number }>(
    'select count(*)::int as connections from pg_stat_activity where datname = current_database()',
  );
  return {
    residentMiB: await residentMiB(product.child),
    heapMiB: Number(/^nodejs_heap_size_used_bytes (\S+)/m.exec(metrics)?.[1]) / 2 ** 20,
    handles: (await readdir(`/proc/${product.child.pid}/fd`)).length,
    databaseConnections: rows[0]?.connections ?? 0,
  };
}

async function addMinuteTasks(product: Product): Promise<void> {
  for (let n = 1; n <= TASKS; n += 1) {
    await product.graphql('mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }', {
      input: {
        name: `Task ${n}`,
        className: NOTHING_CLASS,
        policy: { overlap: 'ALLOW' },
        repeatItems: [{ minute: null }],
      },
    });
  }
}

/** Loses a follower's connection every few seconds. */
async function cutConnections(followers: readonly Follower[], signal: AbortSignal): Promise<void> {
  for (let n = 0; !signal.aborted; n += 1) {
    const follower = followers[n % followers.length] as Follower;
    await follower.close();
    follower.open();
    await pause(1_000, undefined, { signal }).catch(() => undefined);
  }
}

const databases = await startDatabases();
let product: Product | undefined;
try {
  const databaseUrl = await databases.create('soak');
  product = await startProduct(databaseUrl, { TASK_MODULES: NOTHING_CLASS_FILE, CONCURRENCY: '50' });
  const client = await connect(databaseUrl);
  // Samples are taken while other statements are under way.
  const sampler = await connect(databaseUrl);
  await addMinuteTasks(product);
  const from = new Date();
  const capacity = await mixedLoad(product, { tasks: TASKS, atOnce: AT_ONCE, seconds: CAPACITY_SECONDS });
  const perSecond = capacity.deeds / capacity.seconds / 2;
  process.stderr.write(`capacity ${Math.round(perSecond * 2)} deeds a second; half of it for ${MINUTES} minutes\n`);

  const followers = Array.from({ length: FOLLOWERS }, () => new Follower(product as Product));
  for (const follower of followers) follower.open();
  const over = new AbortController();
  const cutting = cutConnections(followers, over.signal);
  const samples: Sample[] = [];
  const sampling = (async () => {
    while (!over.signal.aborted) {
      samples.push(await sample(product as Product, sampler));
      await pause(SAMPLE_MS, undefined, { signal: over.signal }).catch(() => undefined);
    }
  })();
  const done = await mixedLoad(product, { tasks: TASKS, atOnce: AT_ONCE, seconds: MINUTES * 60, perSecond });
  over.abort();
  await Promise.all([cutting, sampling]);
  // What comes late has come.
  await pause(2_000);
  const missed: number[] = [];
  for (const follower of followers) missed.push(await follower.missed(client));
  for (const follower of followers) await follower.close();

  const { coverage } = await product.graphql<{
    coverage: { expected: number; ran: number; skipped: number; unaccounted: number };
  }>(
    'query ($from: DateTime!, $to: DateTime!) { coverage(from: $from, to: $to) { expected ran skipped unaccounted } }',
    { from: from.toISOString(), to: new Date().toISOString() },
  );
  await client.end();
  await sampler.end();

  // The first quarter warms up.
  const quarter = Math.floor(samples.length / 4);
  const growthOf = (read: (part: Sample[]) => number) =>
    read(samples.slice(-quarter - 1)) / read(samples.slice(quarter, 2 * quarter + 1));
  const middle = (key: keyof Sample) => (part: Sample[]) => median(part.map((each) => each[key]));
  const growth = {
    resident: growthOf(middle('residentMiB')),
    // After a collection: what is really held.
    heap: growthOf((part) => Math.min(...part.map(({ heapMiB }) => heapMiB))),
    handles: growthOf(middle('handles')),
    connections: growthOf(middle('databaseConnections')),
  };
  const faults = [...capacity.faults, ...done.faults, ...followers.flatMap((follower) => follower.faults)];
  for (const fault of [...new Set(faults)].slice(0, 10)) process.stderr.write(`${fault}\n`);
  const sorted = done.latencies.toSorted((left, right) => left - right);
  const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  const received = sumOf(followers.map((follower) => follower.received));
  await publish({
    subject: 'soak',
    title: `Soak: ${MINUTES} minutes of mixed load at half of the measured capacity, one process`,
    tables: [
      {
        title: 'What was done',
        columns: ['', ''],
        rows: [
          ['deeds a second, closed loop (capacity)', Math.round(capacity.deeds / capacity.seconds)],
          ['deeds a second', Math.round(done.deeds / done.seconds)],
          ['deeds', done.deeds],
          ['failed', faults.length],
          ['p50, p99 in milliseconds', `${Math.round(quantile(sorted, 0.5))}, ${Math.round(quantile(sorted, 0.99))}`],
          [
            'slots expected, ran, skipped, unaccounted',
            [coverage.expected, coverage.ran, coverage.skipped, coverage.unaccounted].join(', '),
          ],
          [`events that ${FOLLOWERS} followers got, whose connections are cut all the time`, received],
          [
            'of those missed, or twice or out of order',
            sumOf(missed.map(Math.abs)) + sumOf(followers.map(({ wrong }) => wrong)),
          ],
        ],
      },
      {
        title: 'Last quarter to second quarter',
        columns: ['', 'second', 'last', 'ratio'],
        rows: (
          [
            ['resident MiB, median', 'residentMiB', growth.resident],
            ['heap MiB, median (ratio: least)', 'heapMiB', growth.heap],
            ['open files and sockets, median', 'handles', growth.handles],
            ['database connections, median', 'databaseConnections', growth.connections],
          ] as const
        ).map(([name, key, ratio]) => [
          name,
          Math.round(middle(key)(samples.slice(quarter, 2 * quarter + 1))),
          Math.round(middle(key)(samples.slice(-quarter - 1))),
          ratio.toFixed(2),
        ]),
      },
    ],
    targets: [
      { what: 'resident memory, last quarter to second', ratio: growth.resident, atMost: 1.1 },
      { what: 'heap after collections, last quarter to second', ratio: growth.heap, atMost: 1.2 },
      { what: 'open files and sockets, last quarter to second', ratio: growth.handles, atMost: 1.1 },
      { what: 'unaccounted slots', ratio: coverage.unaccounted, atMost: 0 },
      { what: 'deeds that failed', ratio: faults.length, atMost: 0 },
      {
        what: 'events missed, twice or out of order',
        ratio: sumOf(missed.map(Math.abs)) + sumOf(followers.map(({ wrong }) => wrong)),
        atMost: 0,
      },
    ],
    measurements: samples,
  });
} finally {
  await product?.stop();
  await databases.release();
}
