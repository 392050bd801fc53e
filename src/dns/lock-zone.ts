// What every change of a zone or of its records does first and last, in the caller's transaction.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { readRows } from '../database/rows.ts';
import { MAX_SECONDS } from '../entities/dns-zone.ts';
import { badInput, conflict, notFound } from '../lib/faults.ts';
import { type DnsZoneBy, readZoneBy } from '../schema/dns-zone.ts';
import type { DnsZoneRow } from '../schema/refs.ts';

export const EXPECTED_ZONE_VERSION = { description: 'Refuse with CONFLICT unless the zone has this `version`.' };

/**
 * The zone, its row locked until the transaction ends: changes of one zone follow each other, so that each sees all
 * records which its own have to fit. NOT_FOUND and CONFLICT are at `input.zone` and `input.expectedVersion`.
 */
export async function lockZone(
  em: EntityManager,
  by: DnsZoneBy,
  expectedVersion: number | null | undefined,
): Promise<DnsZoneRow> {
  const { column, value } = readZoneBy(by, 'input.zone');
  const rows = readRows(em);
  const zone = await rows.selectFrom('dns_zone').selectAll().where(column, '=', value).forUpdate().executeTakeFirst();
  if (zone === undefined) throw notFound(`there is no zone ${value}`, 'input.zone');
  if (expectedVersion != null && expectedVersion !== zone.version) {
    throw conflict(
      `the zone has version ${zone.version}, not ${expectedVersion}: somebody changed it`,
      'input.expectedVersion',
    );
  }
  return zone;
}

export async function countChange(em: EntityManager, zoneId: number): Promise<void> {
  await sql`update dns_zone set version = version + 1, updated_at = now() where id = ${zoneId}`.execute(em.getKysely());
}

export async function countRecords(em: EntityManager, { id }: DnsZoneRow): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from dns_record where zone_id = ${id}
  `.execute(em.getKysely());
  return rows[0]?.count ?? 0;
}

export function readSeconds(value: number, path: string): number {
  if (value >= 0) return value;
  throw badInput(path, `it is ${value}; accepted are 0 to ${MAX_SECONDS} seconds`);
}
