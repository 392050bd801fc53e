// What holds between the records of a zone. `refuseClash` keeps it at every change, under the zone's row lock;
// `findZoneFaults` says what can only be judged of the whole zone, before it is pushed.
import type { DnsRecordType } from '../entities/dns-record.ts';
import { badInput, conflict, type FieldPath } from '../lib/faults.ts';
import { isHostOwner, isWithin, sortKey } from './names.ts';
import { hostOf } from './record-data.ts';

export interface ZoneRecord {
  name: string;
  type: DnsRecordType;
  /** Seconds; null for the zone's default. */
  ttl: number | null;
  data: string;
}

const HOST_OWNERS: readonly DnsRecordType[] = ['A', 'AAAA', 'MX'];

/** That a record may be where it is, whatever else the zone holds; BAD_USER_INPUT names the field of the record. */
export function checkOwner({ name, type }: Pick<ZoneRecord, 'name' | 'type'>, zone: string): void {
  if (type === 'CNAME' && name === zone) {
    throw badInput('type', `must not be CNAME at ${zone} itself, which has the SOA of the zone`);
  }
  if (type === 'NS' && name.startsWith('*.')) {
    throw badInput('name', `must not be a wildcard for NS, got ${name}`);
  }
  if (HOST_OWNERS.includes(type) && !isHostOwner(name)) {
    throw badInput(
      'name',
      `must be a host name for ${type} (labels of letters, digits and inner hyphens), got ${name}`,
    );
  }
}

/**
 * CONFLICT if `record` cannot exist beside the others of its name: a CNAME, a duplicate, or another TTL. `path` is the
 * place of the record in the input; a duplicate is a conflict of the whole record.
 */
export function refuseClash(record: ZoneRecord, others: readonly ZoneRecord[], path: FieldPath): void {
  const { name, type, ttl, data } = record;
  const [other] = others;
  if (type === 'CNAME' && other !== undefined) {
    throw conflict(`${name} has a record of type ${other.type}; a CNAME must be the only record of its name`, [
      ...path,
      'name',
    ]);
  }
  if (others.some((one) => one.type === 'CNAME')) {
    throw conflict(`${name} has a CNAME, which must be the only record of its name`, [...path, 'name']);
  }
  const set = others.filter((one) => one.type === type);
  if (set.some((one) => one.data === data)) {
    throw conflict(`${name} has this record already: ${type} ${data.slice(0, 200)}`, path);
  }
  const odd = set.find((one) => one.ttl !== ttl);
  if (odd !== undefined) {
    throw conflict(
      `the records ${name} ${type} have the TTL ${odd.ttl ?? 'of the zone'}; all of one name and type have the same`,
      [...path, 'ttl'],
    );
  }
}

const MAX_FAULTS = 20;

/** What keeps the zone from being pushed: name servers refuse such a zone, or answer from it what makes no sense. */
export function findZoneFaults(zone: string, records: readonly ZoneRecord[]): string[] {
  const faults: string[] = [];
  if (!records.some(({ name, type }) => type === 'NS' && name === zone)) {
    faults.push(`it has no NS record at ${zone}`);
  }
  const names = new Names(zone, records);
  for (const { name, type, data } of records) {
    if (faults.length === MAX_FAULTS) break;
    const host = hostOf(type, data);
    if (host === null || !isWithin(host, zone)) continue;
    if (names.at(host)?.has('CNAME')) faults.push(`${name} ${type} points to ${host}, which is a CNAME`);
    else if (type === 'NS' && !names.hasAddress(host) && !names.isDelegated(host, name)) {
      faults.push(`${name} NS points to ${host}, which has no A or AAAA record`);
    }
  }
  return faults;
}

/** Which types there are at which name of a zone. */
class Names {
  readonly #zone: string;
  readonly #types = new Map<string, Set<DnsRecordType>>();
  /** Every name and all above it. */
  readonly #existing = new Set<string>();

  constructor(zone: string, records: readonly ZoneRecord[]) {
    this.#zone = zone;
    for (const { name, type } of records) {
      const types = this.#types.get(name);
      if (types === undefined) this.#types.set(name, new Set([type]));
      else types.add(type);
      for (const above of this.#upwards(name)) this.#existing.add(above);
    }
  }

  /** The types at a name, those of the wildcard that stands for it included. */
  at(name: string): ReadonlySet<DnsRecordType> | undefined {
    if (this.#existing.has(name)) return this.#types.get(name);
    const closest = this.#upwards(name).find((above) => this.#existing.has(above));
    return closest === undefined ? undefined : this.#types.get(`*.${closest}`);
  }

  hasAddress(name: string): boolean {
    const types = this.at(name);
    return types !== undefined && (types.has('A') || types.has('AAAA'));
  }

  /** Whether `host` lies in another delegated zone than the one at `owner`, whose own servers say its address. */
  isDelegated(host: string, owner: string): boolean {
    return this.#upwards(host).some(
      (above) => above !== this.#zone && above !== owner && this.#types.get(above)?.has('NS'),
    );
  }

  /** The name and all above it up to the zone's. */
  #upwards(name: string): string[] {
    const names = [name];
    for (let above = name; above !== this.#zone && above.includes('.'); names.push(above)) {
      above = above.slice(above.indexOf('.') + 1);
    }
    return names;
  }
}

/** The order in which records are written: the apex first, then by name, type and data. */
export function sortRecords<Item extends ZoneRecord>(records: readonly Item[]): Item[] {
  const order = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);
  return records
    .map((record) => ({ record, key: sortKey(record.name) }))
    .sort(
      (left, right) =>
        order(left.key, right.key) ||
        order(left.record.type, right.record.type) ||
        order(left.record.data, right.record.data),
    )
    .map(({ record }) => record);
}
