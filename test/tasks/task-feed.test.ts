// A list of tasks that stays what the query would say: a snapshot, then what changes, also after any interruption.
import type { EntityManager } from '@mikro-orm/postgresql';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Jobs } from '../../src/scheduling/jobs.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { EVERY } from '../support/calendar-oracle.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Engine, engineOf } from '../support/engine.ts';
import { addTasks, everyHourAt, rows } from '../support/races.ts';
import { inSoak } from '../support/soak.ts';
import { metric, type Stream, TRANSPORTS } from '../support/streams.ts';

let database: TestDatabase;
let em: EntityManager;
let jobs: Jobs;
let engine: Engine;
let app: TestApp;
const open: Stream[] = [];

beforeAll(async () => {
  database = await testDatabase();
  em = database.orm.em;
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  jobs = new Jobs(database.url, pino({ level: 'silent' }), false);
  await jobs.start();
  engine = engineOf(jobs);
});

afterAll(async () => {
  await app?.stop();
  await jobs?.stop();
  await database?.close();
});

beforeEach(async () => {
  await rows(em, 'truncate event, run, slot_gap, schedule_version, repeat_item, task restart identity cascade');
  await rows(em, 'delete from pgboss.job');
});

afterEach(async () => {
  for (const stream of open.splice(0)) await stream.close();
});

const FEED = `subscription ($filter: TaskFilter, $after: String) {
  taskFeed(filter: $filter, after: $after) {
    __typename
    ... on TaskFeedSnapshot { cursor isLast tasks { id ...Shown } }
    ... on TaskFeedChanged { cursor entered task { id ...Shown } }
    ... on TaskFeedLeftFilter { cursor task { id } }
    ... on TaskFeedRemoved { cursor taskId }
  }
}
fragment Shown on Task { name active version nextRunAt lastRunAt deletedAt owner { name } }`;
const TASKS = `query ($filter: TaskFilter, $after: String) {
  tasks(first: 500, filter: $filter, after: $after) { edges { node { id ...Shown } } pageInfo { hasNextPage endCursor } }
}
fragment Shown on Task { name active version nextRunAt lastRunAt deletedAt owner { name } }`;

interface Shown {
  id: string;
  name: string;
  nextRunAt: string | null;
}

interface Item {
  __typename: 'TaskFeedSnapshot' | 'TaskFeedChanged' | 'TaskFeedLeftFilter' | 'TaskFeedRemoved';
  cursor: string;
  isLast?: boolean;
  tasks?: Shown[];
  entered?: boolean | null;
  task?: Shown;
  taskId?: string;
}

const idOf = (task: number) => Buffer.from(`Task:${task}`).toString('base64');

/** A client's list, kept by what a feed tells. */
class List {
  readonly tasks = new Map<string, Shown>();
  readonly told: Item[] = [];
  cursor: string | null = null;
  readonly #filter: object | null;
  #stream: Stream | undefined;

  constructor(filter: object | null = null) {
    this.#filter = filter;
  }

  async open(transport = TRANSPORTS.WebSocket): Promise<this> {
    if (transport === undefined) throw new Error('there is no such transport');
    this.#stream = await transport(app, { query: FEED, variables: { filter: this.#filter, after: this.cursor } });
    open.push(this.#stream);
    return this;
  }

  async drop(): Promise<void> {
    this.read();
    await this.#stream?.close();
    this.#stream = undefined;
  }

  /** Takes what has come since the last time. */
  read(): this {
    for (const { data, errors } of this.#stream?.received.splice(0) ?? []) {
      if (errors !== undefined || !data) throw new Error(JSON.stringify(errors));
      this.#apply(data.taskFeed as Item);
    }
    return this;
  }

  #apply(item: Item): void {
    this.told.push(item);
    this.cursor = item.cursor;
    for (const task of item.tasks ?? []) this.tasks.set(task.id, task);
    if (item.__typename === 'TaskFeedChanged' && item.task) this.tasks.set(item.task.id, item.task);
    if (item.__typename === 'TaskFeedLeftFilter' && item.task) this.tasks.delete(item.task.id);
    if (item.taskId) this.tasks.delete(item.taskId);
  }

  shown(): Shown[] {
    return [...this.read().tasks.values()].sort((left, right) => number(left.id) - number(right.id));
  }

  /** The types of what was told since the last time, the snapshot left out. */
  news(): string[] {
    this.read();
    return this.told
      .splice(0)
      .filter(({ __typename }) => __typename !== 'TaskFeedSnapshot')
      .map(({ __typename, entered, task, taskId }) =>
        [__typename.replace('TaskFeed', ''), number(task?.id ?? taskId ?? ''), entered]
          .filter((part) => part !== undefined)
          .join(' '),
      );
  }
}

const number = (id: string) => Number(Buffer.from(id, 'base64').toString().split(':')[1]);

async function listed(filter: object | null): Promise<Shown[]> {
  const found: Shown[] = [];
  for (let after: string | null = null; ; ) {
    const { tasks }: { tasks: { edges: { node: Shown }[]; pageInfo: { hasNextPage: boolean; endCursor: string } } } =
      await app.query(TASKS, { filter, after });
    found.push(...tasks.edges.map(({ node }) => node));
    if (!tasks.pageInfo.hasNextPage) return found;
    after = tasks.pageInfo.endCursor;
  }
}

const change = (mutation: string, task: number) => app.query(`mutation ($id: ID!) { ${mutation} }`, { id: idOf(task) });
const rename = (task: number, name: string) =>
  change(`updateTask(input: { task: { id: $id }, name: "${name}" }) { task { id } }`, task);
const wake = () => rows(em, `select pg_notify('slotkeeper_events', '')`);

/** An hourly rule that is not due for half an hour. */
const hourly = () => everyHourAt((new Date().getUTCMinutes() + 30) % 60);

test('a feed begins with all tasks in pages, and then reports what is added, edited, paused and deleted', async () => {
  await addTasks(em, { count: 600 });
  const list = await new List().open();
  await expect.poll(() => list.shown().length).toBe(600);
  const pages = list.told.map(({ tasks = [], isLast }) => ({ count: tasks.length, isLast }));
  expect(pages).toEqual([
    { count: 250, isLast: false },
    { count: 250, isLast: false },
    { count: 100, isLast: true },
  ]);
  list.news();
  await rename(7, 'seven');
  await change('pauseTask(input: { task: { id: $id } }) { task { id } }', 8);
  await change('deleteTask(input: { task: { id: $id } }) { task { id } }', 9);
  const [added] = await Promise.all([
    app.query<{ addTask: { task: { id: string } } }>(
      `mutation { addTask(input: { name: "new", className: "\\\\scheduler\\\\Tasks\\\\ProcessHoldingTask" }) { task { id } } }`,
    ),
  ]);
  const news: string[] = [];
  await expect.poll(() => news.push(...list.news()) && news.length).toBe(4);
  expect(news).toEqual([
    'Changed 7 false',
    'Changed 8 false',
    'Removed 9',
    `Changed ${number(added.addTask.task.id)} true`,
  ]);
  expect(list.shown()).toEqual(await listed(null));
});

test('a task that enters or leaves the filter is reported as such, others are not reported', async () => {
  await addTasks(em, { count: 5 });
  const filter = { name: 'seen' };
  const list = await new List(filter).open();
  await expect.poll(() => list.read().told.length).toBe(1);
  list.news();
  await rename(1, 'seen 1');
  await rename(2, 'other');
  await rename(1, 'seen again');
  await rename(1, 'gone');
  await rename(3, 'seen 3');
  await change('deleteTask(input: { task: { id: $id } }) { task { id } }', 3);
  await rename(1, 'still gone');
  await rename(4, 'seen 4');
  await expect.poll(() => list.shown()).toEqual(await listed(filter));
  const news = list.news();
  // What was overtaken may be left out; what is told never says otherwise than it was.
  expect(news.filter((line) => line.includes(' 2') || line.includes(' 5'))).toEqual([]);
  expect(news.at(-1)).toBe('Changed 4 true');
  for (const task of [1, 3]) {
    const lines = news.filter((line) => line.split(' ')[1] === String(task));
    expect(
      lines.filter((line) => line.startsWith('Changed')).every((line, index) => line.endsWith(String(index === 0))),
    ).toBe(true);
    if (lines.length > 0) expect(lines.at(-1)).toMatch(/^(LeftFilter|Removed)/);
  }
});

test('a next run or last run that moves is reported, also if many slots are skipped at once and no run is made', async () => {
  const from = new Date(Date.now() - 20 * 3_600_000);
  await addTasks(em, { count: 1, rule: hourly(), from, catchUp: 'LATEST' });
  await addTasks(em, { count: 1, rule: EVERY, from, catchUp: 'NONE' });
  await rows(em, 'update task set misfire_grace_seconds = 1');
  const list = await new List().open();
  await expect.poll(() => list.shown().length).toBe(2);
  list.news();
  await engine.fireAll(em);
  await wake();
  await expect.poll(() => list.shown()).toEqual(await listed(null));
  expect(list.shown().every(({ nextRunAt }) => new Date(nextRunAt ?? 0).getTime() > Date.now() - 60_000)).toBe(true);
  await engine.runEverything(em);
  await wake();
  await expect.poll(async () => JSON.stringify(list.shown()) === JSON.stringify(await listed(null))).toBe(true);
  expect(list.shown()[0]).toMatchObject({ lastRunAt: expect.any(String) });
});

test('a feed that is disconnected within its snapshot continues where it was', async () => {
  await addTasks(em, { count: 1_000 });
  const list = await new List().open();
  await expect.poll(() => list.read().told.length).toBeGreaterThan(0);
  await list.drop();
  const first = list.told[0];
  if (first === undefined) throw new Error('nothing was told');
  // As a client that has seen one page.
  list.tasks.clear();
  for (const task of first.tasks ?? []) list.tasks.set(task.id, task);
  list.cursor = first.cursor;
  list.told.length = 0;
  await rename(3, 'before');
  await rename(900, 'after');
  await list.open();
  await expect.poll(() => list.shown().length).toBe(1_000);
  expect(list.told[0]?.tasks?.[0]?.id).toBe(idOf(251));
  await expect.poll(() => list.shown().find(({ id }) => id === idOf(3))?.name).toBe('before');
  expect(list.shown()).toEqual(await listed(null));
});

test('a filter at fault and a cursor that has expired end the feed with their code', async () => {
  for (const [transport] of Object.entries(TRANSPORTS)) {
    const wrong = new List({ ids: ['nothing'] });
    await wrong.open(TRANSPORTS[transport]);
    await open.at(-1)?.ended;
    expect(() => wrong.read()).toThrow('BAD_USER_INPUT');
    const expired = new List();
    expired.cursor = Buffer.from('00000000-0000-4000-8000-000000000000.1.5').toString('base64url');
    await expired.open(TRANSPORTS[transport]);
    await open.at(-1)?.ended;
    expect(() => expired.read()).toThrow('CURSOR_EXPIRED');
  }
});

test('one look serves all feeds, whatever their filters', async () => {
  await addTasks(em, { count: 10 });
  const taskOf = (index: number) => 1 + (index % 9);
  const lists = await Promise.all(
    Array.from({ length: 30 }, (_, index) => new List({ name: `Task ${taskOf(index)}` }).open()),
  );
  await expect.poll(() => metric(app, 'slotkeeper_live_task_feeds')).toBe(30);
  const { default: pg } = await import('pg');
  const query = pg.Client.prototype.query;
  const texts: string[] = [];
  pg.Client.prototype.query = function (this: unknown, ...values: unknown[]) {
    texts.push((values[0] as { text?: string }).text ?? String(values[0]));
    return Reflect.apply(query, this, values);
  } as typeof query;
  try {
    await rows(
      em,
      `insert into event (type, task_id, task_name, actor_id) select 'TASK_UPDATED', id, name, owner_id from task`,
    );
    await wake();
    for (const [index, list] of lists.entries()) {
      await expect.poll(() => list.news()).toContain(`Changed ${taskOf(index)} false`);
    }
  } finally {
    pg.Client.prototype.query = query;
  }
  expect(texts.filter((text) => text.includes('from task as changed'))).toHaveLength(1);
});

/** Of each of four that change tasks at once. */
const MOVES = inSoak(200, 15);

test('lists of clients that drop and resume at random are what the query says, whatever happens meanwhile', async () => {
  const from = new Date(Date.now() - 3 * 3_600_000);
  await addTasks(em, { count: 60, rule: hourly(), from, catchUp: 'ALL', overlap: 'ALLOW' });
  const filters = [null, { name: 'even' }, { active: true }, { lastRunState: 'SUCCEEDED' }, { includeDeleted: true }];
  const lists = filters.flatMap((filter) => [new List(filter), new List(filter)]);
  let busy = true;
  const transports = Object.values(TRANSPORTS);
  const following = lists.map(async (list, index) => {
    while (busy) {
      await list.open(transports[index % transports.length]);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 400));
      await list.drop();
    }
    await list.open(transports[index % transports.length]);
  });
  const any = (count: number) => 1 + Math.floor(Math.random() * count);
  const moves = [
    () => rename(any(60), `even ${any(99)}`),
    () => rename(any(60), `odd ${any(99)}`),
    () => change('pauseTask(input: { task: { id: $id } }) { task { id } }', any(60)),
    () => change('resumeTask(input: { task: { id: $id } }) { task { id } }', any(60)),
    () => change('deleteTask(input: { task: { id: $id } }) { task { id } }', any(60)),
    () => engine.fire(em),
    () => engine.runEverything(em),
  ];
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let move = 0; move < MOVES; move += 1) await moves[any(moves.length) - 1]?.().catch(() => undefined);
    }),
  );
  busy = false;
  await Promise.all(following);
  await wake();
  for (const [index, list] of lists.entries()) {
    const filter = filters[Math.floor(index / 2)] ?? null;
    await expect.poll(() => list.shown(), { message: JSON.stringify(filter) }).toEqual(await listed(filter));
  }
});
