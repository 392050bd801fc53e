import { type SelectQueryBuilder, sql } from 'kysely';
import { type ReadTables, readRows } from '../../database/rows.ts';
import { normalName } from '../../dns/names.ts';
import { fromData, type RecordFields } from '../../dns/record-data.ts';
import { toGlobalId } from '../../lib/global-id.ts';
import { readText } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import { connectionComplexity } from '../complexity.ts';
import { DnsRecordTypeEnum } from '../enums.ts';
import { DnsRecordRef, type DnsRecordRow, DnsZoneRef } from '../refs.ts';
import { type Page, readPage } from '../relay/connection.ts';
import { keysetConnection, keysetPage, type Ordering } from '../relay/keyset.ts';
import { pagesOfParents } from '../relay/lateral.ts';

export const RECORD_FIELDS = {
  ttl: 'TTL in seconds; null means the default of the zone. All records of the same name and type share one TTL.',
  value: 'The address, target name or text.',
  valueBase64: 'The bytes of a TXT record, in base64.',
  priority: 'Priority of an MX or SRV record, 0 to 65535; the lowest is tried first.',
  weight: 'Weight of an SRV record, 0 to 65535: its share among records of the same priority.',
  port: 'Port of an SRV record, 0 to 65535.',
  flags: 'Flags of a CAA record, 0 to 255; 128 means critical.',
  tag: 'Tag of a CAA record, such as `issue`, `issuewild` or `iodef`.',
};

const fieldsOf = ({ type, data }: DnsRecordRow): RecordFields => fromData(type, data);

DnsRecordRef.implement({
  description: 'A DNS record of a zone. Fields that its type does not have are null.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({ description: 'Global id, unique across all types.', resolve: ({ id }) => toGlobalId('DnsRecord', id) }),
    zone: t.field({ type: DnsZoneRef, description: 'The zone of the record.', resolve: ({ zone_id }) => zone_id }),
    name: t.exposeString('name', { description: 'The absolute name, in lower case, without a trailing dot.' }),
    type: t.expose('type', { type: DnsRecordTypeEnum, description: 'The record type.' }),
    ttl: t.exposeInt('ttl', { nullable: true, description: RECORD_FIELDS.ttl }),
    value: t.string({
      description: `${RECORD_FIELDS.value} Names are absolute, without a trailing dot; \`.\` means none. Bytes that are not valid UTF-8 appear as U+FFFD.`,
      resolve: (record) => fieldsOf(record).value ?? '',
    }),
    valueBase64: t.string({
      nullable: true,
      description: RECORD_FIELDS.valueBase64,
      resolve: (record) => fieldsOf(record).valueBase64,
    }),
    priority: t.int({
      nullable: true,
      description: RECORD_FIELDS.priority,
      resolve: (record) => fieldsOf(record).priority,
    }),
    weight: t.int({ nullable: true, description: RECORD_FIELDS.weight, resolve: (record) => fieldsOf(record).weight }),
    port: t.int({ nullable: true, description: RECORD_FIELDS.port, resolve: (record) => fieldsOf(record).port }),
    flags: t.int({ nullable: true, description: RECORD_FIELDS.flags, resolve: (record) => fieldsOf(record).flags }),
    tag: t.string({ nullable: true, description: RECORD_FIELDS.tag, resolve: (record) => fieldsOf(record).tag }),
    data: t.exposeString('data', { description: 'The record data, as a zone file has it after the type.' }),
    createdAt: t.expose('created_at', { type: 'DateTime', description: 'When the record was added.' }),
  }),
});

const DnsRecordFilter = builder.inputType('DnsRecordFilter', {
  description: 'Selects the records that match every given condition.',
  fields: (t) => ({
    name: t.string({ description: 'Records with this absolute name, such as `www.example.com`.' }),
    type: t.field({ type: DnsRecordTypeEnum, description: 'Records of this type.' }),
  }),
});

const DnsRecordConnection = builder.connectionObject(
  { type: DnsRecordRef, name: 'DnsRecordConnection', description: 'A page of records.' },
  { name: 'DnsRecordEdge', description: 'A record in a page.' },
);

const BY_ID: Ordering = { field: 'ID', direction: 'ASC', by: null };

type RecordQuery<Output> = SelectQueryBuilder<ReadTables, 'dns_record', Output>;

function pageQuery<Output>(
  query: RecordQuery<Output>,
  filter: typeof DnsRecordFilter.$inferInput | null | undefined,
  page: Page,
): RecordQuery<Output> {
  let found = query;
  if (filter?.name != null) {
    found = found.where('dns_record.name', '=', normalName(readText(filter.name, 'filter.name', { most: 1_000 })));
  }
  if (filter?.type != null) found = found.where('dns_record.type', '=', filter.type);
  return keysetPage(found, 'dns_record', BY_ID, page);
}

builder.objectField(DnsZoneRef, 'records', (t) =>
  t.loadable({
    type: DnsRecordConnection,
    description: 'The records of the zone except the SOA, in the order in which they were added.',
    complexity: connectionComplexity,
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: DnsRecordFilter, description: 'The filter; all by default.' }),
    },
    byPath: true,
    load: async (zoneIds: number[], { em }, { filter, ...args }) => {
      const page = readPage(args);
      const records = readRows(em).selectFrom('dns_record').selectAll();
      const pages = await pagesOfParents(
        em,
        zoneIds,
        (zoneId) => pageQuery(records.where(sql<boolean>`dns_record.zone_id = ${zoneId}`), filter, page),
        { parent: 'zone_id', order: 'id', ascending: !page.backward },
      );
      return pages.map((rows) => keysetConnection(rows, BY_ID, page));
    },
    loaderOptions: { cache: false },
    resolve: ({ id }) => id,
  }),
);
