// What is said of zones with all their records. Each function takes ids and answers in their order.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { readRows } from '../database/rows.ts';
import { renderZone, today } from './assign-serial.ts';
import { findZoneFaults } from './zone-rules.ts';

/** What keeps each zone from being pushed; nothing for a zone that there is not. */
export async function findFaultsOfZones(em: EntityManager, ids: readonly number[]): Promise<string[][]> {
  const zones = await loadWholeZones(em, ids);
  return zones.map((zone) => (zone === null ? [] : findZoneFaults(zone.row.name, zone.records)));
}

/** The text of the file that a push would write now for each zone; empty for a zone that there is not. */
export async function renderZoneFiles(em: EntityManager, ids: readonly number[]): Promise<string[]> {
  const [zones, day] = [await loadWholeZones(em, ids), await today(em)];
  return zones.map((zone) => (zone === null ? '' : renderZone(zone.row, zone.records, day).text));
}

async function loadWholeZones(em: EntityManager, ids: readonly number[]) {
  const rows = readRows(em);
  const among = (column: string) => sql<boolean>`${sql.ref(column)} = any(${[...ids]}::int[])`;
  const zones = await rows.selectFrom('dns_zone').selectAll().where(among('id')).execute();
  const records = await rows.selectFrom('dns_record').selectAll().where(among('zone_id')).execute();
  const recordsByZone = Map.groupBy(records, ({ zone_id }) => zone_id);
  const byId = new Map(zones.map((row) => [row.id, { row, records: recordsByZone.get(row.id) ?? [] }]));
  return ids.map((id) => byId.get(id) ?? null);
}
