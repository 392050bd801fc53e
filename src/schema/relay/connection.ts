// Pages of a list: what a client asks for, and how rows are answered.
import { badInput } from '../../lib/faults.ts';
import { DEFAULT_PAGE, MAX_PAGE } from '../complexity.ts';

/** The arguments of every connection. */
export interface PageArgs {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

/** What to fetch. `backward` pages are read from their end, so their rows come in reverse. */
export interface Page {
  size: number;
  backward: boolean;
  after: string | null;
  before: string | null;
}

export function readPage({ first, after, last, before }: PageArgs): Page {
  if (first != null && last != null) {
    throw badInput('last', 'must not be given together with first');
  }
  const backward = last != null;
  const size = (backward ? last : first) ?? DEFAULT_PAGE;
  if (size < 0 || size > MAX_PAGE) {
    throw badInput(backward ? 'last' : 'first', `must be 0 to ${MAX_PAGE}, got ${size}`);
  }
  return { size, backward, after: after ?? null, before: before ?? null };
}

/** The rows to fetch: one more than the page holds tells whether there is more. */
export function fetchSize(page: Page): number {
  return page.size + 1;
}

/** An item of a page. Its cursor is made when it is asked for. */
class Edge<Node> {
  readonly node: Node;
  readonly #toCursor: (node: Node) => string;

  constructor(node: Node, toCursor: (node: Node) => string) {
    this.node = node;
    this.#toCursor = toCursor;
  }

  get cursor(): string {
    return this.#toCursor(this.node);
  }
}

/**
 * `rows` are up to `fetchSize(page)`, in the order in which the page is read. At a side for which the client gave a
 * cursor there is more: the item of that cursor.
 */
export function toConnection<Node>(rows: readonly Node[], page: Page, toCursor: (node: Node) => string) {
  const nodes = rows.slice(0, page.size);
  if (page.backward) nodes.reverse();
  const edges = nodes.map((node) => new Edge(node, toCursor));
  const more = rows.length > page.size;
  return {
    edges,
    pageInfo: {
      hasNextPage: page.before !== null || (!page.backward && more),
      hasPreviousPage: page.after !== null || (page.backward && more),
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}
