// getTasks of the old API beside the same page written in PHP, which gives the same bytes.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { signedQuery } from '../../src/legacy/signature.ts';
import { connect, startDatabases } from '../support/database.ts';
import { type LoadResult, loadReconnecting } from '../support/load.ts';
import { freePort, type Program, startProduct, startProgram } from '../support/programs.ts';
import { inTurn, median, publish, ROUNDS, SECONDS, SMOKE } from '../support/report.ts';
import { addTasksWithRules } from '../support/tasks.ts';

const SIZES = SMOKE ? [10] : [10, 100, 1_000];
const CONNECTIONS = 16;
/** On two processors the fastest number for PHP. */
const PHP_WORKERS = 4;
const PAGE = fileURLToPath(new URL('../peers/get-tasks.php', import.meta.url));

async function hasPhp(): Promise<boolean> {
  const child = spawn('php', ['-r', 'exit(extension_loaded("pdo_pgsql") ? 0 : 1);'], { stdio: 'ignore' });
  return new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}

interface Side {
  name: string;
  url: string;
}

async function measure(databaseUrl: string, tasks: number, withPhp: boolean): Promise<Map<string, LoadResult[]>> {
  const programs: Program[] = [];
  try {
    const product = await startProduct(databaseUrl, { ROLE: 'gateway' });
    programs.push(product);
    const client = await connect(databaseUrl);
    await addTasksWithRules(client, tasks, true);
    await client.query('create table bench_secret (key text primary key, secret text not null)');
    await client.query('insert into bench_secret values ($1, $2)', [product.key, product.secret]);
    await client.end();
    const query = signedQuery('target=scheduler&action=getTasks', product.key, product.secret);
    const sides: Side[] = [{ name: 'Slotkeeper, one process', url: `${product.address}/api/v1/api.php?${query}` }];
    if (withPhp) {
      const port = await freePort();
      const php = await startProgram('php', {
        args: ['-d', 'opcache.enable_cli=1', '-S', `127.0.0.1:${port}`, PAGE],
        env: { DATABASE_URL: databaseUrl, PHP_CLI_SERVER_WORKERS: String(PHP_WORKERS) },
        ready: /started/,
        hasWorkers: true,
      });
      programs.push(php);
      sides.push({ name: `PHP, ${PHP_WORKERS} workers`, url: `http://127.0.0.1:${port}/api.php?${query}` });
    }
    const [ours, ...others] = await Promise.all(sides.map(async ({ url }) => (await fetch(url)).text()));
    for (const other of others) if (other !== ours) throw new Error('PHP and Slotkeeper differ');
    return await inTurn(sides, ROUNDS, ({ url }) =>
      loadReconnecting({ url, connections: CONNECTIONS, seconds: SECONDS }),
    );
  } finally {
    for (const program of programs) await program.stop();
  }
}

const withPhp = await hasPhp();
if (!withPhp) process.stderr.write('There is no PHP with pdo_pgsql on this machine: it is left out.\n');
const databases = await startDatabases();
try {
  const results = new Map<number, Map<string, LoadResult[]>>();
  for (const tasks of SIZES)
    results.set(tasks, await measure(await databases.create(`legacy_${tasks}`), tasks, withPhp));
  const names = [...(results.get(SIZES[0] ?? 0)?.keys() ?? [])];
  const of = (name: string, tasks: number, key: keyof LoadResult) =>
    median((results.get(tasks)?.get(name) ?? []).map((result) => result[key]));
  const ratio = (tasks: number) =>
    of(names[0] ?? '', tasks, 'requestsPerSecond') / of(names[1] ?? '', tasks, 'requestsPerSecond');
  await publish({
    subject: 'legacy',
    title: `The old API: getTasks, 1 to 4 rules a task, ${CONNECTIONS} connections`,
    tables: [
      {
        title: 'Requests a second (p99 in milliseconds)',
        columns: ['', ...SIZES.map((tasks) => `${tasks} tasks`)],
        rows: names.map((name) => [
          name,
          ...SIZES.map(
            (tasks) => `${Math.round(of(name, tasks, 'requestsPerSecond'))} (${Math.round(of(name, tasks, 'p99'))})`,
          ),
        ]),
      },
    ],
    targets: withPhp ? SIZES.map((tasks) => ({ what: `${tasks} tasks, to PHP`, ratio: ratio(tasks), atLeast: 1 })) : [],
    measurements: [...results].map(([tasks, measured]) => ({ tasks, measured: [...measured] })),
  });
} finally {
  await databases.release();
}
