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
  contact: 'The mailbox of whoever is responsible, such as `hostmaster@example.com`.',
  refresh: 'Seconds after which secondary servers ask for a newer serial.',
  retry: 'Seconds after which they ask again where that failed.',
  expire: 'Seconds after which they no longer answer from a zone that they could not refresh.',
  minimum: 'Seconds that it may be remembered that a name does not exist.',
};

const DnsSoaRef = builder.objectRef<DnsZoneRow>('DnsSoa').implement({
  description: 'What the SOA record of a zone says beside the serial.',
  fields: (t) => ({
    primaryServer: t.exposeString('primary_server', { description: SOA_FIELDS.primaryServer }),
    contact: t.exposeString('contact', { description: SOA_FIELDS.contact }),
    refresh: t.exposeInt('refresh', { description: SOA_FIELDS.refresh }),
    retry: t.exposeInt('retry', { description: SOA_FIELDS.retry }),
    expire: t.exposeInt('expire', { description: SOA_FIELDS.expire }),
    minimum: t.exposeInt('minimum', { description: SOA_FIELDS.minimum }),
  }),
});

/** A page of zones with their texts is a page of large files: so many zones in one operation, not more. */
const WHOLE_ZONE_COST = 2_000;

DnsZoneRef.implement({
  description: 'A DNS zone. Pushes by the task class `\\scheduler\\Tasks\\DNSPushTask` bring it to every server.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Unique among all types.', resolve: ({ id }) => toGlobalId('DnsZone', id) }),
    name: t.exposeString('name', { description: 'In lower case, without a dot at its end.' }),
    soa: t.field({ type: DnsSoaRef, description: 'What its SOA record says.', resolve: (zone) => zone }),
    defaultTtl: t.exposeInt('default_ttl', {
      description: 'The TTL in seconds of records that have none of their own.',
    }),
    serial: t.expose('serial', {
      type: 'DnsSerial',
      nullable: true,
      description: 'Of the content that was pushed last; null before the first push.',
    }),
    faults: t.loadableList({
      type: 'String',
      description: 'What keeps it from being pushed; empty where nothing does.',
      complexity: WHOLE_ZONE_COST,
      load: (ids: number[], { em }) => findFaultsOfZones(em, ids),
      loaderOptions: { cache: false },
      resolve: ({ id }) => id,
    }),
    zoneFile: t.loadable({
      type: 'String',
      description: 'The text of the file that a push would write now.',
      complexity: WHOLE_ZONE_COST,
      load: (ids: number[], { em }) => renderZoneFiles(em, ids),
      loaderOptions: { cache: false },
      resolve: ({ id }) => id,
    }),
    servers: t.loadableGroup({
      type: DnsServerZoneRef,
      description: 'The servers that it was pushed to, and what each of them answers.',
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
      description: 'Counts the changes of the zone and of its records; give it back as `expectedVersion`.',
    }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When it was added.' }),
    updatedAt: t.expose('updated_at', { type: 'DateTime', description: 'When it or a record of it was changed last.' }),
  }),
});

export const EXPECTED_ZONE_VERSION = { description: 'Refuse with CONFLICT unless the zone has this `version`.' };

export const DnsZoneByInput = builder.inputType('DnsZoneBy', {
  description: 'Which zone, by its id or its name.',
  isOneOf: true,
  fields: (t) => ({
    id: t.id({ description: 'Its id.' }),
    name: t.string({ description: 'Its name, with or without a dot at its end.' }),
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
  description: 'Which zones: those that meet every condition given.',
  fields: (t) => ({
    nameContains: t.string({ description: 'With this text in the name.' }),
    failed: t.boolean({ description: 'true for those whose last push to some server failed, false for the others.' }),
  }),
});

const BY_ID: Ordering = { field: 'ID', direction: 'ASC', by: null };

const DnsZoneConnection = builder.connectionObject(
  { type: DnsZoneRef, name: 'DnsZoneConnection', description: 'A page of zones.' },
  { name: 'DnsZoneEdge', description: 'A zone of a page.' },
);

const FAILED = sql<boolean>`exists (
  select from dns_server_zone where dns_server_zone.zone_id = dns_zone.id and dns_server_zone.error is not null
)`;

builder.queryFields((t) => ({
  dnsZone: t.field({
    type: DnsZoneRef,
    nullable: true,
    description: 'A zone by its id or name; null when there is none.',
    args: { by: t.arg({ type: DnsZoneByInput, required: true, description: 'Which one.' }) },
    resolve: (_root, { by }, { em }) => faultsWithin('by', async () => findZone(em, readZoneBy(by))),
  }),
  dnsZones: t.connection(
    {
      type: DnsZoneRef,
      description: 'DNS zones, in the order in which they were added.',
      args: { filter: t.arg({ type: DnsZoneFilter, description: 'Which ones; every one unless given.' }) },
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
