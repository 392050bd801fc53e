import type { EntityManager } from '@mikro-orm/postgresql';
import { type Expression, type RawBuilder, sql } from 'kysely';
import { readRows } from '../../database/rows.ts';

/** A column of the child that says its parent, and the one that its pages are ordered by. */
interface Nesting {
  parent: string;
  order: string;
  /** The tie-breaker. */
  tieBreaker?: string;
  ascending: boolean;
  /** Where rows without a value come; last unless given. */
  nullsFirst?: boolean;
}

/**
 * A page of children for each of many parents, in one query: `page` is the query of one parent's page, whose id it is
 * given. Answers in the order of `parentIds`, each page in its order.
 */
export async function pagesOfParents<Child extends object>(
  em: EntityManager,
  parentIds: readonly number[],
  page: (parentId: RawBuilder<number>) => Expression<Child>,
  { parent, order, tieBreaker = order, ascending, nullsFirst = false }: Nesting,
): Promise<Child[][]> {
  const way = sql`${ascending ? sql`asc` : sql`desc`} ${nullsFirst ? sql`nulls first` : sql`nulls last`}`;
  const { rows } = await sql<Child>`
    select child.*
    from unnest(${[...new Set(parentIds)]}::bigint[]) as parent (id)
    cross join lateral ${page(sql<number>`parent.id`)} as child
    order by ${sql.join([order, tieBreaker].map((column) => sql`${sql.ref(`child.${column}`)} ${way}`))}
  `.execute(readRows(em));
  const pages = Map.groupBy(rows, (row) => Number(Reflect.get(row, parent)));
  return parentIds.map((id) => pages.get(id) ?? []);
}
