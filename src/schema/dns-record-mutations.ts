import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { withIdempotencyKey } from '../database/idempotency.ts';
import { readRows } from '../database/rows.ts';
import { countChange, EXPECTED_ZONE_VERSION, lockZone } from '../dns/lock-zone.ts';
import { addRecords, findRecordIds, type GivenRecord, readRecord, updateRecord } from '../dns/records.ts';
import type { ZoneRecord } from '../dns/zone-rules.ts';
import { notFound } from '../lib/faults.ts';
import { readGlobalId, toGlobalId } from '../lib/global-id.ts';
import { readList } from '../lib/input.ts';
import { audit } from './audit.ts';
import { builder } from './builder.ts';
import { RECORD_FIELDS } from './dns-record.ts';
import { DnsZoneByInput } from './dns-zone.ts';
import { DnsRecordTypeEnum } from './enums.ts';
import { IDEMPOTENCY_KEY } from './idempotency-key.ts';
import { DnsRecordRef, type DnsRecordRow, DnsZoneRef, type DnsZoneRow } from './refs.ts';

const MAX_ADDED = 1_000;
const MAX_SHOWN = 300;

const NAME =
  'Its name: whole, or relative to the zone; `@` is the zone itself, `*` the wildcard. A name that does not end with that of the zone is relative.';
const TARGET = 'A target of one label, such as `mail`, is relative to the zone; one with a dot is whole.';

const DnsRecordInput = builder.inputType('DnsRecordInput', {
  description: 'A new record. Each type takes the fields that it has, and needs them.',
  fields: (t) => ({
    name: t.string({ required: true, description: NAME }),
    type: t.field({ type: DnsRecordTypeEnum, required: true, description: 'What it says.' }),
    ttl: t.int({ description: `${RECORD_FIELDS.ttl} Left out it is that of the others of its name and type.` }),
    value: t.string({ description: `${RECORD_FIELDS.value} ${TARGET}` }),
    valueBase64: t.string({ description: `${RECORD_FIELDS.valueBase64} Instead of \`value\`.` }),
    priority: t.int({ description: RECORD_FIELDS.priority }),
    weight: t.int({ description: RECORD_FIELDS.weight }),
    port: t.int({ description: RECORD_FIELDS.port }),
    flags: t.int({ description: RECORD_FIELDS.flags }),
    tag: t.string({ description: RECORD_FIELDS.tag }),
  }),
});

builder.relayMutationField(
  'addDnsRecords',
  {
    description: 'Records to add to a zone.',
    inputFields: (t) => ({
      zone: t.field({ type: DnsZoneByInput, required: true, description: 'Which zone.' }),
      records: t.field({ type: [DnsRecordInput], required: true, description: 'The records, 1 to 1000.' }),
      expectedVersion: t.int(EXPECTED_ZONE_VERSION),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description:
      'Adds records to a zone: all of them, or none where one is at fault or cannot be beside the others. Servers get them with the next push.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => {
      const zoneId = await withIdempotencyKey(context, 'addDnsRecords', input, async (em) => {
        const zone = await lockZone(em, input.zone, input.expectedVersion);
        const added = await addRecords(em, zone, readRecords(input.records, zone.name), 'input.records');
        await countChange(em, zone.id);
        const entries = added.map((record) => ({
          action: 'addDnsRecords',
          target: zone.name,
          change: shortOf(record),
        }));
        await audit(em, context, ...entries);
        return zone.id;
      });
      return { zoneId, records: input.records };
    },
  },
  {
    description: 'What was added.',
    outputFields: (t) => ({
      dnsZone: t.field({
        type: DnsZoneRef,
        nullable: true,
        description: 'The zone, as it is now.',
        resolve: ({ zoneId }) => zoneId,
      }),
      dnsRecords: t.field({
        type: [DnsRecordRef],
        description: 'The records, in the order given; of a call that is repeated those that are still there.',
        resolve: async ({ zoneId, records }, _args, { em }) => {
          const zone = await readRows(em)
            .selectFrom('dns_zone')
            .select('name')
            .where('id', '=', zoneId)
            .executeTakeFirst();
          return zone === undefined ? [] : findRecordIds(em, zoneId, readRecords(records, zone.name));
        },
      }),
    }),
  },
);

function readRecords(records: readonly GivenRecord[], zone: string) {
  const path = 'input.records';
  return readList(records, path, { least: 1, most: MAX_ADDED }).map((record, index) =>
    readRecord(record, zone, `${path}.${index}`),
  );
}

builder.relayMutationField(
  'updateDnsRecord',
  {
    description: 'Changes of a record. A field left out stays as it is; the type cannot be changed.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The record.' }),
      name: t.string({ description: NAME }),
      ttl: t.int({ description: `${RECORD_FIELDS.ttl} It is changed for all of them.` }),
      value: t.string({ description: `${RECORD_FIELDS.value} ${TARGET}` }),
      valueBase64: t.string({ description: `${RECORD_FIELDS.valueBase64} Instead of \`value\`.` }),
      priority: t.int({ description: RECORD_FIELDS.priority }),
      weight: t.int({ description: RECORD_FIELDS.weight }),
      port: t.int({ description: RECORD_FIELDS.port }),
      flags: t.int({ description: RECORD_FIELDS.flags }),
      tag: t.string({ description: RECORD_FIELDS.tag }),
      expectedVersion: t.int(EXPECTED_ZONE_VERSION),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Changes a record. Servers get it with the next push.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => ({
      recordId: await withIdempotencyKey(context, 'updateDnsRecord', input, async (em) => {
        const { zone, record } = await lockRecord(em, input.id, input.expectedVersion);
        const { id: _id, expectedVersion: _version, idempotencyKey: _key, ...change } = input;
        const after = await updateRecord(em, zone, record, change);
        await countChange(em, zone.id);
        const fromTo = { from: shortOf(record), to: shortOf(after) };
        await audit(em, context, { action: 'updateDnsRecord', target: zone.name, change: fromTo });
        return record.id;
      }),
    }),
  },
  {
    description: 'The record after the change.',
    outputFields: (t) => ({
      dnsRecord: t.field({
        type: DnsRecordRef,
        nullable: true,
        description: 'The record, as it is now.',
        resolve: ({ recordId }) => recordId,
      }),
    }),
  },
);

/** A record for the record of changes: the value as a zone file has it, and of a long text its beginning. */
function shortOf({ name, type, ttl, data }: ZoneRecord): object {
  const value = data.length > MAX_SHOWN ? `${data.slice(0, MAX_SHOWN)}…` : data;
  return { name, type, ttl, value };
}

/** A record and its zone, whose row is locked. */
async function lockRecord(
  em: EntityManager,
  globalId: string,
  expectedVersion: number | null | undefined,
): Promise<{ zone: DnsZoneRow; record: DnsRecordRow }> {
  const id = readGlobalId('DnsRecord', globalId, 'input.id');
  const find = () => readRows(em).selectFrom('dns_record').selectAll().where('id', '=', id).executeTakeFirst();
  const missing = () => notFound('there is no such record', 'input.id');
  const found = await find();
  if (found === undefined) throw missing();
  const zone = await lockZone(em, { id: toGlobalId('DnsZone', found.zone_id) }, expectedVersion);
  // Another change may have come before the lock.
  const record = await find();
  if (record === undefined) throw missing();
  return { zone, record };
}

builder.relayMutationField(
  'deleteDnsRecord',
  {
    description: 'Which record to delete.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The record.' }),
      expectedVersion: t.int(EXPECTED_ZONE_VERSION),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Deletes a record. Servers lose it with the next push.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => ({
      recordId: await withIdempotencyKey(context, 'deleteDnsRecord', input, async (em) => {
        const { zone, record } = await lockRecord(em, input.id, input.expectedVersion);
        await sql`delete from dns_record where id = ${record.id}`.execute(em.getKysely());
        await countChange(em, zone.id);
        await audit(em, context, { action: 'deleteDnsRecord', target: zone.name, change: shortOf(record) });
        return record.id;
      }),
    }),
  },
  {
    description: 'What was deleted.',
    outputFields: (t) => ({
      deletedId: t.id({
        description: 'The id that the record had.',
        resolve: ({ recordId }) => toGlobalId('DnsRecord', recordId),
      }),
    }),
  },
);
