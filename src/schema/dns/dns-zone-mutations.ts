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
  description: 'What the SOA record of a zone says beside the serial.',
  fields: (t) => ({
    primaryServer: t.string({ description: `${SOA_FIELDS.primaryServer} A new zone must have one.` }),
    contact: t.string({ description: `${SOA_FIELDS.contact} A new zone must have one.` }),
    refresh: t.int({ description: `${SOA_FIELDS.refresh} ${ZONE_DEFAULTS.refresh} unless given.` }),
    retry: t.int({ description: `${SOA_FIELDS.retry} ${ZONE_DEFAULTS.retry} unless given.` }),
    expire: t.int({ description: `${SOA_FIELDS.expire} ${ZONE_DEFAULTS.expire} unless given.` }),
    minimum: t.int({ description: `${SOA_FIELDS.minimum} ${ZONE_DEFAULTS.minimum} unless given.` }),
  }),
});

const zoneOf = {
  type: DnsZoneRef,
  nullable: true,
  description: 'The zone, as it is now.',
  resolve: ({ zoneId }: { zoneId: number }) => zoneId,
} as const;

const SERIAL =
  'The serial that it has reached elsewhere: the next push gives it a newer one. Not below the one that it has.';

builder.relayMutationField(
  'addDnsZone',
  {
    description: 'A new zone.',
    inputFields: (t) => ({
      name: t.string({
        required: true,
        description: 'Such as `example.com` or `2.0.192.in-addr.arpa`; names beyond ASCII become their A-labels.',
      }),
      soa: t.field({ type: DnsSoaInput, required: true, description: 'What its SOA record says.' }),
      defaultTtl: t.int({
        description: `The TTL in seconds of records that have none of their own; ${ZONE_DEFAULTS.defaultTtl} unless given.`,
      }),
      serial: t.field({ type: 'DnsSerial', description: SERIAL }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Adds a zone without records. It can be pushed once it has NS records at its own name.',
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
    description: 'Changes of a zone. A field left out stays as it is; the name cannot be changed.',
    inputFields: (t) => ({
      zone: t.field({ type: DnsZoneByInput, required: true, description: 'Which zone.' }),
      soa: t.field({ type: DnsSoaInput, description: 'What its SOA record says; fields left out stay.' }),
      defaultTtl: t.int({ description: 'The TTL in seconds of records that have none of their own.' }),
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
    description: 'Which zone to delete.',
    inputFields: (t) => ({
      zone: t.field({ type: DnsZoneByInput, required: true, description: 'Which zone.' }),
      expectedVersion: t.int(EXPECTED_ZONE_VERSION),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Deletes a zone and its records. The next push of all zones takes it off the servers.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => ({
      zoneId: await withIdempotencyKey(context, 'deleteDnsZone', input, (em) =>
        deleteZone(em, auditedBy(context), { ...input, zone: readChosenZone(input) }),
      ),
    }),
  },
  {
    description: 'What was deleted.',
    outputFields: (t) => ({
      deletedId: t.id({
        description: 'The id that the zone had.',
        resolve: ({ zoneId }) => toGlobalId('DnsZone', zoneId),
      }),
    }),
  },
);
