// What an installation costs when it has grown: more tasks, or years of history. Each side is a database of its own.
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { connect, startDatabases } from '../support/database.ts';
import { fillHistory } from '../support/history.ts';
import { load } from '../support/load.ts';
import nothing from '../support/nothing-class.ts';
import { type Product, residentMiB, startProduct } from '../support/programs.ts';
import { inTurn, median, publish, ROUNDS, SECONDS, SMOKE, type Target } from '../support/report.ts';
import { addHourlyTasks, NOTHING_CLASS_FILE, waitUntilForeseen } from '../support/tasks.ts';

const MINUTE = 60_000;
const IDLE_MS = SMOKE ? 1_000 : 15_000;
const FEWEST = SMOKE ? 50 : 1_000;
/** So many of the tasks are due at once, on each side. */
const DUE = FEWEST;
const CALLS = SMOKE ? 5 : 200;
const FIRED_WITHIN_MS = 60_000;
const ENV = { TASK_MODULES: NOTHING_CLASS_FILE, CONCURRENCY: '50' };

interface Side {
  name: string;
  tasks: number;
  runs: number;
  events: number;
  url: string;
}

const LIST = `query { tasks(first: 25, orderBy: { field: NAME }) { edges { node {
  id name active nextRunAt lastRunAt repeatItems { hour minute } } } } }`;
const HISTORY = `query { task(by: { legacyId: 7 }) { name
  runs(first: 25) { edges { node { id state slot startedAt finishedAt } } }
  events(last: 25) { edges { node { cursor type at message } } } } }`;
const ADD = 'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }';
const DELETE = 'mutation ($input: DeleteTaskInput!) { deleteTask(input: $input) { task { id } } }';

/** What one installation took, in milliseconds and MiB unless the key says otherwise. */
type Measured = Record<keyof typeof KEYS, number>;

const KEYS = {
  start: 'start-up, ms',
  memory: 'memory when idle, MiB',
  list: 'a list of 25 tasks, requests a second',
  history: 'runs and history of a task, requests a second',
  add: 'addTask and deleteTask, one after the other, ms',
  lateness: `${DUE} of the tasks due at once: until the last begins, ms`,
  drained: 'until the last has ended, ms',
};

function requestsPerSecond(product: Product, query: string): Promise<number> {
  return load({
    url: `${product.address}/graphql`,
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: product.authorization },
    body: JSON.stringify({ query }),
    connections: 16,
    seconds: SECONDS,
  }).then((result) => result.requestsPerSecond);
}

/** Of a task that does not stay, so that no side grows. */
async function addAndDelete(product: Product): Promise<number> {
  const input = { name: 'New Task', className: nothing.name, repeatItems: [{ hour: 4 }] };
  const began = performance.now();
  for (let call = 0; call < CALLS; call += 1) {
    const { addTask } = await product.graphql<{ addTask: { task: { id: string } } }>(ADD, { input });
    await product.graphql(DELETE, { input: { task: { id: addTask.task.id } } });
  }
  return (performance.now() - began) / CALLS;
}

/** Makes some tasks due at the minute that has just begun, tells the planner, and waits for their runs. */
async function fire(client: pg.Client): Promise<Pick<Measured, 'lateness' | 'drained'>> {
  // The slots of an earlier round are on the ledger; and none may be missed before it is noticed.
  await pause(MINUTE - (Date.now() % MINUTE) + 1_000);
  const { rows } = await client.query<{ at: Date; slot: Date }>(
    `with due as (
       update task set next_run_at = date_trunc('minute', now()), following_of = date_trunc('minute', now()),
         following_run_at = date_trunc('minute', now()) + interval '30 days'
       where id <= $1 returning 1
     )
     select clock_timestamp() as at, date_trunc('minute', now()) as slot, count(*) from due`,
    [DUE],
  );
  const { at, slot } = rows[0] ?? { at: new Date(), slot: new Date() };
  await client.query(`select pg_notify('slotkeeper_schedule', '')`);
  const deadline = Date.now() + FIRED_WITHIN_MS;
  for (;;) {
    const { rows: ended } = await client.query<{ runs: number; lateness: number; drained: number }>(
      `select count(*)::int as runs, (extract(epoch from max(started_at) - $2) * 1000)::float8 as lateness,
         (extract(epoch from max(finished_at) - $2) * 1000)::float8 as drained
       from run where slot = $1 and trigger = 'SCHEDULE' and state = 'SUCCEEDED' and task_id <= $3`,
      [slot, at, DUE],
    );
    if (ended[0]?.runs === DUE) return ended[0];
    if (Date.now() > deadline) throw new Error(`${ended[0]?.runs} of ${DUE} runs succeeded in time`);
    await pause(100);
  }
}

async function measure({ name, url }: Side): Promise<Measured> {
  const began = performance.now();
  const product = await startProduct(url, ENV);
  const start = performance.now() - began;
  const client = await connect(url);
  try {
    await pause(IDLE_MS);
    const measured = {
      start,
      memory: await residentMiB(product.child),
      list: await requestsPerSecond(product, LIST),
      history: await requestsPerSecond(product, HISTORY),
      add: await addAndDelete(product),
      ...(await fire(client)),
    };
    process.stderr.write(`${name}: ${JSON.stringify(measured)}\n`);
    return measured;
  } finally {
    await client.end();
    await product.stop();
  }
}

/** A first start makes the tables and the user; a second one gets ready for what is there. */
async function prepare({ url, tasks, runs, events }: Side): Promise<void> {
  await (await startProduct(url, ENV)).stop();
  const client = await connect(url);
  // Long after any round, so that only what is made due is due.
  await addHourlyTasks(client, tasks, new Date(Math.ceil(Date.now() / MINUTE + 30 * 24 * 60) * MINUTE));
  await client.query(`insert into repeat_item (task_id, minute) select id, 0 from task`);
  await fillHistory(client, FEWEST, runs, events);
  await client.query('vacuum analyze');
  const product = await startProduct(url, ENV);
  await waitUntilForeseen(client);
  await product.stop();
  await client.query('vacuum analyze task');
  await client.query('checkpoint');
  await client.end();
}

const databases = await startDatabases();
try {
  const many = SMOKE ? 200 : 100_000;
  // So many runs of each of the first tasks that a page of them is as long on all sides.
  const short = { runs: FEWEST * 25, events: FEWEST * 250 };
  const years = SMOKE ? { runs: 2_000, events: 20_000 } : { runs: 1_000_000, events: 10_000_000 };
  const side = async (tasks: number, { runs, events } = short): Promise<Side> => {
    const history =
      runs === short.runs ? '' : `, ${runs.toLocaleString('en')} runs, ${events.toLocaleString('en')} events`;
    const url = await databases.create(`growth_${tasks}_${runs}`);
    return { name: `${tasks.toLocaleString('en')} tasks${history}`, tasks, runs, events, url };
  };
  const sides = [
    await side(FEWEST),
    ...(SMOKE ? [] : [await side(10_000)]),
    await side(many),
    await side(FEWEST, years),
  ];
  for (const each of sides) await prepare(each);
  const all = await inTurn(sides, ROUNDS, measure);
  const of = (name: string, key: keyof Measured) => median((all.get(name) ?? []).map((measured) => measured[key]));
  const [small = '', ...grown] = sides.map(({ name }) => name);
  const ratio = (name: string, key: keyof Measured) => of(name, key) / of(small, key);
  const targets = grown.flatMap((name): Target[] => [
    { what: `${name}: start-up`, ratio: ratio(name, 'start'), atMost: 1.2 },
    { what: `${name}: memory`, ratio: ratio(name, 'memory'), atMost: 1.2 },
    { what: `${name}: a list, time of each`, ratio: 1 / ratio(name, 'list'), atMost: 1.3 },
    { what: `${name}: runs and history, time of each`, ratio: 1 / ratio(name, 'history'), atMost: 1.3 },
    { what: `${name}: firing, until the last ends`, ratio: ratio(name, 'drained'), atMost: 1.3 },
  ]);
  const keys = Object.keys(KEYS) as (keyof Measured)[];
  const shown = (value: number) => value.toFixed(value < 100 ? 1 : 0);
  await publish({
    subject: 'growth',
    title: `Growth: what an installation costs, CONCURRENCY ${ENV.CONCURRENCY}`,
    tables: [
      {
        title: 'Medians',
        columns: ['', ...sides.map(({ name }) => name)],
        rows: keys.map((key) => [KEYS[key], ...sides.map(({ name }) => shown(of(name, key)))]),
      },
    ],
    targets,
    measurements: [...all],
  });
} finally {
  await databases.release();
}
