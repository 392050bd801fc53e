import { withIdempotencyKey } from '../../database/idempotency.ts';
import { addRecords, findAdded } from '../../dns/add-records.ts';
import { deleteRecord, updateRecord } from '../../dns/change-record.ts';
import { conflict, Fault } from '../../lib/faults.ts';
import { readGlobalId, toGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { DnsRecordTypeEnum } from '../enums.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { auditedBy } from '../log/audit.ts';
import { DnsRecordRef, DnsZoneRef } from '../refs.ts';
import { RECORD_FIELDS } from './dns-record.ts';
import { DnsZoneByInput, EXPECTED_ZONE_VERSION, readChosenZone } from './dns-zone.ts';

const NAME =
  'The name, absolute or relative to the zone. A name that does not end with the zone name is relative; `@` is the zone itself, `*` the wildcard.';
const TARGET = 'A target of one label, such as `mail`, is relative to the zone; one with a dot is absolute.';

const DnsRecordInput = builder.inputType('DnsRecordInput', {
  description: 'A record to add. Each type requires its own fields and accepts no others.',
  fields: (t) => ({
    name: t.string({ required: true, description: NAME }),
    type: t.field({ type: DnsRecordTypeEnum, required: true, description: 'The record type.' }),
    ttl: t.int({ description: `${RECORD_FIELDS.ttl} By default, the TTL of the other records of its name and type.` }),
    value: t.string({ description: `${RECORD_FIELDS.value} ${TARGET}` }),
    valueBase64: t.string({ description: `${RECORD_FIELDS.valueBase64} Use instead of \`value\`.` }),
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
    description: 'The records to add, and their zone.',
    inputFields: (t) => ({
      zone: t.field({ type: DnsZoneByInput, required: true, description: 'The zone.' }),
      records: t.field({ type: [DnsRecordInput], required: true, description: 'The records, 1 to 1000.' }),
      expectedVersion: t.int(EXPECTED_ZONE_VERSION),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description:
      'Adds records to a zone: either all, or none if one is invalid or conflicts with another. Servers get them with the next push.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => ({
      zoneId: await withIdempotencyKey(context, 'addDnsRecords', input, (em) =>
        addRecords(em, auditedBy(context), { ...input, zone: readChosenZone(input) }),
      ),
      records: input.records,
    }),
  },
  {
    description: 'The records that were added.',
    outputFields: (t) => ({
      dnsZone: t.field({
        type: DnsZoneRef,
        nullable: true,
        description: 'The current state of the zone.',
        resolve: ({ zoneId }) => zoneId,
      }),
      dnsRecords: t.field({
        type: [DnsRecordRef],
        description: 'The records, in the order given; for a repeated call, those that still exist.',
        resolve: ({ zoneId, records }, _args, { em }) => findAdded(em, zoneId, records),
      }),
    }),
  },
);

builder.relayMutationField(
  'updateDnsRecord',
  {
    description: 'Changes to a record. A field left out keeps its value; the type cannot be changed.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The record.' }),
      name: t.string({ description: NAME }),
      ttl: t.int({ description: `${RECORD_FIELDS.ttl} A change applies to all of them.` }),
      value: t.string({ description: `${RECORD_FIELDS.value} ${TARGET}` }),
      valueBase64: t.string({ description: `${RECORD_FIELDS.valueBase64} Use instead of \`value\`.` }),
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
      recordId: await withIdempotencyKey(context, 'updateDnsRecord', input, (em) => {
        const { idempotencyKey: _, ...change } = input;
        const id = readGlobalId('DnsRecord', input.id, 'id');
        return clashesAtInput(() => updateRecord(em, auditedBy(context), { ...change, id }));
      }),
    }),
  },
  {
    description: 'The record after the change.',
    outputFields: (t) => ({
      dnsRecord: t.field({
        type: DnsRecordRef,
        nullable: true,
        description: 'The current state of the record.',
        resolve: ({ recordId }) => recordId,
      }),
    }),
  },
);

/** A record that is there already is a CONFLICT of all that was given: its field is `input` itself. */
async function clashesAtInput<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const isWhole = error instanceof Fault && error.code === 'CONFLICT' && error.field.length === 0;
    throw isWhole ? conflict(error.reason, 'input') : error;
  }
}

builder.relayMutationField(
  'deleteDnsRecord',
  {
    description: 'The record to delete.',
    inputFields: (t) => ({
      id: t.id({ required: true, description: 'The record.' }),
      expectedVersion: t.int(EXPECTED_ZONE_VERSION),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Deletes a record. The next push removes it from the servers.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => ({
      recordId: await withIdempotencyKey(context, 'deleteDnsRecord', input, (em) =>
        deleteRecord(em, auditedBy(context), { ...input, id: readGlobalId('DnsRecord', input.id, 'id') }),
      ),
    }),
  },
  {
    description: 'The record that was deleted.',
    outputFields: (t) => ({
      deletedId: t.id({
        description: 'The id of the deleted record.',
        resolve: ({ recordId }) => toGlobalId('DnsRecord', recordId),
      }),
    }),
  },
);
