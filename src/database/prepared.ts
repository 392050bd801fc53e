import type { EntityManager, PostgreSqlConnection } from '@mikro-orm/postgresql';
import { type CompiledQuery, sql } from 'kysely';
import type pg from 'pg';
import { PipelinedReads } from './pipelined-reads.ts';

/**
 * Marks a statement that PostgreSQL parses and plans once per connection, because it is sent so often that doing so
 * each time would cost as much as running it. The mark is at the beginning of the statement or after its first word.
 * Only for constant texts that find rows by their keys: the plan is kept until the tables are analysed again, and a
 * plan that was made for an empty queue would read a full queue from end to end. Such a text names its columns: if a
 * newer version adds a column meanwhile, `*` changes, and PostgreSQL then refuses the statement for as long as the
 * connection lasts. Poolers between a process and PostgreSQL must support prepared statements (PgBouncer does since
 * 1.21).
 */
export const PREPARED_MARK = '/* prepared */';

/** The mark for a statement of Kysely: in its text, or by `modifyFront`. */
export const PREPARED = sql.raw(PREPARED_MARK);

/** The first word and the mark have at most this length. */
const HEAD_LENGTH = 32;

function isMarked(text: string): boolean {
  return text.slice(0, HEAD_LENGTH).includes(PREPARED_MARK);
}

/** More than there are marked statements; further ones are sent unprepared. */
const MAX_STATEMENTS = 500;

const names = new Map<string, string>();

/** The name of a marked statement, the same on each connection. */
function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= MAX_STATEMENTS) return known;
  const name = `slotkeeper_${names.size}`;
  names.set(text, name);
  return name;
}

/** Makes the connections of a pool send marked statements by name. */
export function prepareMarked(pool: pg.Pool): void {
  pool.on('connect', (client) => {
    const prototype = Object.getPrototypeOf(client) as { query(...parameters: unknown[]): unknown };
    const send = (config: unknown, ...rest: unknown[]) => {
      const name = typeof config === 'string' && isMarked(config) ? nameOf(config) : undefined;
      return prototype.query.call(client, name === undefined ? config : { name, text: config }, ...rest);
    };
    client.query = send as typeof client.query;
  });
}

const lines = new WeakMap<pg.Pool, PipelinedReads>();

function linesOf(pool: pg.Pool): PipelinedReads {
  const known = lines.get(pool);
  if (known !== undefined) return known;
  const made = new PipelinedReads(pool);
  lines.set(pool, made);
  return made;
}

/**
 * The rows of a statement, for the most frequent reads. It runs in the transaction of `em` if there is one. Otherwise
 * it shares a connection with other statements, without Kysely's overhead, and is sent again if the connection is lost.
 */
export async function readOften<Row>(em: EntityManager, query: CompiledQuery<Row>): Promise<Row[]> {
  if (em.isInTransaction()) return (await em.getKysely().executeQuery(query)).rows;
  const pool = await (em.getConnection() as PostgreSqlConnection).getNativeClient();
  return (await linesOf(pool).query(query.sql, [...query.parameters])) as Row[];
}
