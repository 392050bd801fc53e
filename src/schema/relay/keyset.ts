// Pages by key instead of by offset: a page costs the same wherever it lies, and rows that come or go while a client
// pages are neither doubled nor passed over.

import { CompiledQuery, type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import { LRUCache } from 'lru-cache';
import { isTimestamp } from '../../database/timestamp.ts';
import { badInput } from '../../lib/faults.ts';
import type { OrderDirection } from '../enums.ts';
import { fetchSize, type Page, toConnection } from './connection.ts';

/** An order in which a list may be paged; the id makes it total. Rows without a value come last, either way. */
export interface Ordering {
  /** Written into cursors: one of another ordering is refused. */
  field: string;
  direction: OrderDirection;
  /** The column that is ordered by before the id; null for the id alone. */
  by: { column: string; type: 'text' | 'timestamptz'; nullable: boolean } | null;
}

interface Position {
  value: string | null;
  id: number;
}

type Side = 'after' | 'before';

/** The table's rows that lie in the page, in the order in which it is read; expects `table` to be in the query. */
export function keysetPage<Database, Table extends keyof Database, Output>(
  query: SelectQueryBuilder<Database, Table, Output>,
  table: string,
  ordering: Ordering,
  page: Page,
): SelectQueryBuilder<Database, Table, Output> {
  if (!ordering.by?.nullable) return inOrder(within(query, table, ordering, page), table, ordering, page);
  return inOrder(query.where(isOnPage(query, table, ordering, page)), table, ordering, page);
}

/**
 * The condition that a row is on the page, if some rows have no value and come last. No index has them in that order:
 * rows with and without a value are queried one after the other, the later part only if the first did not fill the
 * page.
 */
function isOnPage<Database, Table extends keyof Database, Output>(
  query: SelectQueryBuilder<Database, Table, Output>,
  table: string,
  ordering: Ordering,
  page: Page,
): RawBuilder<boolean> {
  const column = sql.ref(`${table}.${ordering.by?.column}`);
  const key = sql.ref(`${table}.id`);
  const way = isAscending(ordering, page) ? sql`asc` : sql`desc`;
  const size = fetchSize(page);
  const ids = (hasValue: boolean) => {
    const part = query.where(sql<boolean>`${column} is ${hasValue ? sql`not null` : sql`null`}`);
    const found = within(part, table, ordering, page, hasValue).clearSelect().select(key.as('id'));
    return sql`${found.orderBy(sql`${column} ${way}, ${key} ${way}`)} limit ${size}`;
  };
  const [first, second] = page.backward ? [ids(false), ids(true)] : [ids(true), ids(false)];
  return sql<boolean>`${key} = any(array(
    with first as (${first}) select id from first
    union all (select id from (${second}) as second limit ${size} - (select count(*) from first))))`;
}

function isAscending({ direction }: Ordering, { backward }: Page): boolean {
  return (direction === 'ASC') !== backward;
}

function inOrder<Database, Table extends keyof Database, Output>(
  query: SelectQueryBuilder<Database, Table, Output>,
  table: string,
  ordering: Ordering,
  page: Page,
): SelectQueryBuilder<Database, Table, Output> {
  const ascending = isAscending(ordering, page);
  let ordered = query;
  const { by } = ordering;
  if (by !== null) {
    ordered = ordered.orderBy(sql.ref(`${table}.${by.column}`), (order) => {
      const way = ascending ? order.asc() : order.desc();
      if (!by.nullable) return way;
      return page.backward ? way.nullsFirst() : way.nullsLast();
    });
  }
  return ordered.orderBy(sql.ref(`${table}.id`), ascending ? 'asc' : 'desc').limit(fetchSize(page));
}

/** The rows between the cursors of the page, all with a value in the ordering column, or all without. */
function within<Database, Table extends keyof Database, Output>(
  query: SelectQueryBuilder<Database, Table, Output>,
  table: string,
  ordering: Ordering,
  page: Page,
  hasValue = true,
): SelectQueryBuilder<Database, Table, Output> {
  let found = query;
  for (const side of ['after', 'before'] as const) {
    const cursor = page[side];
    if (cursor === null) continue;
    found = found.where(beyond(table, ordering, decodePosition(cursor, ordering, side), side, hasValue));
  }
  return found;
}

/** Kinds of pages whose texts are kept. */
const MAX_TEXTS = 100;

/**
 * Pages along the key of a list that asks for nothing else: the text of the statement is made once for all pages of the
 * same kind, whose values are their cursors and their size.
 */
export class KeyPages<Database, Table extends keyof Database & string, Output> {
  readonly #table: Table;
  readonly #texts = new LRUCache<string, string>({ max: MAX_TEXTS });

  constructor(table: Table) {
    this.#table = table;
  }

  /** `query` is the query without its page and without values; `name` distinguishes it from others of the list. */
  page(name: string, query: () => SelectQueryBuilder<Database, Table, Output>, ordering: Ordering, page: Page) {
    const values = [...idsOf(page, ordering), fetchSize(page)];
    const kind = [name, orderingName(ordering), page.backward, page.after !== null, page.before !== null].join();
    let text = this.#texts.get(kind);
    if (text === undefined) {
      const built = keysetPage(query(), this.#table, ordering, page).compile();
      if (String(built.parameters) !== String(values)) throw new Error('the statement has other values than its page');
      text = built.sql;
      this.#texts.set(kind, text);
    }
    return CompiledQuery.raw(text, values) as CompiledQuery<Output>;
  }
}

/** The values of the cursors, in the order of the statement. */
function idsOf(page: Page, ordering: Ordering): number[] {
  return (['after', 'before'] as const).flatMap((side) => {
    const cursor = page[side];
    return cursor === null ? [] : [decodePosition(cursor, ordering, side).id];
  });
}

/** The fetched rows of keysetPage as a connection. */
export function keysetConnection<Node extends { id: number }>(rows: readonly Node[], ordering: Ordering, page: Page) {
  return toConnection(rows, page, (row) => encodePosition(row, ordering));
}

/** The condition that a row, with or without a value, is on that side of the position. */
function beyond(
  table: string,
  { by, direction }: Ordering,
  { value, id }: Position,
  side: Side,
  hasValue: boolean,
): RawBuilder<boolean> {
  const than = (direction === 'ASC') === (side === 'after') ? sql`>` : sql`<`;
  const key = sql.ref(`${table}.id`);
  if (by === null || (value === null && !hasValue)) return sql<boolean>`${key} ${than} ${id}::bigint`;
  // Rows without a value come after all others.
  if (value === null || !hasValue) return sql<boolean>`${(value === null) === (side === 'before')}::boolean`;
  const typed = by.type === 'text' ? sql`${value}::text` : sql`${value}::timestamptz`;
  return sql<boolean>`(${sql.ref(`${table}.${by.column}`)}, ${key}) ${than} (${typed}, ${id}::bigint)`;
}

function orderingName({ field, direction }: Ordering): string {
  return `${field} ${direction}`;
}

/** The value is the column's own text, so that no microsecond is lost. */
function encodePosition(row: { id: number }, ordering: Ordering): string {
  const value = ordering.by === null ? null : Reflect.get(row, ordering.by.column);
  return Buffer.from(JSON.stringify([orderingName(ordering), value, row.id])).toString('base64url');
}

export function decodePosition(cursor: string, ordering: Ordering, side: Side): Position {
  const parts = parseCursor(cursor);
  if (parts === null || !isPosition(parts, ordering)) {
    throw badInput(side, 'must be a cursor from this list in this order');
  }
  return { value: parts.value, id: parts.id };
}

interface CursorParts extends Position {
  name: string;
}

function parseCursor(cursor: string): CursorParts | null {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return null;
  }
  if (!Array.isArray(parts) || parts.length !== 3) return null;
  const [name, value, id] = parts as unknown[];
  const typed = typeof name === 'string' && (value === null || typeof value === 'string') && Number.isSafeInteger(id);
  return typed ? { name, value, id: id as number } : null;
}

/** A cursor is not signed, so its content must be checked before it is used in the query. */
function isPosition({ name, value }: CursorParts, ordering: Ordering): boolean {
  if (name !== orderingName(ordering)) return false;
  if (value === null) return true;
  if (ordering.by === null) return false;
  return ordering.by.type === 'timestamptz' ? isTimestamp(value) : !value.includes('\0');
}
