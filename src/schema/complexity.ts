// How much one operation may ask for.

export const DEFAULT_PAGE = 25;
export const MAX_PAGE = 500;

/**
 * Complexity counts the fields that a full answer would hold, a list as often as its page is long. A page of 500 tasks
 * with every field and their repeat items is 90,000 and passes; 500 tasks with 500 runs each do not.
 * Breadth counts the fields that are written, so it bounds aliases.
 */
export const LIMITS = { complexity: 100_000, depth: 15, breadth: 500 };

/** What a page costs beside its items: a query. */
const PAGE_COST = 5;

/** Sizes out of bounds count as the bound: they are refused by the page itself, with a better message. */
export function connectionComplexity(args: object): { field: number; multiplier: number } {
  const { first, last } = args as { first?: number | null; last?: number | null };
  const size = first ?? last ?? DEFAULT_PAGE;
  return { field: PAGE_COST, multiplier: Math.min(Math.max(size, 1), MAX_PAGE) };
}
