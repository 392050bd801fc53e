import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { differences } from '../credentials/audit.ts';
import { withIdempotencyKey } from '../database/idempotency.ts';
import { readTarget, readZoneName, shown } from '../dns/names.ts';
import { isNewerSerial } from '../dns/serial.ts';
import { badInput, conflict } from '../lib/faults.ts';
import { toGlobalId } from '../lib/global-id.ts';
import { audit } from './audit.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { DnsZoneByInput, SOA_FIELDS } from './dns-zone.ts';
import { countChange, countRecords, EXPECTED_ZONE_VERSION, lockZone, readSeconds } from './dns-zone-changes.ts';
import { IDEMPOTENCY_KEY } from './idempotency-key.ts';
import { DnsZoneRef, type DnsZoneRow } from './refs.ts';

const DEFAULTS = { refresh: 7_200, retry: 3_600, expire: 1_209_600, minimum: 300, defaultTtl: 3_600 };

const DnsSoaInput = builder.inputType('DnsSoaInput', {
  description: 'What the SOA record of a zone says beside the serial.',
  fields: (t) => ({
    primaryServer: t.string({ description: `${SOA_FIELDS.primaryServer} A new zone must have one.` }),
    contact: t.string({ description: `${SOA_FIELDS.contact} A new zone must have one.` }),
    refresh: t.int({ description: `${SOA_FIELDS.refresh} ${DEFAULTS.refresh} unless given.` }),
    retry: t.int({ description: `${SOA_FIELDS.retry} ${DEFAULTS.retry} unless given.` }),
    expire: t.int({ description: `${SOA_FIELDS.expire} ${DEFAULTS.expire} unless given.` }),
    minimum: t.int({ description: `${SOA_FIELDS.minimum} ${DEFAULTS.minimum} unless given.` }),
  }),
});

interface ZoneInput {
  soa?: typeof DnsSoaInput.$inferInput | null | undefined;
  defaultTtl?: number | null | undefined;
  serial?: number | null | undefined;
}

/** The columns that an input gives; those left out are missing. */
interface ZoneColumns {
  primary_server?: string;
  contact?: string;
  refresh?: number;
  retry?: number;
  expire?: number;
  minimum?: number;
  default_ttl?: number;
  serial?: number;
}

function readColumns({ soa, defaultTtl, serial }: ZoneInput, zone: string): ZoneColumns {
  const columns: ZoneColumns = {};
  if (soa?.primaryServer != null) {
    columns.primary_server = readTarget(soa.primaryServer, zone, 'input.soa.primaryServer', { host: true });
  }
  if (soa?.contact != null) columns.contact = readMailbox(soa.contact, 'input.soa.contact');
  for (const field of ['refresh', 'retry', 'expire', 'minimum'] as const) {
    const value = soa?.[field];
    if (value != null) columns[field] = readSeconds(value, `input.soa.${field}`);
  }
  if (defaultTtl != null) columns.default_ttl = readSeconds(defaultTtl, 'input.defaultTtl');
  if (serial != null) columns.serial = serial;
  return columns;
}

/** The columns under the names that the API has for them, for the record of changes. */
function asFields(columns: ZoneColumns | DnsZoneRow): Record<string, unknown> {
  const fields = [
    ['primaryServer', columns.primary_server],
    ['contact', columns.contact],
    ['refresh', columns.refresh],
    ['retry', columns.retry],
    ['expire', columns.expire],
    ['minimum', columns.minimum],
    ['defaultTtl', columns.default_ttl],
    ['serial', columns.serial],
  ] as const;
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

function readMailbox(text: string, path: string): string {
  const [, local = '', host = ''] = /^([a-z0-9_+-][a-z0-9._+-]{0,62})@(.+)$/i.exec(text) ?? [];
  if (host === '' || !host.includes('.')) {
    throw badInput(path, `${shown(text)} is no mailbox; accepted is one such as hostmaster@example.com`);
  }
  return `${local.toLowerCase()}@${readTarget(host, '', path, { host: true })}`;
}

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
        description: `The TTL in seconds of records that have none of their own; ${DEFAULTS.defaultTtl} unless given.`,
      }),
      serial: t.field({ type: 'DnsSerial', description: SERIAL }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  },
  {
    description: 'Adds a zone without records. It can be pushed once it has NS records at its own name.',
    authScopes: { operator: true },
    resolve: async (_root, { input }, context) => ({
      zoneId: await withIdempotencyKey(context, 'addDnsZone', input, (em) => addZone(em, context, input.name, input)),
    }),
  },
  { description: 'The zone that was added.', outputFields: (t) => ({ dnsZone: t.field(zoneOf) }) },
);

async function addZone(em: EntityManager, context: Context, givenName: string, input: ZoneInput): Promise<number> {
  const name = readZoneName(givenName, 'input.name');
  const given = readColumns(input, name);
  const { primary_server, contact, serial } = given;
  if (primary_server === undefined) throw badInput('input.soa.primaryServer', 'it is missing; accepted is a host name');
  if (contact === undefined) throw badInput('input.soa.contact', 'it is missing; accepted is a mailbox');
  const columns = { ...DEFAULTS, default_ttl: DEFAULTS.defaultTtl, ...given };
  const { refresh, retry, expire, minimum, default_ttl } = columns;
  const { rows } = await sql<{ id: number }>`
    insert into dns_zone (name, primary_server, contact, refresh, retry, expire, minimum, default_ttl, serial)
    values (${name}, ${primary_server}, ${contact}, ${refresh}, ${retry}, ${expire}, ${minimum}, ${default_ttl},
      ${serial ?? null}::bigint)
    on conflict (name) do nothing returning id
  `.execute(em.getKysely());
  const [row] = rows;
  if (row === undefined) throw conflict(`there is a zone ${name} already`, 'input.name');
  await audit(em, context, { action: 'addDnsZone', target: name, change: asFields(columns) });
  return row.id;
}

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
      zoneId: await withIdempotencyKey(context, 'updateDnsZone', input, async (em) => {
        const zone = await lockZone(em, input.zone, input.expectedVersion);
        const columns = readColumns(input, zone.name);
        if (columns.serial !== undefined) refuseOlder(columns.serial, zone.serial);
        await updateZone(em, zone.id, columns);
        const change = differences(asFields(zone), asFields(columns));
        await audit(em, context, { action: 'updateDnsZone', target: zone.name, change });
        return zone.id;
      }),
    }),
  },
  { description: 'The zone after the change.', outputFields: (t) => ({ dnsZone: t.field(zoneOf) }) },
);

function refuseOlder(serial: number, present: number | null): void {
  if (present === null || serial === present || isNewerSerial(serial, present)) return;
  throw badInput(
    'input.serial',
    `it is ${serial}; accepted is ${present}, which the zone has, or one newer by RFC 1982`,
  );
}

async function updateZone(em: EntityManager, id: number, columns: ZoneColumns): Promise<void> {
  const changes = {
    ...columns,
    // What the serial stands for is elsewhere, so the next push must give another.
    ...(columns.serial === undefined ? {} : { content_hash: null }),
  };
  const assignments = Object.entries(changes).map(([column, value]) => sql`${sql.ref(column)} = ${value}`);
  if (assignments.length > 0) {
    await sql`update dns_zone set ${sql.join(assignments)} where id = ${id}`.execute(em.getKysely());
  }
  await countChange(em, id);
}

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
      zoneId: await withIdempotencyKey(context, 'deleteDnsZone', input, async (em) => {
        const zone = await lockZone(em, input.zone, input.expectedVersion);
        const records = await countRecords(em, zone);
        await sql`delete from dns_zone where id = ${zone.id}`.execute(em.getKysely());
        await audit(em, context, { action: 'deleteDnsZone', target: zone.name, change: { records } });
        return zone.id;
      }),
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
