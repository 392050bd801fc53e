import { MAX_SECONDS } from '../entities/dns-zone.ts';
import { badInput, type FieldPath } from '../lib/faults.ts';

/** A TTL or a time of the SOA record. The maximum of a GraphQL Int is that of DNS. */
export function readSeconds(value: number, path: FieldPath): number {
  if (value >= 0) return value;
  throw badInput(path, `must be 0 to ${MAX_SECONDS} seconds, got ${value}`);
}
