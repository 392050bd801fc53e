// A record of a zone is changed or deleted, in the caller's transaction and under the lock of the zone's row.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { type AuditedBy, recordAudit } from '../credentials/audit.ts';
import { readRows } from '../database/rows.ts';
import { notFound } from '../lib/faults.ts';
import type { ZoneRow } from './find-zone.ts';
import { countChange, lockZone } from './lock-zone.ts';
import { readOwner } from './names.ts';
import { readSeconds } from './read-seconds.ts';
import { type GivenFields, toData, toGiven } from './record-data.ts';
import { findRecords, type RecordRow, shortOf, ttlOf } from './stored-records.ts';
import { checkOwner, refuseClash, type ZoneRecord } from './zone-rules.ts';

/** The record to change, and optionally the expected version of its zone. */
interface RecordChoice {
  id: number;
  expectedVersion?: number | null | undefined;
}

/** Fields left out stay as they are; the type cannot be changed. */
interface RecordChange extends RecordChoice, GivenFields {
  name?: string | null | undefined;
  /** Seconds; null for the zone's default. It is changed for all records of the name and type. */
  ttl?: number | null | undefined;
}

/** Returns the record's id. A CONFLICT with an equal record is at no field. */
export async function updateRecord(
  em: EntityManager,
  by: AuditedBy,
  { id, expectedVersion, ...change }: RecordChange,
): Promise<number> {
  const { zone, record } = await lockRecord(em, { id, expectedVersion });
  const after = await fitChange(em, zone, record, change);
  await storeRecord(em, record, after);
  await countChange(em, zone.id);
  const fromTo = { from: shortOf(record), to: shortOf(after) };
  await recordAudit(em, by, { action: 'updateDnsRecord', target: zone.name, change: fromTo });
  return record.id;
}

/** Returns the id that the record had. */
export async function deleteRecord(em: EntityManager, by: AuditedBy, choice: RecordChoice): Promise<number> {
  const { zone, record } = await lockRecord(em, choice);
  await sql`delete from dns_record where id = ${record.id}`.execute(em.getKysely());
  await countChange(em, zone.id);
  await recordAudit(em, by, { action: 'deleteDnsRecord', target: zone.name, change: shortOf(record) });
  return record.id;
}

/** A record and its zone, whose row is locked. NOT_FOUND is at `id`. */
async function lockRecord(
  em: EntityManager,
  { id, expectedVersion }: RecordChoice,
): Promise<{ zone: ZoneRow; record: RecordRow }> {
  const find = () => readRows(em).selectFrom('dns_record').selectAll().where('id', '=', id).executeTakeFirst();
  const missing = () => notFound('the record does not exist', 'id');
  const found = await find();
  if (found === undefined) throw missing();
  const zone = await lockZone(em, { zone: { id: found.zone_id }, expectedVersion });
  // Another change may have come before the lock.
  const record = await find();
  if (record === undefined) throw missing();
  return { zone, record };
}

/** The record as it is to be stored. */
async function fitChange(
  em: EntityManager,
  zone: ZoneRow,
  record: RecordRow,
  { name: newName, ttl: newTtl, ...fields }: Omit<RecordChange, keyof RecordChoice>,
): Promise<ZoneRecord> {
  const { type } = record;
  const data = changedData(record, fields, zone.name);
  const name = newName == null ? record.name : readOwner(newName, zone.name);
  checkOwner({ name, type }, zone.name);
  const others = (await findRecords(em, zone.id, [name])).filter(({ id }) => id !== record.id);
  const set = others.filter((one) => one.type === type);
  const ttl = newTtl == null ? newTtl : readSeconds(newTtl, ['ttl']);
  const kept = set.length > 0 ? ttlOf(set, type) : record.ttl;
  const whole = { name, type, ttl: ttl === undefined ? kept : ttl, data };
  const adjusted = others.map((one) => (one.type === type ? { ...one, ttl: whole.ttl } : one));
  refuseClash(whole, adjusted, []);
  return whole;
}

/** Text data is replaced as a whole, by one of its two fields; of other data, the given fields change. */
function changedData({ type, data }: RecordRow, fields: GivenFields, zone: string): string {
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null));
  const isText = type === 'TXT' && Object.keys(given).length > 0;
  return toData(type, isText ? given : { ...toGiven(type, data), ...given }, zone);
}

/** Changes the TTL of all records of the name and type together with that of the record. */
async function storeRecord(em: EntityManager, { id, zone_id }: RecordRow, record: ZoneRecord): Promise<void> {
  const { name, type, ttl, data } = record;
  await sql`
    update dns_record set name = ${name}, data = ${data} where id = ${id}
  `.execute(em.getKysely());
  await sql`
    update dns_record set ttl = ${ttl}::int where zone_id = ${zone_id} and name = ${name} and type = ${type}
  `.execute(em.getKysely());
}
