import type { MikroORM } from '@mikro-orm/postgresql';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { toGlobalId } from '../../src/lib/global-id.ts';
import { testDatabase } from '../support/database.ts';
import { query, refusal } from '../support/query.ts';

let database: Awaited<ReturnType<typeof testDatabase>>;
let orm: MikroORM;

beforeAll(async () => {
  database = await testDatabase();
  orm = database.orm;
  await sql(`insert into app_user (name, role) values ('asker', 'ADMIN') on conflict do nothing`);
});

afterAll(() => database.close());

beforeEach(async () => {
  await sql('truncate event, run, repeat_item, task, ip_block restart identity cascade');
});

function sql<Row = object>(text: string): Promise<Row[]> {
  return orm.em.fork().getConnection().execute(text);
}

/** Ties, nulls and microseconds in every column that tasks are ordered by. */
async function addTasks(count: number): Promise<void> {
  await sql(`
    insert into task (name, class_name, active, data, owner_id, time_zone, created_at, updated_at, next_run_at, last_run_at)
    select
      (array['a', 'B', 'c d', 'É', 'e%_'])[1 + (random() * 4)::int], '\\scheduler\\Tasks\\ProcessHoldingTask', true,
      '{"holding_days": "3"}', (select min(id) from app_user), 'UTC', now(), now(),
      case when random() < 0.7 then timestamptz '2030-01-01' + (random() * 4)::int * interval '1 minute' end,
      case when random() < 0.7 then timestamptz '2020-01-01' + (random() * 4)::int * interval '1 microsecond' end
    from generate_series(1, ${count})
  `);
}

interface TaskPage {
  tasks: {
    edges: { cursor: string; node: { legacyId: number } }[];
    pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
  };
}

const PAGE = `query ($first: Int, $after: String, $last: Int, $before: String, $orderBy: TaskOrder) {
  tasks(first: $first, after: $after, last: $last, before: $before, orderBy: $orderBy) {
    edges { cursor node { legacyId } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;

interface Order {
  field: string;
  direction: string;
}

/** The ids of each page, from one end of the list to the other. */
async function pageThrough(orderBy: Order, size: number, backward: boolean, between = async () => {}) {
  const pages: number[][] = [];
  for (let cursor: string | null = null; ; ) {
    const window: object = backward ? { last: size, before: cursor } : { first: size, after: cursor };
    const { tasks } = await query<TaskPage>(orm, PAGE, { ...window, orderBy });
    const { edges, pageInfo } = tasks;
    expect(pageInfo.startCursor).toBe(edges.at(0)?.cursor ?? null);
    expect(pageInfo.endCursor).toBe(edges.at(-1)?.cursor ?? null);
    expect(backward ? pageInfo.hasNextPage : pageInfo.hasPreviousPage).toBe(cursor !== null);
    pages.push(edges.map(({ node }) => node.legacyId));
    if (!(backward ? pageInfo.hasPreviousPage : pageInfo.hasNextPage)) return backward ? pages.reverse() : pages;
    expect(edges.length).toBe(size);
    cursor = backward ? pageInfo.startCursor : pageInfo.endCursor;
    await between();
  }
}

const orders = fc.record({
  field: fc.constantFrom('ID', 'NAME', 'NEXT_RUN_AT', 'LAST_RUN_AT'),
  direction: fc.constantFrom('ASC', 'DESC'),
});

describe('pages of tasks', () => {
  test('hold every task once and in order, whatever the order, the size and the direction', async () => {
    await addTasks(60);
    await fc.assert(
      fc.asyncProperty(orders, fc.integer({ min: 1, max: 70 }), fc.boolean(), async (orderBy, size, backward) => {
        const { field, direction } = orderBy;
        const by = field === 'ID' ? '' : `${field} ${direction} nulls last,`;
        const expected = await sql<{ id: number }>(`select id from task order by ${by} id ${direction}`);
        const pages = await pageThrough(orderBy, size, backward);
        expect(pages.flat()).toEqual(expected.map(({ id }) => id));
      }),
      { numRuns: 80 },
    );
  });

  test('neither double nor pass over a task while others are added', async () => {
    await fc.assert(
      fc.asyncProperty(orders, fc.integer({ min: 1, max: 7 }), fc.boolean(), async (orderBy, size, backward) => {
        await sql('truncate task restart identity cascade');
        await addTasks(20);
        const before = await sql<{ id: number }>('select id from task');
        let added = 0;
        const seen = (
          await pageThrough(orderBy, size, backward, async () => {
            added += 1;
            if (added <= 10) await addTasks(1);
          })
        ).flat();
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen).toEqual(expect.arrayContaining(before.map(({ id }) => id)));
      }),
      { numRuns: 20 },
    );
  });

  test('are 25 long unless asked otherwise, and a page of none says whether there is more', async () => {
    await addTasks(26);
    expect((await query<TaskPage>(orm, PAGE)).tasks.edges).toHaveLength(25);
    const { tasks } = await query<TaskPage>(orm, PAGE, { first: 0 });
    expect(tasks).toEqual({
      edges: [],
      pageInfo: { hasNextPage: true, hasPreviousPage: false, startCursor: null, endCursor: null },
    });
  });

  test.each([
    ['first: 501', 'first'],
    ['first: -1', 'first'],
    ['last: 501', 'last'],
    ['first: 1, last: 1', 'last'],
    ['after: "nonsense"', 'after'],
    ['before: ""', 'before'],
  ])('%s is refused', async (args, field) => {
    expect(await refusal(orm, `{ tasks(${args}) { edges { cursor } } }`)).toMatchObject({
      code: 'BAD_USER_INPUT',
      field,
    });
  });

  test('a cursor of another order, or one made up, is refused', async () => {
    await addTasks(2);
    const { tasks } = await query<TaskPage>(orm, PAGE, { first: 1 });
    const made = (parts: unknown) => Buffer.from(JSON.stringify(parts)).toString('base64url');
    const cursors = [
      tasks.pageInfo.endCursor,
      made(['NEXT_RUN_AT ASC', 'soon', 1]),
      made(['NEXT_RUN_AT ASC', '2026-02-30 00:00:00+00', 1]),
      made(['NEXT_RUN_AT ASC', 5, 1]),
      made(['NEXT_RUN_AT ASC', null, 1.5]),
    ];
    for (const after of cursors) {
      const variables = { after, orderBy: { field: 'NEXT_RUN_AT', direction: 'ASC' } };
      expect(await refusal(orm, PAGE, { variables })).toMatchObject({ code: 'BAD_USER_INPUT', field: 'after' });
    }
  });

  test('name, owner, class and state of the newest run filter them', async () => {
    await addTasks(3);
    await sql(`update task set name = case id when 1 then '50%_off' when 2 then '50 off' else 'x' end`);
    await sql(`insert into run (task_id, trigger, state, actor_id, queued_at, finished_at)
      select 1, 'MANUAL', state, 1, now(), case when state = 'FAILED' then now() end from unnest(array['FAILED', 'QUEUED']) state`);
    const owner = toGlobalId('User', (await sql<{ owner_id: number }>('select owner_id from task'))[0]?.owner_id ?? 0);
    const found = async (filter: string) =>
      (await query<TaskPage>(orm, `{ tasks(filter: {${filter}}) { edges { node { legacyId } } } }`)).tasks.edges.map(
        ({ node }) => node.legacyId,
      );
    expect(await found('name: "%_OFF"')).toEqual([1]);
    expect(await found('name: "off"')).toEqual([1, 2]);
    expect(await found('lastRunState: QUEUED')).toEqual([1]);
    expect(await found('lastRunState: FAILED')).toEqual([]);
    expect(await found(`owner: "${owner}", active: true, timeZone: "UTC"`)).toEqual([1, 2, 3]);
    expect(await found(`ids: ["${toGlobalId('Task', 3)}", "${toGlobalId('Task', 2_147_483_647)}"]`)).toEqual([3]);
    await sql(`update task set deleted_at = now(), next_run_at = null where id = 3`);
    expect(await found('includeDeleted: true')).toEqual([1, 2, 3]);
    expect(await found('')).toEqual([1, 2]);
    expect(await query(orm, '{ task(by: {legacyId: 3}) { legacyId } }')).toEqual({ task: { legacyId: 3 } });
  });
});

describe('queries to the database', () => {
  async function countQueries(work: () => Promise<unknown>): Promise<number> {
    const spy = vi.spyOn(pg.Client.prototype, 'query');
    try {
      await work();
      return spy.mock.calls.length;
    } finally {
      spy.mockRestore();
    }
  }

  test('100 tasks with items and owner take 3, with their runs and events a few more', async () => {
    await addTasks(100);
    await sql(`insert into repeat_item (task_id, minute) select id, minute from task, generate_series(1, 4) as minute`);
    await sql(
      `insert into run (task_id, trigger, state, actor_id, queued_at) select id, 'MANUAL', 'QUEUED', owner_id, now() from task, generate_series(1, 3)`,
    );
    const page = (fields: string) => () =>
      query(orm, `{ tasks(first: 100) { edges { node { name owner { name } repeatItems { minute } ${fields} } } } }`);
    const withRuns = page('runs(first: 2) { edges { node { actor { name } } } }');
    // The first query of a connection is preceded by its set-up; this one needs as many connections as any below.
    await withRuns();
    expect(await countQueries(page(''))).toBe(3);
    expect(await countQueries(withRuns)).toBe(5);
    // The first look at the log finds that the database is a copy.
    await page('events(last: 1) { edges { node { type } } }')();
    expect(await countQueries(page('events(last: 1) { edges { node { type } } }'))).toBeLessThanOrEqual(5);
  });

  test('the pages of many tasks are those that each would get alone', async () => {
    await addTasks(4);
    await sql(`insert into run (task_id, trigger, state, actor_id, queued_at)
      select 1 + (random() * 2)::int, 'MANUAL', 'QUEUED', 1, now() from generate_series(1, 40)`);
    const fields =
      'runs(first: 3) { edges { cursor node { id } } pageInfo { hasNextPage } } last: runs(last: 2) { edges { node { id } } }';
    const { tasks } = await query<{ tasks: { edges: { node: object }[] } }>(
      orm,
      `{ tasks { edges { node { ${fields} } } } }`,
    );
    for (const [index, { node }] of tasks.edges.entries()) {
      expect(await query(orm, `{ task(by: {legacyId: ${index + 1}}) { ${fields} } }`)).toEqual({ task: node });
    }
  });
});

describe('events', () => {
  interface EventPage {
    events: {
      edges: { cursor: string; node: { logId: string } }[];
      pageInfo: { endCursor: string; hasNextPage: boolean };
    };
  }

  test('are paged in log order from either end, and cursors outlive the page', async () => {
    await addTasks(1);
    await sql(
      `insert into event (type, task_id, task_name, actor_id) select 'TASK_UPDATED', 1, 't', 1 from generate_series(1, 10)`,
    );
    const page = (args: string) =>
      query<EventPage>(
        orm,
        `{ events(${args}) { edges { cursor node { logId } } pageInfo { endCursor hasNextPage } } }`,
      );
    const all = (await page('first: 500')).events.edges.map(({ node }) => node.logId);
    expect(all).toHaveLength(10);
    const head = (await page('first: 4')).events;
    expect(head.edges.map(({ node }) => node.logId)).toEqual(all.slice(0, 4));
    const rest = (await page(`after: "${head.pageInfo.endCursor}"`)).events;
    expect(rest.edges.map(({ node }) => node.logId)).toEqual(all.slice(4));
    expect((await page('last: 2')).events.edges.map(({ node }) => node.logId)).toEqual(all.slice(8));
    const none = (await page('filter: {types: [FAILED]}')).events;
    expect(none).toEqual({ edges: [], pageInfo: { endCursor: rest.pageInfo.endCursor, hasNextPage: false } });
    expect(await refusal(orm, '{ events(after: "xyz") { edges { cursor } } }')).toMatchObject({
      code: 'CURSOR_EXPIRED',
    });
  });
});

describe('limits', () => {
  test('500 tasks with everything and their items pass, 500 tasks with 500 runs do not', async () => {
    const task = `id legacyId name className active data dataText owner { id legacyId name role } timeZone
      repeatItems { id legacyId start end intervalDays year month dayOfMonth weekOfMonth dayOfWeek hour minute }
      nextRunAt lastRunAt overlap queueLimit catchUp misfireGraceSeconds catchUpMaxAgeSeconds
      retry { attempts delaySeconds backoff } timeoutSeconds version createdAt updatedAt deletedAt`;
    await query(orm, `{ tasks(first: 500) { edges { cursor node { ${task} } } pageInfo { hasNextPage } } }`);
    const nested = '{ tasks(first: 500) { edges { node { runs(first: 500) { edges { node { id } } } } } } }';
    expect(await refusal(orm, nested)).toMatchObject({ code: 'TOO_COMPLEX' });
    const aliases = Array.from({ length: 501 }, (_, index) => `a${index}: viewer { id }`).join(' ');
    expect(await refusal(orm, `{ ${aliases} }`)).toMatchObject({ code: 'TOO_COMPLEX' });
    const deep = (levels: number): string => (levels === 0 ? 'id' : `retryOf { ${deep(levels - 1)} }`);
    expect(await refusal(orm, `{ run(id: "${toGlobalId('Run', 1)}") { ${deep(20)} } }`)).toMatchObject({
      code: 'TOO_COMPLEX',
    });
  });
});
