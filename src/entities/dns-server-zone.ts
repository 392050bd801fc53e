import { defineEntity, p } from '@mikro-orm/core';
import { DnsServer } from './dns-server.ts';
import { DnsZone } from './dns-zone.ts';

const DnsServerZoneSchema = defineEntity({
  name: 'DnsServerZone',
  tableName: 'dns_server_zone',
  properties: {
    id: p.integer().primary().autoincrement(),
    server: () => p.manyToOne(DnsServer).ref().deleteRule('cascade'),
    zone: () => p.manyToOne(DnsZone).ref().index().deleteRule('cascade'),
    /** The serial that the server answered last; null until it serves the zone. */
    serial: p.bigint('number').nullable(),
    /** When it last answered with the serial that was pushed. */
    pushedAt: p.datetime().nullable(),
    /** Why the last push of the zone to this server failed; null if it succeeded. */
    error: p.text().nullable(),
    failedAt: p.datetime().nullable(),
  },
  checks: [{ name: 'dns_server_zone_error', expression: '(error is null) = (failed_at is null)' }],
  // Failures are searched for, and should be few.
  indexes: [{ name: 'dns_server_zone_failed', properties: ['server', 'id'], where: 'error is not null' }],
  uniques: [{ name: 'dns_server_zone_once', properties: ['server', 'zone'] }],
});

/** The state of one zone on one server at the last push. */
export class DnsServerZone extends DnsServerZoneSchema.class {}
DnsServerZoneSchema.setClass(DnsServerZone);

export { DnsServerZoneSchema };
