import { defineEntity, p } from '@mikro-orm/core';
import { DnsZone } from './dns-zone.ts';

/** The types of records; the SOA record is made of the zone's own fields. */
export const DNS_RECORD_TYPES = ['A', 'AAAA', 'CAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT'] as const;
export type DnsRecordType = (typeof DNS_RECORD_TYPES)[number];

const DnsRecordSchema = defineEntity({
  name: 'DnsRecord',
  tableName: 'dns_record',
  properties: {
    id: p.integer().primary().autoincrement(),
    zone: () => p.manyToOne(DnsZone).ref().deleteRule('cascade'),
    /** The whole name, in lower case and without the dot at its end. */
    name: p.text(),
    type: p.enum(DNS_RECORD_TYPES),
    /** Seconds; null for the zone's default. The same for all records of one name and type. */
    ttl: p.integer().nullable(),
    /** The data as a zone file has it after the type, normalised: see `src/dns/record-data.ts`. */
    data: p.text(),
    /** Text data may be longer than an index entry can be. */
    dataHash: p.text().generated('(md5(data)) stored'),
    createdAt: p.datetime().defaultRaw('now()'),
  },
  checks: [
    { name: 'dns_record_name_form', expression: 'name = lower(name) and char_length(name) between 1 and 253' },
    { name: 'dns_record_ttl', expression: 'ttl between 0 and 2147483647' },
  ],
  uniques: [
    // No duplicate records; also finds the records of a name.
    { name: 'dns_record_once', properties: ['zone', 'name', 'type', 'dataHash'] },
    // A name has at most one CNAME, also under concurrent writes.
    { name: 'dns_record_one_cname', properties: ['zone', 'name'], where: "type = 'CNAME'" },
  ],
  indexes: [{ name: 'dns_record_by_zone', properties: ['zone', 'id'] }],
});

/** One record of a zone. */
export class DnsRecord extends DnsRecordSchema.class {}
DnsRecordSchema.setClass(DnsRecord);

export { DnsRecordSchema };
