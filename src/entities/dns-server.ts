import { defineEntity, p } from '@mikro-orm/core';

const DnsServerSchema = defineEntity({
  name: 'DnsServer',
  tableName: 'dns_server',
  properties: {
    id: p.integer().primary().autoincrement(),
    /** The key of its entry in the setting DNS_SERVERS, which holds its address and how it is told to load zones. */
    name: p.text().unique(),
    description: p.text().nullable(),
    /** false leaves it out of pushes. */
    enabled: p.boolean().default(true),
    createdAt: p.datetime().defaultRaw('now()'),
  },
  checks: [
    { name: 'dns_server_name_length', expression: 'char_length(name) between 1 and 255' },
    { name: 'dns_server_description_length', expression: 'char_length(description) <= 1000' },
  ],
});

/** A name server that zones are pushed to. */
export class DnsServer extends DnsServerSchema.class {}
DnsServerSchema.setClass(DnsServer);

export { DnsServerSchema };
