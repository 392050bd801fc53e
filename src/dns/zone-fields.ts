// What is said of a zone beside its name: from the fields of a caller to columns, and to the record of changes.
import { badInput, type FieldPath } from '../lib/faults.ts';
import type { ZoneRow } from './find-zone.ts';
import { readTarget, shown } from './names.ts';
import { readSeconds } from './read-seconds.ts';

/** Of a new zone that is given none. Seconds. */
export const ZONE_DEFAULTS = { refresh: 7_200, retry: 3_600, expire: 1_209_600, minimum: 300, defaultTtl: 3_600 };

/** What the SOA record says beside the serial. Seconds, a host name, and a mailbox such as `hostmaster@example.com`. */
interface SoaFields {
  primaryServer?: string | null | undefined;
  contact?: string | null | undefined;
  refresh?: number | null | undefined;
  retry?: number | null | undefined;
  expire?: number | null | undefined;
  minimum?: number | null | undefined;
}

export interface ZoneFields {
  soa?: SoaFields | null | undefined;
  /** Seconds. */
  defaultTtl?: number | null | undefined;
  /** The serial that the zone has reached elsewhere; the next push gives it a newer one. */
  serial?: number | null | undefined;
}

/** The columns that a caller gives; those left out are missing. */
export interface ZoneColumns {
  primary_server?: string;
  contact?: string;
  refresh?: number;
  retry?: number;
  expire?: number;
  minimum?: number;
  default_ttl?: number;
  serial?: number;
}

/** `zone` is the name that relative names belong to. BAD_USER_INPUT names a field such as `soa.contact`. */
export function readColumns({ soa, defaultTtl, serial }: ZoneFields, zone: string): ZoneColumns {
  const columns: ZoneColumns = {};
  if (soa?.primaryServer != null) {
    columns.primary_server = readTarget(soa.primaryServer, zone, ['soa', 'primaryServer'], { host: true });
  }
  if (soa?.contact != null) columns.contact = readMailbox(soa.contact, ['soa', 'contact']);
  for (const field of ['refresh', 'retry', 'expire', 'minimum'] as const) {
    const value = soa?.[field];
    if (value != null) columns[field] = readSeconds(value, ['soa', field]);
  }
  if (defaultTtl != null) columns.default_ttl = readSeconds(defaultTtl, ['defaultTtl']);
  if (serial != null) columns.serial = serial;
  return columns;
}

function readMailbox(text: string, path: FieldPath): string {
  const [, local = '', host = ''] = /^([a-z0-9_+-][a-z0-9._+-]{0,62})@(.+)$/i.exec(text) ?? [];
  if (host === '' || !host.includes('.')) {
    throw badInput(path, `must be a mailbox such as hostmaster@example.com, got ${shown(text)}`);
  }
  return `${local.toLowerCase()}@${readTarget(host, '', path, { host: true })}`;
}

/** The columns under the names that callers know, for the record of changes. */
export function asFields(columns: ZoneColumns | ZoneRow): Record<string, unknown> {
  const fields = [
    ['primaryServer', columns.primary_server],
    ['contact', columns.contact],
    ['refresh', columns.refresh],
    ['retry', columns.retry],
    ['expire', columns.expire],
    ['minimum', columns.minimum],
    ['defaultTtl', columns.default_ttl],
    ['serial', columns.serial],
  ] as const;
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}
