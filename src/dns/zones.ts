// Zones are added, changed and deleted, each in the caller's transaction and with an entry in the record of changes.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { type AuditedBy, differences, recordAudit } from '../credentials/audit.ts';
import { badInput, conflict } from '../lib/faults.ts';
import { countChange, countRecords, lockZone, type ZoneChoice } from './lock-zone.ts';
import { readZoneName } from './names.ts';
import { isNewerSerial } from './serial.ts';
import { asFields, readColumns, ZONE_DEFAULTS, type ZoneColumns, type ZoneFields } from './zone-fields.ts';

/** `soa.primaryServer` and `soa.contact` are needed; what else is left out has its default. */
interface NewZone extends ZoneFields {
  name: string;
}

/** Fields left out stay as they are. */
interface ZoneChange extends ZoneChoice, ZoneFields {}

/** Adds a zone without records; returns its id. CONFLICT at `name` where there is one of that name. */
export async function addZone(em: EntityManager, by: AuditedBy, zone: NewZone): Promise<number> {
  const name = readZoneName(zone.name);
  const given = readColumns(zone, name);
  const { primary_server, contact, serial } = given;
  if (primary_server === undefined) throw badInput('soa.primaryServer', 'is required: must be a host name');
  if (contact === undefined) throw badInput('soa.contact', 'is required: must be a mailbox');
  const columns = { ...ZONE_DEFAULTS, default_ttl: ZONE_DEFAULTS.defaultTtl, ...given };
  const { refresh, retry, expire, minimum, default_ttl } = columns;
  const { rows } = await sql<{ id: number }>`
    insert into dns_zone (name, primary_server, contact, refresh, retry, expire, minimum, default_ttl, serial)
    values (${name}, ${primary_server}, ${contact}, ${refresh}, ${retry}, ${expire}, ${minimum}, ${default_ttl},
      ${serial ?? null}::bigint)
    on conflict (name) do nothing returning id
  `.execute(em.getKysely());
  const [row] = rows;
  if (row === undefined) throw conflict(`zone ${name} already exists`, 'name');
  await recordAudit(em, by, { action: 'addDnsZone', target: name, change: asFields(columns) });
  return row.id;
}

/** Returns the zone's id. A serial must not be below the one that the zone has. */
export async function updateZone(em: EntityManager, by: AuditedBy, change: ZoneChange): Promise<number> {
  const zone = await lockZone(em, change);
  const columns = readColumns(change, zone.name);
  if (columns.serial !== undefined) refuseOlder(columns.serial, zone.serial);
  await storeColumns(em, zone.id, columns);
  const changed = differences(asFields(zone), asFields(columns));
  await recordAudit(em, by, { action: 'updateDnsZone', target: zone.name, change: changed });
  return zone.id;
}

function refuseOlder(serial: number, present: number | null): void {
  if (present === null || serial === present || isNewerSerial(serial, present)) return;
  throw badInput('serial', `must be ${present}, the serial of the zone, or a newer one by RFC 1982, got ${serial}`);
}

async function storeColumns(em: EntityManager, id: number, columns: ZoneColumns): Promise<void> {
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

/** Deletes a zone and its records; returns the id that it had. The next push of all zones takes it off the servers. */
export async function deleteZone(em: EntityManager, by: AuditedBy, choice: ZoneChoice): Promise<number> {
  const zone = await lockZone(em, choice);
  const records = await countRecords(em, zone);
  await sql`delete from dns_zone where id = ${zone.id}`.execute(em.getKysely());
  await recordAudit(em, by, { action: 'deleteDnsZone', target: zone.name, change: { records } });
  return zone.id;
}
