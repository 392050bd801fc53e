// A database whose clock a test sets. What is due is PostgreSQL's clock's to say, so that is where the test's own is put:
// `now()` and `clock_timestamp()` of a schema that each connection looks through before PostgreSQL's.
import pg from 'pg';
import type { TestDatabase } from './database.ts';
import { rows } from './races.ts';

const SCHEMA = `
  create schema clock;
  create table clock.instant (at timestamptz);
  insert into clock.instant values (null);
  create function clock.now() returns timestamptz language sql stable
    as 'select coalesce((select at from clock.instant), pg_catalog.now())';
  create function clock.clock_timestamp() returns timestamptz language sql volatile
    as 'select coalesce((select at from clock.instant), pg_catalog.clock_timestamp())';`;

/** Gives the database such a clock; only connections that are opened afterwards see it. */
export async function addClock(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(SCHEMA);
    const name = client.escapeIdentifier(new URL(url).pathname.slice(1));
    await client.query(`alter database ${name} set search_path = clock, pg_catalog, public`);
  } finally {
    await client.end();
  }
}

/** Stops the clock at an instant; null lets it go on. */
export async function setClock({ orm }: Pick<TestDatabase, 'orm'>, at: Date | null): Promise<void> {
  await rows(orm.em, 'update clock.instant set at = ?::timestamptz', [at?.toISOString() ?? null]);
}
