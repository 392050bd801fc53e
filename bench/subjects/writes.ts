// Adding and executing tasks, over GraphQL and over the old API.
import { fileURLToPath } from 'node:url';
import { signedQuery } from '../../src/legacy/signature.ts';
import { connect, startDatabases } from '../support/database.ts';
import { type Load, type LoadResult, load } from '../support/load.ts';
import nothing from '../support/nothing-class.ts';
import { type Program, startProduct, startProgram } from '../support/programs.ts';
import { inTurn, median, publish, ROUNDS, SECONDS } from '../support/report.ts';
import { addTasksWithRules, NOTHING_CLASS_FILE } from '../support/tasks.ts';

const CONNECTIONS = 16;

interface Side {
  name: string;
  request: Omit<Load, 'connections' | 'seconds'>;
}

const databases = await startDatabases();
const programs: Program[] = [];
try {
  const url = await databases.create('writes');
  const product = await startProduct(url, { ROLE: 'gateway', TASK_MODULES: NOTHING_CLASS_FILE });
  programs.push(product);
  const client = await connect(url);
  await addTasksWithRules(client, 1);
  // Its runs may wait, so that each request makes one.
  await client.query(`update task set overlap = 'ALLOW' where id = 1`);
  await client.end();
  const floor = await startProgram(fileURLToPath(new URL('../peers/plain-insert.ts', import.meta.url)), {
    env: { DATABASE_URL: url },
  });
  programs.push(floor);
  const json = { 'content-type': 'application/json' };
  const graphql = (query: string, variables: object): Side['request'] => ({
    url: `${product.address}/graphql`,
    method: 'POST',
    headers: { ...json, authorization: product.authorization },
    body: JSON.stringify({ query, variables }),
  });
  const ADD = 'addTask: by hand, node:http and plain SQL';
  const sides: Side[] = [
    {
      name: 'addTask, GraphQL',
      request: graphql('mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id legacyId } } }', {
        input: { name: 'New Task', className: nothing.name, repeatItems: [{ hour: 4 }] },
      }),
    },
    {
      name: 'addTask, old API',
      request: {
        url: `${product.address}/api/v1/api.php?${signedQuery('target=scheduler&action=addTask', product.key, product.secret)}`,
        method: 'POST',
        headers: json,
        body: JSON.stringify({
          user_id: 1,
          name: 'New Task',
          class_name: nothing.name,
          active: true,
          repeat_items: [{ repeat_hour: 4 }],
        }),
      },
    },
    { name: ADD, request: { url: floor.address, method: 'POST', headers: json, body: '{"name":"New Task"}' } },
    {
      name: 'executeTask of one task, GraphQL, not waiting',
      request: graphql('mutation ($input: ExecuteTaskInput!) { executeTask(input: $input) { run { id } } }', {
        input: { task: { legacyId: 1 } },
      }),
    },
  ];
  const measured = await inTurn(sides, ROUNDS, ({ request }) =>
    load({ ...request, connections: CONNECTIONS, seconds: SECONDS }),
  );
  const of = (name: string, key: keyof LoadResult) => median((measured.get(name) ?? []).map((result) => result[key]));
  await publish({
    subject: 'writes',
    title: `Writes, ${CONNECTIONS} connections`,
    tables: [
      {
        title: 'Requests a second',
        columns: ['', 'requests a second', 'p50 ms', 'p99 ms', 'of the floor'],
        rows: sides.map(({ name }) => [
          name,
          Math.round(of(name, 'requestsPerSecond')),
          Math.round(of(name, 'p50')),
          Math.round(of(name, 'p99')),
          name.startsWith('addTask') ? (of(name, 'requestsPerSecond') / of(ADD, 'requestsPerSecond')).toFixed(2) : '',
        ]),
      },
    ],
    targets: [],
    measurements: [...measured],
  });
} finally {
  for (const program of programs) await program.stop();
  await databases.release();
}
