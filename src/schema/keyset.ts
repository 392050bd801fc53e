// Pages by key instead of by offset: a page costs the same wherever it lies, and rows that come or go while a client
// pages are neither doubled nor passed over.
import { CompiledQuery, type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import { BoundedCache } from '../bounded-cache.ts';
import { isTimestamp } from '../database/timestamp.ts';
import { badInput } from '../errors.ts';
import { fetchSize, type Page, toConnection } from './connection.ts';
import type { OrderDirection } from './enums.ts';

/** An order in which a list may be paged; the id makes it total. Rows without a value come last, either way. */
export interface Ordering {
  /** Written into cursors: one of another ordering is refused. */
  field: string;
  direction: OrderDirection;
  /** What is ordered by before the id; null for the id alone. */
  by: { column: string; type: 'text' | 'timestamptz'; nullable: boolean } | null;
}

interface Position {
  value: string | null;
  id: number;
}

type Side = 'after' | 'before';

/** Where a page lies: a cursor's position at a side that has one. */
interface Bounds {
  backward: boolean;
  after: Position | null;
  before: Position | null;
  limit: number;
}

function boundsOf(page: Page, ordering: Ordering): Bounds {
  const decode = (side: Side) => {
    const cursor = page[side];
    return cursor === null ? null : decodePosition(cursor, ordering, side);
  };
  return { backward: page.backward, after: decode('after'), before: decode('before'), limit: fetchSize(page) };
}

/** The table's rows that lie in the page, in the order in which it is read; expects `table` to be in the query. */
export function keysetPage<Database, Table extends keyof Database, Output>(
  query: SelectQueryBuilder<Database, Table, Output>,
  table: string,
  ordering: Ordering,
  page: Page,
): SelectQueryBuilder<Database, Table, Output> {
  return withinBounds(query, table, ordering, boundsOf(page, ordering));
}

function withinBounds<Database, Table extends keyof Database, Output>(
  query: SelectQueryBuilder<Database, Table, Output>,
  table: string,
  ordering: Ordering,
  { backward, limit, ...positions }: Bounds,
): SelectQueryBuilder<Database, Table, Output> {
  let paged = query;
  for (const side of ['after', 'before'] as const) {
    const position = positions[side];
    if (position !== null) paged = paged.where(beyond(table, ordering, position, side));
  }
  const ascending = (ordering.direction === 'ASC') !== backward;
  const { by } = ordering;
  if (by !== null) {
    paged = paged.orderBy(sql.ref(`${table}.${by.column}`), (order) => {
      const way = ascending ? order.asc() : order.desc();
      // An index is read backwards only where it is not said where nulls come.
      if (!by.nullable) return way;
      return backward ? way.nullsFirst() : way.nullsLast();
    });
  }
  return paged.orderBy(sql.ref(`${table}.id`), ascending ? 'asc' : 'desc').limit(sql<number>`${limit}`);
}

/** A statement whose text was made once, and which of the bounds each of its parameters is. */
interface Template {
  text: string;
  read: readonly ((bounds: Bounds) => unknown)[];
}

/** Stand for the bounds while a template is made. */
const PLACES = new Map<unknown, (bounds: Bounds) => unknown>();
function place<Value>(read: (bounds: Bounds) => unknown): Value {
  const stand = { place: PLACES.size };
  PLACES.set(stand, read);
  return stand as Value;
}
const PLACE_AFTER = { value: place<string>(({ after }) => after?.value), id: place<number>(({ after }) => after?.id) };
const PLACE_BEFORE = {
  value: place<string>(({ before }) => before?.value),
  id: place<number>(({ before }) => before?.id),
};
const PLACE_LIMIT = place<number>(({ limit }) => limit);

function standFor(position: Position | null, stand: Position): Position | null {
  if (position === null) return null;
  return position.value === null ? { value: null, id: stand.id } : stand;
}

/** Pages of one list that always asks the same: the text of its statement is made once for pages of the same kind. */
export class KeysetStatements<Database, Table extends keyof Database & string, Output> {
  readonly #table: Table;
  readonly #templates = new BoundedCache<string, Template>(MAX_TEMPLATES);

  constructor(table: Table) {
    this.#table = table;
  }

  /** `query` is what is asked but for the page, and `name` tells it from others of the list. */
  page(name: string, query: () => SelectQueryBuilder<Database, Table, Output>, ordering: Ordering, page: Page) {
    const bounds = boundsOf(page, ordering);
    const { backward, after, before } = bounds;
    const kind = [name, orderingName(ordering), backward, kindOf(after), kindOf(before)].join();
    const { text, read } = this.#templates.get(kind, () => {
      const stands = { backward, after: standFor(after, PLACE_AFTER), before: standFor(before, PLACE_BEFORE) };
      const built = withinBounds(query(), this.#table, ordering, { ...stands, limit: PLACE_LIMIT }).compile();
      return { text: built.sql, read: built.parameters.map(readerOf) };
    });
    const values = read.map((readValue) => readValue(bounds));
    return CompiledQuery.raw(text, values) as CompiledQuery<Output>;
  }
}

const MAX_TEMPLATES = 100;

function kindOf(position: Position | null): string {
  if (position === null) return '';
  return position.value === null ? 'id' : 'value';
}

function readerOf(parameter: unknown): (bounds: Bounds) => unknown {
  return PLACES.get(parameter) ?? (() => parameter);
}

/** The fetched rows of keysetPage as a connection. */
export function keysetConnection<Node extends { id: number }>(rows: readonly Node[], ordering: Ordering, page: Page) {
  return toConnection(rows, page, (row) => encodePosition(row, ordering));
}

/** That a row lies on that side of the position. */
function beyond(table: string, { by, direction }: Ordering, { value, id }: Position, side: Side): RawBuilder<boolean> {
  const than = (direction === 'ASC') === (side === 'after') ? sql`>` : sql`<`;
  const key = sql.ref(`${table}.id`);
  if (by === null) return sql<boolean>`${key} ${than} ${id}::bigint`;
  const column = sql.ref(`${table}.${by.column}`);
  if (value === null) {
    const among = sql<boolean>`${column} is null and ${key} ${than} ${id}::bigint`;
    return side === 'after' ? sql<boolean>`(${among})` : sql<boolean>`(${column} is not null or (${among}))`;
  }
  const typed = by.type === 'text' ? sql`${value}::text` : sql`${value}::timestamptz`;
  // A comparison with a null is never true: before a value there is no row without one, and after it all of them.
  const among = sql<boolean>`(${column}, ${key}) ${than} (${typed}, ${id}::bigint)`;
  return side === 'after' && by.nullable ? sql<boolean>`(${among} or ${column} is null)` : among;
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
  const parts = parseParts(cursor);
  if (parts === null || !isPosition(parts, ordering)) {
    throw badInput(side, 'it is no cursor of this list in this order; accepted is one that a page of it gave');
  }
  return { value: parts.value, id: parts.id };
}

interface Parts extends Position {
  name: string;
}

function parseParts(cursor: string): Parts | null {
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

/** A cursor is not signed, so what it holds must be fit for the query. */
function isPosition({ name, value }: Parts, ordering: Ordering): boolean {
  if (name !== orderingName(ordering)) return false;
  if (value === null) return true;
  if (ordering.by === null) return false;
  return ordering.by.type === 'timestamptz' ? isTimestamp(value) : !value.includes('\0');
}
