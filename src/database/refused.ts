import { codeOf } from '../lib/describe-error.ts';

/**
 * The classes of SQLSTATE that depend on the values in a statement: cardinality, data exceptions, constraints, check
 * options, limits, errors raised by a function, and damaged rows.
 */
const OF_VALUES = ['21', '22', '23', '44', '54', 'P0', 'XX'];

/**
 * Whether PostgreSQL refused the statement because of its values, and would refuse it again. False if the server was
 * unreachable, stopped or out of space, or if another transaction was in conflict: a retry may succeed.
 */
export function isRefused(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && code.length === 5 && OF_VALUES.includes(code.slice(0, 2));
}
