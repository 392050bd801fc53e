// The serial of a zone's content: each pushed content has its own.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { readRows } from '../database/rows.ts';
import type { ZoneRow } from './find-zone.ts';
import { nextSerial } from './serial.ts';
import { renderContent, renderZoneFile } from './zone-file.ts';
import type { RenderedZone } from './zone-folder.ts';
import { findZoneFaults, type ZoneRecord } from './zone-rules.ts';

/** The zone file that a push would write with these records. `day` is today in UTC, `YYYY-MM-DD`. */
export function renderZone(zone: ZoneRow, records: readonly ZoneRecord[], day: string) {
  const content = renderContent(zone, records);
  const changed = zone.serial === null || content.hash !== zone.content_hash;
  const serial = changed ? nextSerial(zone.serial, day) : (zone.serial ?? 0);
  return { changed, serial, hash: content.hash, text: renderZoneFile(content, serial) };
}

export async function today(em: EntityManager): Promise<string> {
  const { rows } = await sql<{ day: string }>`select to_char(now() at time zone 'UTC', 'YYYY-MM-DD') as day`.execute(
    em.getKysely(),
  );
  const [row] = rows;
  if (row === undefined) throw new Error('the database told no time');
  return row.day;
}

/** A zone that is ready to be pushed, or what keeps it from that; `changed` where it has a new serial. */
export type NumberedZone = { name: string; faults: string[] } & (
  | { zone: RenderedZone; changed: boolean }
  | { zone: null; changed: false }
);

/**
 * The zone with the serial of its content: the last one, or a new one where the content is another than the last one's.
 * Works in the caller's transaction under the zone's row lock, which every change of the zone or its records takes too:
 * two pushes at once agree on one serial, and a serial stands for one content. Null for a zone that there is not.
 */
export async function assignSerial(em: EntityManager, id: number): Promise<NumberedZone | null> {
  const rows = readRows(em);
  const row = await rows.selectFrom('dns_zone').selectAll().where('id', '=', id).forNoKeyUpdate().executeTakeFirst();
  if (row === undefined) return null;
  const records = await rows.selectFrom('dns_record').selectAll().where('zone_id', '=', id).execute();
  const faults = findZoneFaults(row.name, records);
  if (faults.length > 0) return { name: row.name, faults, zone: null, changed: false };
  const { changed, serial, hash, text } = renderZone(row, records, await today(em));
  if (changed) {
    await sql`update dns_zone set serial = ${serial}::bigint, content_hash = ${hash} where id = ${id}`.execute(
      em.getKysely(),
    );
  }
  return { name: row.name, faults, zone: { id, name: row.name, serial, text }, changed };
}
