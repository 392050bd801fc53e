// Changes of the records of a zone, in the caller's transaction and under the lock of the zone's row.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { readRows } from '../database/rows.ts';
import type { DnsRecordType } from '../entities/dns-record.ts';
import { conflict } from '../lib/faults.ts';
import type { DnsRecordRow, DnsZoneRow } from '../schema/refs.ts';
import { countRecords, readSeconds } from './lock-zone.ts';
import { readOwner } from './names.ts';
import { type GivenFields, toData, toGiven } from './record-data.ts';
import { checkOwner, refuseClash, type ZoneRecord } from './zone-rules.ts';

/** As many as a push reads under the zone's lock in about a second. */
const MAX_RECORDS = 50_000;

export interface GivenRecord extends GivenFields {
  name: string;
  type: DnsRecordType;
  ttl?: number | null | undefined;
}

/** A record with its whole name and its data; the TTL is undefined where none was given. */
export interface ReadRecord extends Omit<ZoneRecord, 'ttl'> {
  ttl: number | null | undefined;
}

export function readRecord(given: GivenRecord, zone: string, path: string): ReadRecord {
  const { name, type, ttl, ...fields } = given;
  const owner = readOwner(name, zone, `${path}.name`);
  checkOwner({ name: owner, type }, zone, path);
  return { name: owner, type, ttl: readTtl(ttl, path), data: toData(type, fields, zone, path) };
}

function readTtl(ttl: number | null | undefined, path: string): number | null | undefined {
  return ttl == null ? ttl : readSeconds(ttl, `${path}.ttl`);
}

function findRecords(em: EntityManager, zoneId: number, names: readonly string[]) {
  return readRows(em)
    .selectFrom('dns_record')
    .selectAll()
    .where('zone_id', '=', zoneId)
    .where(sql<boolean>`name = any(${[...new Set(names)]}::text[])`)
    .execute();
}

/** Adds all of the records; one without a TTL gets that of the others of its name and type. Returns them as they are stored. */
export async function addRecords(
  em: EntityManager,
  zone: DnsZoneRow,
  records: readonly ReadRecord[],
  path: string,
): Promise<ZoneRecord[]> {
  const names = records.map(({ name }) => name);
  const present = Map.groupBy<string, ZoneRecord>(await findRecords(em, zone.id, names), ({ name }) => name);
  const added: ZoneRecord[] = [];
  for (const [index, { ttl, ...record }] of records.entries()) {
    const others = present.get(record.name) ?? [];
    const whole = { ...record, ttl: ttl === undefined ? ttlOf(others, record.type) : ttl };
    refuseClash(whole, others, `${path}.${index}`);
    present.set(record.name, [...others, whole]);
    added.push(whole);
  }
  await refuseTooMany(em, zone, added.length, path);
  const column = <Key extends keyof ZoneRecord>(key: Key) => added.map((record) => record[key]);
  await sql`
    insert into dns_record (zone_id, name, type, ttl, data)
    select ${zone.id}, name, type, ttl, data
    from unnest(${column('name')}::text[], ${column('type')}::text[], ${column('ttl')}::int[], ${column('data')}::text[])
      with ordinality as record (name, type, ttl, data, place)
    order by place
  `.execute(em.getKysely());
  return added;
}

function ttlOf(records: readonly ZoneRecord[], type: DnsRecordType): number | null {
  return records.find((one) => one.type === type)?.ttl ?? null;
}

async function refuseTooMany(em: EntityManager, zone: DnsZoneRow, more: number, path: string): Promise<void> {
  const count = await countRecords(em, zone);
  if (count + more <= MAX_RECORDS) return;
  throw conflict(`${zone.name} has ${count} records and would get ${more}; accepted are ${MAX_RECORDS}`, path);
}

/** The ids of records that are there, in the order given; those that are not are left out. */
export async function findRecordIds(
  em: EntityManager,
  zoneId: number,
  records: readonly Pick<ReadRecord, 'name' | 'type' | 'data'>[],
): Promise<number[]> {
  const column = (key: 'name' | 'type' | 'data') => records.map((record) => record[key]);
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

export interface RecordChange extends GivenFields {
  name?: string | null | undefined;
  ttl?: number | null | undefined;
}

/** Changes a record of the zone, and with a TTL that of all records of its name and type. Returns it as it is stored. */
export async function updateRecord(
  em: EntityManager,
  zone: DnsZoneRow,
  record: DnsRecordRow,
  change: RecordChange,
): Promise<ZoneRecord> {
  const { name: newName, ttl: newTtl, ...fields } = change;
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null));
  const isText = record.type === 'TXT' && Object.keys(given).length > 0;
  const data = toData(
    record.type,
    isText ? given : { ...toGiven(record.type, record.data), ...given },
    zone.name,
    'input',
  );
  const name = newName == null ? record.name : readOwner(newName, zone.name, 'input.name');
  checkOwner({ name, type: record.type }, zone.name, 'input');
  const others = (await findRecords(em, zone.id, [name])).filter(({ id }) => id !== record.id);
  const set = others.filter(({ type }) => type === record.type);
  const ttl = newTtl === undefined ? (set.length > 0 ? ttlOf(set, record.type) : record.ttl) : readTtl(newTtl, 'input');
  const adjusted = others.map((one) => (one.type === record.type ? { ...one, ttl: ttl ?? null } : one));
  const whole = { name, type: record.type, ttl: ttl ?? null, data };
  refuseClash(whole, adjusted, 'input');
  await sql`
    update dns_record set name = ${name}, data = ${data} where id = ${record.id}
  `.execute(em.getKysely());
  await sql`
    update dns_record set ttl = ${whole.ttl}::int where zone_id = ${zone.id} and name = ${name} and type = ${record.type}
  `.execute(em.getKysely());
  return whole;
}
