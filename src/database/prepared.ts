import type { EntityManager, PostgreSqlConnection } from '@mikro-orm/postgresql';
import { type CompiledQuery, sql } from 'kysely';
import type pg from 'pg';
import { PipelinedReads } from './pipelined-reads.ts';

/**
 * Marks a statement, at its beginning or after its first word, that is sent so often that parsing and planning it each time would cost as much as doing it. PostgreSQL
 * does that once a connection then. Only for texts that do not vary and that find rows by their keys: the plan is kept until
 * the tables are analysed again, and one that was made for an empty queue would read a full one from end to end. Such a
 * text names its columns: a newer version that adds one beside this process would change what `*` is, and PostgreSQL then
 * refuses the statement for as long as the connection lasts. Poolers between a process and PostgreSQL must keep prepared
 * statements (PgBouncer does from 1.21 on).
 */
export const PREPARED_MARK = '/* prepared */';

/** The mark, for a statement of Kysely's: in its text, or by `modifyFront`. */
export const PREPARED = sql.raw(PREPARED_MARK);

/** The first word and the mark are no longer. */
const HEAD_LENGTH = 32;

function isMarked(text: string): boolean {
  return text.slice(0, HEAD_LENGTH).includes(PREPARED_MARK);
}

/** More texts than there are marked statements; beyond it they are sent as any other. */
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
 * The rows of a statement, in the transaction of `em` if it has one. Outside of it the statement shares a connection with
 * others, without what Kysely does around each, and is sent again where that is lost: for reads that are asked most often.
 */
export async function readOften<Row>(em: EntityManager, query: CompiledQuery<Row>): Promise<Row[]> {
  if (em.isInTransaction()) return (await em.getKysely().executeQuery(query)).rows;
  const pool = await (em.getConnection() as PostgreSqlConnection).getNativeClient();
  return (await linesOf(pool).query(query.sql, [...query.parameters])) as Row[];
}
