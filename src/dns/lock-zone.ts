// The first and last step of every change of a zone or of its records, in the caller's transaction.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { readRows } from '../database/rows.ts';
import { conflict, faultsWithinSync, notFound } from '../lib/faults.ts';
import { type ZoneBy, type ZoneRow, zoneKey } from './find-zone.ts';

/** The zone to change, and optionally its expected version. */
export interface ZoneChoice {
  zone: ZoneBy;
  expectedVersion?: number | null | undefined;
}

/**
 * The zone, its row locked until the transaction ends: changes of one zone follow each other, so that each sees all
 * records which its own have to fit. NOT_FOUND and CONFLICT are at `zone` and `expectedVersion`.
 */
export async function lockZone(em: EntityManager, { zone: by, expectedVersion }: ZoneChoice): Promise<ZoneRow> {
  const { column, value } = faultsWithinSync('zone', () => zoneKey(by));
  const rows = readRows(em);
  const zone = await rows.selectFrom('dns_zone').selectAll().where(column, '=', value).forUpdate().executeTakeFirst();
  if (zone === undefined) throw notFound(`there is no zone ${value}`, 'zone');
  if (expectedVersion != null && expectedVersion !== zone.version) {
    throw conflict(
      `the zone has version ${zone.version}, not ${expectedVersion}: it was changed in the meantime`,
      'expectedVersion',
    );
  }
  return zone;
}

export async function countChange(em: EntityManager, zoneId: number): Promise<void> {
  await sql`update dns_zone set version = version + 1, updated_at = now() where id = ${zoneId}`.execute(em.getKysely());
}

export async function countRecords(em: EntityManager, { id }: ZoneRow): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from dns_record where zone_id = ${id}
  `.execute(em.getKysely());
  return rows[0]?.count ?? 0;
}
