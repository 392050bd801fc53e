// How much one operation may ask for.
import type { GraphQLError } from 'graphql';
import { tooComplex } from '../lib/faults.ts';
import { toGraphQLError } from './errors.ts';

export const DEFAULT_PAGE = 25;
export const MAX_PAGE = 500;

/**
 * Complexity counts the fields that a full answer would hold, a list as often as its page is long. A page of 500 tasks
 * with every field and their repeat items is 90,000 and passes; 500 tasks with 500 runs each do not.
 * Breadth counts the fields that are written, so it bounds aliases. The others are those of the document, which is not
 * looked at beyond them: its characters, tokens, operations and fragments, the fields of one name in one selection, and how deep
 * selections and values are nested.
 */
export const LIMITS = {
  complexity: 100_000,
  depth: 15,
  breadth: 500,
  tokens: 5_000,
  characters: 200_000,
  definitions: 100,
  alike: 50,
  nesting: 50,
};

/** TOO_COMPLEX if an operation exceeds the limits. */
export function checkWeight(weight: { complexity: number; depth: number; breadth: number }): void {
  for (const kind of ['complexity', 'depth', 'breadth'] as const) {
    if (weight[kind] > LIMITS[kind]) throw beyond(kind, weight[kind]);
  }
}

export function beyond(kind: 'complexity' | 'depth' | 'breadth', found: number): GraphQLError {
  const most = `at most ${LIMITS[kind]} is accepted`;
  return toGraphQLError(
    tooComplex(`The operation's ${kind} is ${found}, ${most}: select less, nest less or ask for smaller pages`),
  );
}

/** The cost of a page in addition to its items: one query. */
const PAGE_COST = 5;

/** Sizes out of bounds count as the bound: they are refused by the page itself, with a better message. */
export function connectionComplexity(args: object): { field: number; multiplier: number } {
  const { first, last } = args as { first?: number | null; last?: number | null };
  const size = first ?? last ?? DEFAULT_PAGE;
  return { field: PAGE_COST, multiplier: Math.min(Math.max(size, 1), MAX_PAGE) };
}
