// A process whose database connections break continues with new ones.
import { setTimeout as pause } from 'node:timers/promises';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { CompiledQuery } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openOrm } from '../../src/database/orm.ts';
import { HELD_UP_AFTER_MS } from '../../src/database/pipelined-reads.ts';
import { readOften } from '../../src/database/prepared.ts';
import { inTransaction } from '../../src/database/transaction.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

const POOL_SIZE = 2;
const KILL = 'select pg_terminate_backend(pg_backend_pid())';
let database: TestDatabase;
let orm: MikroORM;

beforeAll(async () => {
  database = await testDatabase();
  orm = await openOrm(database.url, POOL_SIZE);
});

afterAll(async () => {
  await orm?.close();
  await database?.close();
});

test.each([
  ['inside a transaction', (em: MikroORM['em']) => em.transactional((inner) => inner.execute(KILL))],
  ['inside a transaction of the query builder', (em: MikroORM['em']) => dieInQueryBuilder(em)],
  ['in a query of its own', (em: MikroORM['em']) => em.execute(KILL)],
  ['in a read that shares its connection', (em: MikroORM['em']) => readOften(em, CompiledQuery.raw(KILL))],
])('a pool keeps all its places when connections are lost %s', async (_where, die) => {
  for (let loss = 0; loss < 3 * POOL_SIZE; loss += 1) await expect(die(orm.em.fork())).rejects.toThrow();
  // Uses every connection at once: each waits until all the others have begun.
  let begun = 0;
  const all = Promise.withResolvers<void>();
  const answers = Array.from({ length: POOL_SIZE }, () =>
    orm.em.fork().transactional(async (em) => {
      const [row] = await em.execute<{ answer: number }[]>('select 42 as answer');
      begun += 1;
      if (begun === POOL_SIZE) all.resolve();
      await all.promise;
      return row?.answer;
    }),
  );
  expect(await Promise.all(answers)).toEqual([42, 42]);
});

function dieInQueryBuilder(em: MikroORM['em']): Promise<unknown> {
  return em
    .getKysely()
    .transaction()
    .execute((transaction) =>
      transaction.selectNoFrom((eb) => eb.fn('pg_terminate_backend', [eb.fn('pg_backend_pid')]).as('died')).execute(),
    );
}

test('the database ends an idle transaction after a minute, on every connection', async () => {
  const shown = Array.from({ length: POOL_SIZE }, () =>
    orm.em.fork().execute<object[]>('show idle_in_transaction_session_timeout'),
  );
  for (const rows of await Promise.all(shown)) expect(rows).toEqual([{ idle_in_transaction_session_timeout: '1min' }]);
});

const read = (text: string) => readOften<{ value: number }>(orm.em.fork(), CompiledQuery.raw(text) as never);

test('concurrent reads share few connections, each gets its own rows, and one that fails does not affect the others', async () => {
  const pid = 'pg_backend_pid()';
  const pids = await Promise.all(Array.from({ length: 8 }, () => read(`select ${pid} as value`)));
  expect(new Set(pids.map(([row]) => row?.value)).size).toBe(1);

  const texts = Array.from({ length: 100 }, (_, n) => `select 1 / (${n} % 10) + ${n} as value`);
  const results = await Promise.allSettled(texts.map(read));
  results.forEach((result, n) => {
    if (n % 10 === 0) expect(String(Reflect.get(result, 'reason'))).toContain('division by zero');
    else expect(Reflect.get(result, 'value')).toEqual([{ value: Math.trunc(1 / (n % 10)) + n }]);
  });
});

test('a read that waits for a lock does not delay later ones', async () => {
  const blocker = orm.em.fork();
  await blocker.begin();
  await blocker.execute('lock table app_user in access exclusive mode');
  const other = await openOrm(database.url, POOL_SIZE);
  const readOther = (text: string) => readOften(other.em.fork(), CompiledQuery.raw(text) as never);
  const held = readOther('select count(*) as value from app_user');
  const waiting = "select pid from pg_locks where not granted and locktype = 'relation'";
  await expect.poll(() => orm.em.fork().execute<object[]>(waiting)).toHaveLength(1);
  // Until then the read counts as a slow one.
  await pause(2 * HELD_UP_AFTER_MS);
  expect(await readOther('select 7 as value')).toEqual([{ value: 7 }]);
  await blocker.commit();
  await held;
  await other.close();
});

test('reads whose connection is lost are answered over another, and only the one that ends every connection fails', async () => {
  const results = await Promise.allSettled([
    read('select pg_sleep(0)::text as value'),
    read(KILL),
    read('select 1 as value'),
    read('select 2 as value'),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect(await read('select 3 as value')).toEqual([{ value: 3 }]);
});

describe('a transaction', () => {
  beforeEach(() => orm.em.fork().execute('create table written (place text)'));
  afterEach(() => orm.em.fork().execute('drop table written'));

  /** How often it was attempted, and what it stored. */
  async function write(place: string, then: (em: EntityManager, attempt: number) => Promise<unknown>) {
    let attempts = 0;
    const work = async (em: EntityManager) => {
      attempts += 1;
      await em.execute(`insert into written values ('${place}')`);
      await then(em, attempts);
    };
    const outcome = await inTransaction(orm.em.fork(), work).then(
      () => 'stored',
      () => 'failed',
    );
    const stored = await orm.em.fork().execute<object[]>('select place from written');
    return { outcome, attempts, stored };
  }

  test('that loses its connection before its commit is retried, and stored once', async () => {
    const dieOnce = async (em: EntityManager, attempt: number) => {
      if (attempt < 3) await em.execute(KILL);
    };
    expect(await write('here', dieOnce)).toEqual({ outcome: 'stored', attempts: 3, stored: [{ place: 'here' }] });
  });

  test('that loses its connection each time fails in the end, and stores nothing', async () => {
    expect(await write('here', (em) => em.execute(KILL))).toMatchObject({ outcome: 'failed', stored: [] });
  });

  test('that loses its connection during its commit is not retried, since it may be stored', async () => {
    await orm.em.fork().execute(`
      create function die() returns trigger language plpgsql as $$ begin ${KILL.replace('select', 'perform')}; return null; end $$;
      create constraint trigger die after insert on written deferrable initially deferred for each row execute function die();
    `);
    try {
      expect(await write('here', async () => undefined)).toMatchObject({ outcome: 'failed', attempts: 1 });
    } finally {
      await orm.em.fork().execute('drop function die() cascade');
    }
  });
});
