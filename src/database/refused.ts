import { codeOf } from '../lib/describe-error.ts';

/**
 * What SQLSTATEs begin with that tell of the values in a statement: cardinality, data exceptions, constraints, check
 * options, limits, what a function raised, and damaged rows.
 */
const OF_VALUES = ['21', '22', '23', '44', '54', 'P0', 'XX'];

/**
 * PostgreSQL refused the statement for what it was given, and would refuse it again. Not so where it was away, stopped
 * or out of room, or where another transaction was in the way: that passes.
 */
export function isRefused(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && code.length === 5 && OF_VALUES.includes(code.slice(0, 2));
}
