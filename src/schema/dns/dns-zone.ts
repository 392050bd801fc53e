import { sql } from 'kysely';
import { readRows } from '../../database/rows.ts';
import { findZone, type ZoneBy } from '../../dns/find-zone.ts';
import { findFaultsOfZones, renderZoneFiles } from '../../dns/whole-zones.ts';
import { faultsWithin, faultsWithinSync } from '../../lib/faults.ts';
import { readGlobalId, toGlobalId } from '../../lib/global-id.ts';
import { readText } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import { DnsServerZoneRef, DnsZoneRef, type DnsZoneRow } from '../refs.ts';
import { readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';

export const SOA_FIELDS = {
  primaryServer: 'The host name of the primary name server.',
  contact: 'The mailbox of the person responsible, such as `hostmaster@example.com`.',
  refresh: 'Seconds after which secondary servers check for a newer serial.',
  retry: 'Seconds after which secondary servers retry a failed check.',
  expire: 'Seconds after which secondary servers stop answering for a zone that they could not refresh.',
  minimum: 'Seconds for which the answer that a name does not exist may be cached.',
};

const DnsSoaRef = builder.objectRef<DnsZoneRow>('DnsSoa').implement({
  description: 'The SOA fields of a zone, except the serial.',
  fields: (t) => ({
    primaryServer: t.exposeString('primary_server', { description: SOA_FIELDS.primaryServer }),
    contact: t.exposeString('contact', { description: SOA_FIELDS.contact }),
    refresh: t.exposeInt('refresh', { description: SOA_FIELDS.refresh }),
    retry: t.exposeInt('retry', { description: SOA_FIELDS.retry }),
    expire: t.exposeInt('expire', { description: SOA_FIELDS.expire }),
    minimum: t.exposeInt('minimum', { description: SOA_FIELDS.minimum }),
  }),
});

/** The complexity of a zone with its file, so that one operation can select only a few of these large texts. */
const WHOLE_ZONE_COST = 2_000;

DnsZoneRef.implement({
  description: 'A DNS zone. The task class `\\scheduler\\Tasks\\DNSPushTask` pushes it to every server.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, unique across all types.', resolve: ({ id }) => toGlobalId('DnsZone', id) }),
    name: t.exposeString('name', { description: 'The name, in lower case, without a trailing dot.' }),
    soa: t.field({ type: DnsSoaRef, description: 'The SOA fields.', resolve: (zone) => zone }),
    defaultTtl: t.exposeInt('default_ttl', {
      description: 'TTL in seconds of records without their own.',
    }),
    serial: t.expose('serial', {
      type: 'DnsSerial',
      nullable: true,
      description: 'The serial of the content pushed last; null before the first push.',
    }),
    faults: t.loadableList({
      type: 'String',
      description: 'What prevents a push of the zone; empty if nothing does.',
      complexity: WHOLE_ZONE_COST,
      load: (ids: number[], { em }) => findFaultsOfZones(em, ids),
      loaderOptions: { cache: false },
      resolve: ({ id }) => id,
    }),
    zoneFile: t.loadable({
      type: 'String',
      description: 'The text of the zone file that a push would write now.',
      complexity: WHOLE_ZONE_COST,
      load: (ids: number[], { em }) => renderZoneFiles(em, ids),
      loaderOptions: { cache: false },
      resolve: ({ id }) => id,
    }),
    servers: t.loadableGroup({
      type: DnsServerZoneRef,
      description: 'The servers that the zone was pushed to, and what each returned.',
      complexity: { field: 1, multiplier: 4 },
      load: (zoneIds: number[], { em }) =>
        readRows(em)
          .selectFrom('dns_server_zone')
          .selectAll()
          .where(sql<boolean>`zone_id = any(${zoneIds}::int[])`)
          .orderBy('server_id')
          .execute(),
      loaderOptions: { cache: false },
      group: ({ zone_id }) => zone_id,
      resolve: ({ id }) => id,
    }),
    version: t.exposeInt('version', {
      description: 'Number that grows with each change of the zone or its records; pass it as `expectedVersion`.',
    }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When the zone was added.' }),
    updatedAt: t.expose('updated_at', {
      type: 'DateTime',
      description: 'When the zone or one of its records was last changed.',
    }),
  }),
});

export const EXPECTED_ZONE_VERSION = {
  description: 'Fails with CONFLICT if the `version` of the zone is not this one.',
};

export const DnsZoneByInput = builder.inputType('DnsZoneBy', {
  description: 'A zone, by its id or name.',
  isOneOf: true,
  fields: (t) => ({
    id: t.id({ description: 'The id of the zone.' }),
    name: t.string({ description: 'The name of the zone, with or without a trailing dot.' }),
  }),
});

function readZoneBy(by: typeof DnsZoneByInput.$inferInput): ZoneBy {
  return by.id === undefined ? by : { id: readGlobalId('DnsZone', by.id, 'id') };
}

/** The zone that the input of a mutation chooses. */
export function readChosenZone({ zone }: { zone: typeof DnsZoneByInput.$inferInput }): ZoneBy {
  return faultsWithinSync('zone', () => readZoneBy(zone));
}

const DnsZoneFilter = builder.inputType('DnsZoneFilter', {
  description: 'Selects the zones that match every given condition.',
  fields: (t) => ({
    nameContains: t.string({ description: 'Zones whose name contains this text.' }),
    failed: t.boolean({
      description: 'true for zones whose last push to at least one server failed, false for the others.',
    }),
  }),
});

const BY_ID: Ordering = { field: 'ID', direction: 'ASC', by: null };

const DnsZoneConnection = builder.connectionObject(
  { type: DnsZoneRef, name: 'DnsZoneConnection', description: 'A page of zones.' },
  { name: 'DnsZoneEdge', description: 'A zone in a page.' },
);

const FAILED = sql<boolean>`exists (
  select from dns_server_zone where dns_server_zone.zone_id = dns_zone.id and dns_server_zone.error is not null
)`;

builder.queryFields((t) => ({
  dnsZone: t.field({
    type: DnsZoneRef,
    nullable: true,
    description: 'A zone by its id or name; null if there is none.',
    args: { by: t.arg({ type: DnsZoneByInput, required: true, description: 'The zone.' }) },
    resolve: (_root, { by }, { em }) => faultsWithin('by', async () => findZone(em, readZoneBy(by))),
  }),
  dnsZones: t.connection(
    {
      type: DnsZoneRef,
      description: 'DNS zones, in the order in which they were added.',
      args: { filter: t.arg({ type: DnsZoneFilter, description: 'The filter; all by default.' }) },
      resolve: async (_root, { filter, ...args }, { em }) => {
        const page = readPage(args);
        let query = readRows(em).selectFrom('dns_zone').selectAll();
        if (filter?.nameContains != null) {
          const text = readText(filter.nameContains, 'filter.nameContains').toLowerCase();
          query = query.where(sql<boolean>`position(${text}::text in name) > 0`);
        }
        if (filter?.failed != null) query = query.where(filter.failed ? FAILED : sql<boolean>`not ${FAILED}`);
        return keysetConnection(await keysetPage(query, 'dns_zone', BY_ID, page).execute(), BY_ID, page);
      },
    },
    DnsZoneConnection,
  ),
}));
