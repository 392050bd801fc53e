// A list of tasks with their rules over GraphQL, beside what a user would put over the same tables instead.
import { deepStrictEqual } from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { connect, startDatabases } from '../support/database.ts';
import { type LoadResult, load } from '../support/load.ts';
import { type Program, startProduct, startProgram } from '../support/programs.ts';
import { inTurn, median, publish, ROUNDS, SECONDS, SMOKE } from '../support/report.ts';
import { addTasksWithRules } from '../support/tasks.ts';

const TASKS = SMOKE ? 200 : 10_000;
const SIZES = [1, 25, 100];
const CONNECTIONS = 16;

const ITEM = 'id intervalDays year month dayOfMonth weekOfMonth dayOfWeek hour minute';
const OURS = `query ($first: Int!) { tasks(first: $first) { edges { node {
  id legacyId name className active timeZone nextRunAt repeatItems { ${ITEM} start end } } } } }`;
const POSTGRAPHILE = `query ($first: Int!) { allTasks(first: $first) { edges { node {
  id rowId name className active timeZone nextRunAt
  repeatItemsByTaskId { nodes { ${ITEM} startDate endDate } } } } } }`;

interface Side {
  name: string;
  url: string;
  headers: Record<string, string>;
  query: string;
}

/** What a reply says, whatever its fields and ids are called. */
function valuesOf(reply: unknown): unknown {
  const { data, errors } = reply as {
    data: Record<string, { edges: { node: Record<string, unknown> }[] }>;
    errors?: unknown;
  };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  const edges = (data.tasks ?? data.allTasks)?.edges ?? [];
  return edges.map(({ node }) => {
    const items = (node.repeatItems ?? (node.repeatItemsByTaskId as { nodes: unknown[] }).nodes) as Record<
      string,
      unknown
    >[];
    return [
      node.legacyId ?? node.rowId,
      node.name,
      node.className,
      node.active,
      node.timeZone,
      node.nextRunAt === null ? null : new Date(String(node.nextRunAt)).getTime(),
      items.map((item) => [
        item.start ?? item.startDate ?? null,
        item.end ?? item.endDate ?? null,
        item.intervalDays,
        item.year,
        item.month,
        item.dayOfMonth,
        item.weekOfMonth,
        item.dayOfWeek,
        item.hour,
        item.minute,
      ]),
    ];
  });
}

async function ask({ url, headers, query }: Side, first: number): Promise<unknown> {
  const body = JSON.stringify({ query, variables: { first } });
  return (await fetch(url, { method: 'POST', headers, body })).json();
}

const databases = await startDatabases();
const programs: Program[] = [];
try {
  const databaseUrl = await databases.create('reads');
  const product = await startProduct(databaseUrl, { ROLE: 'gateway' });
  programs.push(product);
  const client = await connect(databaseUrl);
  await addTasksWithRules(client, TASKS);
  await client.end();
  const peer = async (file: string, env: Record<string, string> = {}) => {
    const program = await startProgram(fileURLToPath(new URL(`../peers/${file}.ts`, import.meta.url)), {
      env: { DATABASE_URL: databaseUrl, NODE_ENV: 'production', GRAPHILE_ENV: 'production', ...env },
    });
    programs.push(program);
    return program.address;
  };
  const json = { 'content-type': 'application/json' };
  const sides: Side[] = [
    {
      name: 'Slotkeeper',
      url: `${product.address}/graphql`,
      headers: { ...json, authorization: product.authorization },
      query: OURS,
    },
    { name: 'PostGraphile', url: `${await peer('postgraphile')}/graphql`, headers: json, query: POSTGRAPHILE },
    { name: 'Mercurius, hand-written SQL', url: `${await peer('mercurius')}/graphql`, headers: json, query: OURS },
    {
      name: 'Mercurius that looks up a key',
      url: `${await peer('mercurius', { KEY: product.key })}/graphql`,
      headers: json,
      query: OURS,
    },
    { name: 'floor: node:http, one SQL', url: `${await peer('plain-json')}/`, headers: json, query: '' },
  ];
  const [ours, ...others] = sides;
  if (ours === undefined) throw new Error('there is no side');
  const expected = valuesOf(await ask(ours, 100));
  for (const side of others) deepStrictEqual(valuesOf(await ask(side, 100)), expected, side.name);

  const results = new Map<number, Map<string, LoadResult[]>>();
  for (const first of SIZES) {
    const measured = await inTurn(sides, ROUNDS, ({ url, headers, query }) =>
      load({
        url,
        method: 'POST',
        headers,
        body: JSON.stringify({ query, variables: { first } }),
        connections: CONNECTIONS,
        seconds: SECONDS,
      }),
    );
    results.set(first, measured);
  }
  const of = (name: string, first: number, key: keyof LoadResult) =>
    median((results.get(first)?.get(name) ?? []).map((result) => result[key]));
  const ratio = (name: string, first: number) =>
    of('Slotkeeper', first, 'requestsPerSecond') / of(name, first, 'requestsPerSecond');
  const promised: [string, number, number][] = [
    ['PostGraphile', 1, 1],
    ['PostGraphile', 25, 1.3],
    ['PostGraphile', 100, 1.3],
    ...SIZES.map((first): [string, number, number] => ['Mercurius, hand-written SQL', first, 1]),
    ['floor: node:http, one SQL', 100, 0.7],
  ];
  await publish({
    subject: 'reads',
    title: `Reads: tasks(first: n) with their rules, ${TASKS} tasks, ${CONNECTIONS} connections`,
    tables: [
      {
        title: 'Requests a second (p99 in milliseconds)',
        columns: ['', ...SIZES.map((first) => `n = ${first}`)],
        rows: sides.map(({ name }) => [
          name,
          ...SIZES.map(
            (first) => `${Math.round(of(name, first, 'requestsPerSecond'))} (${Math.round(of(name, first, 'p99'))})`,
          ),
        ]),
      },
      {
        title: 'Slotkeeper, times as fast as',
        columns: ['', ...SIZES.map((first) => `n = ${first}`)],
        rows: others.map(({ name }) => [name, ...SIZES.map((first) => ratio(name, first).toFixed(2))]),
      },
    ],
    targets: promised.map(([name, first, atLeast]) => ({
      what: `n = ${first}, to ${name}`,
      ratio: ratio(name, first),
      atLeast,
    })),
    measurements: [...results].map(([first, measured]) => ({ first, measured: [...measured] })),
  });
} finally {
  for (const program of programs) await program.stop();
  await databases.release();
}
