import { withIdempotencyKey } from '../../database/idempotency.ts';
import { ZONE_DEFAULTS } from '../../dns/zone-fields.ts';
import { addZone, deleteZone, updateZone } from '../../dns/zones.ts';
import { toGlobalId } from '../../lib/global-id.ts';
import { builder } from '../builder.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { auditedBy } from '../log/audit.ts';
import { DnsZoneRef } from '../refs.ts';
import { DnsZoneByInput, EXPECTED_ZONE_VERSION, readChosenZone, SOA_FIELDS } from './dns-zone.ts';

const DnsSoaInput = builder.inputType('DnsSoaInput', {
  description: 'The SOA fields of a zone, except the serial.',
  fields: (t) => ({
    primaryServer: t.string({ description: `${SOA_FIELDS.primaryServer} Required for a new zone.` }),
    contact: t.string({ description: `${SOA_FIELDS.contact} Required for a new zone.` }),
    refresh: t.int({ description: `${SOA_FIELDS.refresh} ${ZONE_DEFAULTS.refresh} by default.` }),
    retry: t.int({ description: `${SOA_FIELDS.retry} ${ZONE_DEFAULTS.retry} by default.` }),
    expire: t.int({ description: `${SOA_FIELDS.expire} ${ZONE_DEFAULTS.expire} by default.` }),
    minimum: t.int({ description: `${SOA_FIELDS.minimum} ${ZONE_DEFAULTS.minimum} by default.` }),
  }),
});

const zoneOf = {
  type: DnsZoneRef,
  nullable: true,
  description: 'The current state of the zone.',
  resolve: ({ zoneId }: { zoneId: number }) => zoneId,
} as const;

const SERIAL =
  'The serial that the zone has reached elsewhere; the next push uses a newer one. Must not be lower than the current serial.';

builder.relayMutationField(
  'addDnsZone',
  {
    description: 'The zone to add.',
    inputFields: (t) => ({
      name: t.string({
        required: true,
        description:
          'The name, such as `example.com` or `2.0.192.in-addr.arpa`. Non-ASCII names are converted to A-labels.',
      }),
      soa: t.field({ type: DnsSoaInput, required: true, description: 'The SOA fields.' }),
      defaultTtl: t.int({
        description: `TTL in seconds of records without their own; ${ZONE_DEFAULTS.defaultTtl} by default.`,
      }),
      serial: t.field({ type: 'DnsSerial', description: SERIAL }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Adds a zone without records. It can be pushed once it has NS records at the zone name.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => ({
      zoneId: await withIdempotencyKey(context, 'addDnsZone', input, (em) => addZone(em, auditedBy(context), input)),
    }),
  },
  { description: 'The zone that was added.', outputFields: (t) => ({ dnsZone: t.field(zoneOf) }) },
);

builder.relayMutationField(
  'updateDnsZone',
  {
    description: 'Changes to a zone. A field left out keeps its value; the name cannot be changed.',
    inputFields: (t) => ({
      zone: t.field({ type: DnsZoneByInput, required: true, description: 'The zone.' }),
      soa: t.field({ type: DnsSoaInput, description: 'The SOA fields; those left out keep their values.' }),
      defaultTtl: t.int({ description: 'TTL in seconds of records without their own.' }),
      serial: t.field({ type: 'DnsSerial', description: SERIAL }),
      expectedVersion: t.int(EXPECTED_ZONE_VERSION),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Changes a zone. Servers get it with the next push.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => ({
      zoneId: await withIdempotencyKey(context, 'updateDnsZone', input, (em) =>
        updateZone(em, auditedBy(context), { ...input, zone: readChosenZone(input) }),
      ),
    }),
  },
  { description: 'The zone after the change.', outputFields: (t) => ({ dnsZone: t.field(zoneOf) }) },
);

builder.relayMutationField(
  'deleteDnsZone',
  {
    description: 'The zone to delete.',
    inputFields: (t) => ({
      zone: t.field({ type: DnsZoneByInput, required: true, description: 'The zone.' }),
      expectedVersion: t.int(EXPECTED_ZONE_VERSION),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Deletes a zone and its records. The next push of all zones removes it from the servers.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => ({
      zoneId: await withIdempotencyKey(context, 'deleteDnsZone', input, (em) =>
        deleteZone(em, auditedBy(context), { ...input, zone: readChosenZone(input) }),
      ),
    }),
  },
  {
    description: 'The zone that was deleted.',
    outputFields: (t) => ({
      deletedId: t.id({
        description: 'The id of the deleted zone.',
        resolve: ({ zoneId }) => toGlobalId('DnsZone', zoneId),
      }),
    }),
  },
);
