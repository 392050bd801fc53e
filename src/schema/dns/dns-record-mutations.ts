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
    resolve: async (_root, { input }, context) => ({
      zoneId: await withIdempotencyKey(context, 'addDnsRecords', input, (em) =>
        addRecords(em, auditedBy(context), { ...input, zone: readChosenZone(input) }),
      ),
      records: input.records,
    }),
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
        resolve: ({ zoneId, records }, _args, { em }) => findAdded(em, zoneId, records),
      }),
    }),
  },
);

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
        description: 'The record, as it is now.',
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
      recordId: await withIdempotencyKey(context, 'deleteDnsRecord', input, (em) =>
        deleteRecord(em, auditedBy(context), { ...input, id: readGlobalId('DnsRecord', input.id, 'id') }),
      ),
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
