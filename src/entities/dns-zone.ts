import { defineEntity, p } from '@mikro-orm/core';

/** The largest interval or lifetime of DNS, in seconds (RFC 2181). */
const MAX_SECONDS = 2_147_483_647;

const seconds = (column: string) => ({
  name: `dns_zone_${column}`,
  expression: `${column} between 0 and ${MAX_SECONDS}`,
});

const DnsZoneSchema = defineEntity({
  name: 'DnsZone',
  tableName: 'dns_zone',
  properties: {
    id: p.integer().primary().autoincrement(),
    /** In lower case and without the dot at its end. */
    name: p.text().unique(),
    /** The SOA's: a host name, and a mailbox such as `hostmaster@example.com`. */
    primaryServer: p.text(),
    contact: p.text(),
    refresh: p.integer(),
    retry: p.integer(),
    expire: p.integer(),
    minimum: p.integer(),
    /** Seconds that records without a TTL of their own may be kept. */
    defaultTtl: p.integer(),
    /** The serial of the last pushed content; null before the first push. */
    serial: p.bigint('number').nullable(),
    /** The digest of the content of `serial`; null if the next push must assign a new serial in any case. */
    contentHash: p.text().nullable(),
    /** Incremented by each edit of the zone or of its records. */
    version: p.integer().default(1),
    createdAt: p.datetime().defaultRaw('now()'),
    updatedAt: p.datetime().defaultRaw('now()'),
  },
  checks: [
    { name: 'dns_zone_name_form', expression: 'name = lower(name) and char_length(name) between 1 and 200' },
    { name: 'dns_zone_serial', expression: 'serial between 0 and 4294967295' },
    { name: 'dns_zone_content', expression: 'content_hash is null or serial is not null' },
    ...['refresh', 'retry', 'expire', 'minimum', 'default_ttl'].map(seconds),
  ],
});

/**
 * A DNS zone: its SOA record and the defaults of its records. A change of the zone or of its records locks this row.
 */
export class DnsZone extends DnsZoneSchema.class {}
DnsZoneSchema.setClass(DnsZone);

export { DnsZoneSchema, MAX_SECONDS };
