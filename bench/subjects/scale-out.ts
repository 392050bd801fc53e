// The same runs taken by 1, 2 and 4 runner processes on one database, beside a gateway that runs nothing.
import { connect, startDatabases } from '../support/database.ts';
import { type Product, startProduct } from '../support/programs.ts';
import { inTurn, median, publish, ROUNDS, SMOKE } from '../support/report.ts';
import { NOTHING_CLASS_FILE, queueRuns, secondsOfRuns, waitUntilRun } from '../support/tasks.ts';

const RUNNERS = [1, 2, 4];
const CONCURRENCY = 20;
const WAIT_MS = 100;
const WITHIN_MS = 180_000;

interface Work {
  name: string;
  waitMs: number;
  runs: number;
}

const WORKS: Work[] = [
  { name: `bodies that wait ${WAIT_MS} ms`, waitMs: WAIT_MS, runs: SMOKE ? 40 : 3_000 },
  { name: 'bodies that do nothing', waitMs: 0, runs: SMOKE ? 100 : 10_000 },
];

interface Side {
  name: string;
  work: Work;
  runners: number;
}

interface Measured {
  runsPerSecond: number;
  /** The most that one of the runners did, as a part of what each would do. */
  imbalance: number;
}

async function drain({ work, runners }: Side, databaseUrl: string): Promise<Measured> {
  await queueRuns(databaseUrl, work.runs);
  const client = await connect(databaseUrl);
  const settings = { TASK_MODULES: NOTHING_CLASS_FILE, BENCH_WAIT_MS: String(work.waitMs) };
  const processes: Product[] = [await startProduct(databaseUrl, { ...settings, ROLE: 'gateway' })];
  // Held until all are up: a runner that begins alone would seem faster than it is.
  await client.query("update installation set held_since = now(), held_because = 'The bench begins.'");
  const env = { ...settings, ROLE: 'runner', METRICS_PORT: '0', CONCURRENCY: String(CONCURRENCY) };
  for (let n = 0; n < runners; n += 1) processes.push(await startProduct(databaseUrl, env, /runs tasks/));
  await processes[0]?.graphql('mutation { resumeInstallation { installation { heldSince } } }');
  await waitUntilRun(client, work.runs, WITHIN_MS);
  const seconds = await secondsOfRuns(client);
  const { rows } = await client.query<{ most: number }>(
    'select max(runs)::int as most from (select count(*) as runs from run group by runner_id) as each',
  );
  await client.end();
  for (const process of processes) await process.stop();
  return { runsPerSecond: work.runs / seconds, imbalance: ((rows[0]?.most ?? Number.NaN) * runners) / work.runs };
}

const sides = WORKS.flatMap((work) =>
  RUNNERS.map((runners): Side => ({ name: `${work.name}, ${runners} runners`, work, runners })),
);
const databases = await startDatabases();
let number = 0;
try {
  const measured = await inTurn(sides, ROUNDS, async (side) => {
    number += 1;
    const result = await drain(side, await databases.create(`scale_${number}`));
    process.stderr.write(`${side.name}: ${Math.round(result.runsPerSecond)} a second\n`);
    return result;
  });
  const of = (work: Work, runners: number, key: keyof Measured) =>
    median((measured.get(`${work.name}, ${runners} runners`) ?? []).map((each) => each[key]));
  const [waiting] = WORKS as [Work, Work];
  await publish({
    subject: 'scale-out',
    title: `Scaling out: runs that wait, taken by 1, 2 and 4 runner processes of CONCURRENCY ${CONCURRENCY}`,
    tables: WORKS.map((work) => ({
      title: `Complete runs a second: ${work.runs} ${work.name}`,
      columns: ['runner processes', 'a second', 'of one', 'most that one did, of its share'],
      rows: RUNNERS.map((runners) => [
        runners,
        Math.round(of(work, runners, 'runsPerSecond')),
        (of(work, runners, 'runsPerSecond') / of(work, 1, 'runsPerSecond')).toFixed(2),
        of(work, runners, 'imbalance').toFixed(2),
      ]),
    })),
    targets: [2, 4].map((runners) => ({
      what: `${waiting.name}: ${runners} runners to one`,
      ratio: of(waiting, runners, 'runsPerSecond') / of(waiting, 1, 'runsPerSecond'),
      // With two processors for all of them.
      atLeast: runners === 2 ? 1.6 : 2.5,
    })),
    measurements: [...measured],
  });
} finally {
  await databases.release();
}
