import { MAX_SECONDS } from '../entities/dns-zone.ts';
import { badInput, type FieldPath } from '../lib/faults.ts';

/** A TTL or a time of the SOA record; a GraphQL Int has no more than the most that DNS takes. */
export function readSeconds(value: number, path: FieldPath): number {
  if (value >= 0) return value;
  throw badInput(path, `must be 0 to ${MAX_SECONDS} seconds, got ${value}`);
}
