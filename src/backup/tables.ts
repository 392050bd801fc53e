// Which tables a backup holds, and how their rows are written and read: equal rows give equal bytes on every server,
// whatever its settings and the physical order of the rows.
import type { EntityManager, EntityName } from '@mikro-orm/postgresql';
import pg from 'pg';
import { entities } from '../entities/index.ts';

/**
 * Not in a backup. `runner` lists the live processes, of which a copy has none; `installation` identifies an
 * installation, and a copy is another one. The job engine's schema is left out too: a job is the right to make an
 * attempt, and any runner gives a run without a job a new one (see `src/runner/recovery.ts`).
 */
export const TABLES_LEFT_OUT: readonly string[] = ['runner', 'installation'];

/** All tables of this version, each after those that it references, in the order of the list of entities. */
export function ourTables(em: EntityManager): string[] {
  return entities.map((entity: EntityName) => em.getMetadata(entity).tableName);
}

/** The same without `TABLES_LEFT_OUT`. */
export function tablesInBackup(em: EntityManager): string[] {
  return ourTables(em).filter((name) => !TABLES_LEFT_OUT.includes(name));
}

export interface TableShape {
  name: string;
  /** Without generated columns. */
  columns: string[];
  /** The columns of the primary key as SQL for ORDER BY, independent of the database's collation. */
  order: string;
  /** The columns with a sequence, and the sequences' names as SQL. */
  sequences: { column: string; sequence: string }[];
}

/** Those of the named tables that exist, as the connection's transaction sees them, in the given order. */
export async function readShapes(client: pg.ClientBase, names: readonly string[]): Promise<TableShape[]> {
  const { rows } = await client.query<TableShape>(
    `select c.relname::text as name,
       array_agg(a.attname::text order by a.attnum) filter (where a.attgenerated = '') as columns,
       (select string_agg(quote_ident(k.attname) || case when k.attcollation = 0 then '' else ' collate "C"' end, ', '
          order by array_position(i.indkey::int2[], k.attnum))
        from pg_index i join pg_attribute k on k.attrelid = i.indrelid and k.attnum = any(i.indkey)
        where i.indrelid = c.oid and i.indisprimary) as "order",
       coalesce(json_agg(json_build_object('column', a.attname, 'sequence', s.name) order by a.attnum)
         filter (where s.name is not null), '[]') as sequences
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
       cross join lateral pg_get_serial_sequence(quote_ident(c.relname), a.attname) as s (name)
     where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and c.relname = any($1::text[])
     group by c.oid, c.relname order by array_position($1::text[], c.relname::text)`,
    [names],
  );
  return rows;
}

/** Makes the session write and read values in the same way on every server, without time limits. */
export async function setUpSession(client: pg.ClientBase): Promise<void> {
  await client.query(
    `set client_encoding to 'UTF8'; set time zone 'UTC'; set datestyle to 'ISO, YMD'; set intervalstyle to 'postgres';
     set bytea_output to 'hex'; set extra_float_digits to 1; set statement_timeout to 0; set lock_timeout to 0;
     set idle_in_transaction_session_timeout to 0`,
  );
}

function columnList(columns: readonly string[]): string {
  return columns.map((column) => pg.escapeIdentifier(column)).join(', ');
}

export function copyOut({ name, columns, order }: TableShape): string {
  return `copy (select ${columnList(columns)} from ${pg.escapeIdentifier(name)} order by ${order}) to stdout`;
}

export function copyIn(name: string, columns: readonly string[]): string {
  return `copy ${pg.escapeIdentifier(name)} (${columnList(columns)}) from stdin`;
}

/** The next value of each column with a sequence. */
export async function readNext(client: pg.ClientBase, { sequences }: TableShape): Promise<Record<string, number>> {
  const next: Record<string, number> = {};
  for (const { column, sequence } of sequences) {
    const { rows } = await client.query<{ next: string }>(
      'select (coalesce(pg_sequence_last_value($1::regclass), 0) + 1)::text as next',
      [sequence],
    );
    next[column] = Number(rows[0]?.next);
  }
  return next;
}
