// The records of a zone as they are stored, and what of them the record of changes has.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { type Row, readRows } from '../database/rows.ts';
import type { DnsRecordType } from '../entities/dns-record.ts';
import type { ZoneRecord } from './zone-rules.ts';

export type RecordRow = Row<'dns_record'>;

const MAX_SHOWN = 300;

/** The records of a zone that have one of the names. */
export function findRecords(em: EntityManager, zoneId: number, names: readonly string[]): Promise<RecordRow[]> {
  return readRows(em)
    .selectFrom('dns_record')
    .selectAll()
    .where('zone_id', '=', zoneId)
    .where(sql<boolean>`name = any(${[...new Set(names)]}::text[])`)
    .execute();
}

/** The TTL that the records of this type have, of records of one name. */
export function ttlOf(records: readonly ZoneRecord[], type: DnsRecordType): number | null {
  return records.find((one) => one.type === type)?.ttl ?? null;
}

/** A record for the record of changes: the value as a zone file has it, and of a long text its beginning. */
export function shortOf({ name, type, ttl, data }: ZoneRecord): object {
  const value = data.length > MAX_SHOWN ? `${data.slice(0, MAX_SHOWN)}…` : data;
  return { name, type, ttl, value };
}
