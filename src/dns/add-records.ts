// Records are added to a zone, all of them or none, in the caller's transaction and under the lock of the zone's row.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { type AuditedBy, recordAudit } from '../credentials/audit.ts';
import { readRows } from '../database/rows.ts';
import type { DnsRecordType } from '../entities/dns-record.ts';
import { conflict, faultsWithinSync } from '../lib/faults.ts';
import { readList } from '../lib/input.ts';
import type { ZoneRow } from './find-zone.ts';
import { countChange, countRecords, lockZone, type ZoneChoice } from './lock-zone.ts';
import { readOwner } from './names.ts';
import { readSeconds } from './read-seconds.ts';
import { type GivenFields, toData } from './record-data.ts';
import { findRecords, shortOf, ttlOf } from './stored-records.ts';
import { checkOwner, refuseClash, type ZoneRecord } from './zone-rules.ts';

const MAX_ADDED = 1_000;
/** The number that a push reads in about a second, under the lock of the zone. */
const MAX_RECORDS = 50_000;

/** A record as a caller gives it. Its name is whole or relative to the zone; one without a TTL gets that of the others of its name and type. */
interface NewRecord extends GivenFields {
  name: string;
  type: DnsRecordType;
  /** Seconds; null for the zone's default. */
  ttl?: number | null | undefined;
}

interface NewRecords extends ZoneChoice {
  records: readonly NewRecord[];
}

/** A record with its whole name and its data; the TTL is undefined where none was given. */
interface ReadRecord extends Omit<ZoneRecord, 'ttl'> {
  ttl: number | null | undefined;
}

/** Returns the zone's id. Faults name a field such as `records.0.name`. */
export async function addRecords(
  em: EntityManager,
  by: AuditedBy,
  { records, ...choice }: NewRecords,
): Promise<number> {
  const zone = await lockZone(em, choice);
  const added = await fitRecords(em, zone, readRecords(records, zone.name));
  await refuseTooMany(em, zone, added.length);
  await insertRecords(em, zone.id, added);
  await countChange(em, zone.id);
  const entries = added.map((record) => ({ action: 'addDnsRecords', target: zone.name, change: shortOf(record) }));
  await recordAudit(em, by, ...entries);
  return zone.id;
}

function readRecords(records: readonly NewRecord[], zone: string): ReadRecord[] {
  return readList(records, 'records', { least: 1, most: MAX_ADDED }).map((record, index) =>
    faultsWithinSync(['records', index], () => readRecord(record, zone)),
  );
}

function readRecord({ name, type, ttl, ...fields }: NewRecord, zone: string): ReadRecord {
  const owner = readOwner(name, zone);
  checkOwner({ name: owner, type }, zone);
  return { name: owner, type, ttl: ttl == null ? ttl : readSeconds(ttl, ['ttl']), data: toData(type, fields, zone) };
}

/** The records to store. CONFLICT if one cannot exist beside the others or beside existing ones. */
async function fitRecords(em: EntityManager, zone: ZoneRow, records: readonly ReadRecord[]): Promise<ZoneRecord[]> {
  const names = records.map(({ name }) => name);
  const present = Map.groupBy<string, ZoneRecord>(await findRecords(em, zone.id, names), ({ name }) => name);
  return records.map(({ ttl, ...record }, index) => {
    const others = present.get(record.name) ?? [];
    const whole = { ...record, ttl: ttl === undefined ? ttlOf(others, record.type) : ttl };
    refuseClash(whole, others, ['records', index]);
    present.set(record.name, [...others, whole]);
    return whole;
  });
}

async function refuseTooMany(em: EntityManager, zone: ZoneRow, more: number): Promise<void> {
  const count = await countRecords(em, zone);
  if (count + more <= MAX_RECORDS) return;
  throw conflict(
    `${zone.name} must have at most ${MAX_RECORDS} records; it has ${count}, and ${more} would be added`,
    'records',
  );
}

async function insertRecords(em: EntityManager, zoneId: number, records: readonly ZoneRecord[]): Promise<void> {
  const column = <Key extends keyof ZoneRecord>(key: Key) => records.map((record) => record[key]);
  await sql`
    insert into dns_record (zone_id, name, type, ttl, data)
    select ${zoneId}, name, type, ttl, data
    from unnest(${column('name')}::text[], ${column('type')}::text[], ${column('ttl')}::int[], ${column('data')}::text[])
      with ordinality as record (name, type, ttl, data, place)
    order by place
  `.execute(em.getKysely());
}

/** The ids of records that were added to a zone, in the order given, without those that were deleted since. */
export async function findAdded(em: EntityManager, zoneId: number, records: readonly NewRecord[]): Promise<number[]> {
  const zone = await readRows(em).selectFrom('dns_zone').select('name').where('id', '=', zoneId).executeTakeFirst();
  if (zone === undefined) return [];
  const read = readRecords(records, zone.name);
  const column = (key: 'name' | 'type' | 'data') => read.map((record) => record[key]);
  const { rows } = await sql<{ id: number }>`
    select dns_record.id
    from unnest(${column('name')}::text[], ${column('type')}::text[], ${column('data')}::text[])
      with ordinality as given (name, type, data, place)
    join dns_record on dns_record.zone_id = ${zoneId} and dns_record.name = given.name
      and dns_record.type = given.type and dns_record.data_hash = md5(given.data)
    order by place
  `.execute(em.getKysely());
  return rows.map(({ id }) => id);
}
