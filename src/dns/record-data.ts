// The data of records: from the fields of the API to the text that a zone file has after the type, and back. Equal data
// has one text, so that a record is found twice by comparing texts.
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import type { DnsRecordType } from '../entities/dns-record.ts';
import { badInput } from '../lib/faults.ts';
import { ADDRESS_TREES, readTarget, shown } from './names.ts';
import { quote, quoteAll, unquote } from './text-data.ts';

/** The content of a record. Fields that its type does not have are null. */
export interface RecordFields {
  /** The address, the name without a dot at its end (`.` for none), or the text. */
  value: string | null;
  /** The bytes of a TXT record. */
  valueBase64: string | null;
  priority: number | null;
  weight: number | null;
  port: number | null;
  flags: number | null;
  tag: string | null;
}

export type GivenFields = { [Field in keyof RecordFields]?: RecordFields[Field] | undefined };

type Numbered = 'priority' | 'weight' | 'port' | 'flags';

const NONE: RecordFields = {
  value: null,
  valueBase64: null,
  priority: null,
  weight: null,
  port: null,
  flags: null,
  tag: null,
};
const FIELDS = ['value', 'valueBase64', 'priority', 'weight', 'port', 'flags', 'tag'] as const;
const TYPE_FIELDS: Record<DnsRecordType, readonly (keyof RecordFields)[]> = {
  A: ['value'],
  AAAA: ['value'],
  CAA: ['flags', 'tag', 'value'],
  CNAME: ['value'],
  MX: ['priority', 'value'],
  NS: ['value'],
  PTR: ['value'],
  SRV: ['priority', 'weight', 'port', 'value'],
  TXT: ['value', 'valueBase64'],
};
const MAX_TEXT = 65_535;
const MAX_CAA = 255;

/** The text of the data; BAD_USER_INPUT names the field at fault. `zone` is what relative names belong to. */
export function toData(type: DnsRecordType, given: GivenFields, zone: string): string {
  for (const field of FIELDS) {
    if (given[field] != null && !TYPE_FIELDS[type].includes(field)) {
      const accepted = TYPE_FIELDS[type].join(', ');
      throw badInput(field, `must not be given for a record of type ${type}, which takes ${accepted}`);
    }
  }
  if (type === 'TXT') return quoteAll(readBytes(given));
  const value = given.value;
  if (value == null) throw badInput('value', `is required: must be ${ACCEPTED[type]}`);
  const number = (field: Numbered, most = 65_535) => readNumber(given[field], field, type, most);
  switch (type) {
    case 'A':
      if (!isIPv4(value)) throw badInput('value', `must be ${ACCEPTED.A}, got ${shown(value)}`);
      return value;
    case 'AAAA':
      return readIpv6(value);
    case 'CNAME':
      return `${readTarget(value, zone, ['value'], { host: false })}.`;
    case 'NS':
      return `${readTarget(value, zone, ['value'], { host: true })}.`;
    case 'PTR':
      // In the trees of addresses a name server wants a host; elsewhere services are found by names with underscores.
      return `${readTarget(value, zone, ['value'], { host: ADDRESS_TREES.test(zone) })}.`;
    case 'MX':
      return `${number('priority')} ${readHostOrNone(value, zone)}`;
    case 'SRV':
      return `${number('priority')} ${number('weight')} ${number('port')} ${readHostOrNone(value, zone)}`;
    case 'CAA':
      return `${number('flags', 255)} ${readTag(given.tag)} ${readCaaValue(value)}`;
  }
}

const ACCEPTED: Record<DnsRecordType, string> = {
  A: 'an IPv4 address such as 192.0.2.1',
  AAAA: 'an IPv6 address such as 2001:db8::1',
  CAA: 'text of printable ASCII, such as letsencrypt.org',
  CNAME: 'a name',
  MX: 'the name of a host, or "." for none',
  NS: 'the name of a host',
  PTR: 'a name',
  SRV: 'the name of a host, or "." for none',
  TXT: 'text, or bytes in valueBase64',
};

function readNumber(given: number | null | undefined, field: Numbered, type: DnsRecordType, most: number): number {
  if (given == null) throw badInput(field, `is required for a record of type ${type}: must be 0 to ${most}`);
  if (given < 0 || given > most) throw badInput(field, `must be 0 to ${most}, got ${given}`);
  return given;
}

function readIpv6(value: string): string {
  if (!isIPv6(value) || value.includes('%')) {
    throw badInput('value', `must be ${ACCEPTED.AAAA}, got ${shown(value)}`);
  }
  return new SocketAddress({ address: value, family: 'ipv6' }).address;
}

function readHostOrNone(value: string, zone: string): string {
  return value === '.' ? '.' : `${readTarget(value, zone, ['value'], { host: true })}.`;
}

function readTag(given: string | null | undefined): string {
  if (given == null) throw badInput('tag', 'is required: must be a tag such as issue, issuewild or iodef');
  if (/^[a-z0-9]{1,15}$/i.test(given)) return given.toLowerCase();
  throw badInput('tag', `must be a tag of 1 to 15 letters and digits such as issue, got ${shown(given)}`);
}

function readCaaValue(value: string): string {
  if (value.length > MAX_CAA || !/^[\x20-\x7e]*$/.test(value)) {
    throw badInput('value', `must be at most ${MAX_CAA} printable ASCII characters, got ${shown(value)}`);
  }
  return quote(Buffer.from(value));
}

function readBytes({ value, valueBase64 }: GivenFields): Buffer {
  if ((value == null) === (valueBase64 == null)) {
    const came = value == null ? 'neither' : 'both';
    throw badInput('value', `must be given as text in value or as bytes in valueBase64, got ${came}`);
  }
  const field = value == null ? 'valueBase64' : 'value';
  const bytes = value == null ? Buffer.from(valueBase64 ?? '', 'base64') : Buffer.from(value);
  if (value == null && bytes.toString('base64').replace(/=+$/, '') !== valueBase64?.replace(/=+$/, '')) {
    throw badInput('valueBase64', `must be standard base64, got ${shown(valueBase64 ?? '')}`);
  }
  if (bytes.length > MAX_TEXT_BYTES) {
    throw badInput(field, `must have at most ${MAX_TEXT_BYTES} bytes, got ${bytes.length}`);
  }
  return bytes;
}

/** A record's data has 65535 bytes, of which each string of 255 takes one for its length. */
const MAX_TEXT_BYTES = MAX_TEXT - Math.ceil(MAX_TEXT / 256);

/** The inverse of `toData`. */
export function toGiven(type: DnsRecordType, data: string): GivenFields {
  const parts = data.split(' ');
  const number = (index: number) => Number(parts[index]);
  switch (type) {
    case 'TXT':
      return { valueBase64: unquote(data).toString('base64') };
    case 'CAA':
      return { flags: number(0), tag: parts[1], value: unquote(parts.slice(2).join(' ')).toString() };
    case 'SRV':
      return { priority: number(0), weight: number(1), port: number(2), value: parts[3] };
    case 'MX':
      return { priority: number(0), value: parts[1] };
    default:
      return { value: data };
  }
}

/** The fields of a record for readers. */
export function fromData(type: DnsRecordType, data: string): RecordFields {
  const given = { ...NONE, ...toGiven(type, data) } as RecordFields;
  if (type === 'TXT') return { ...given, value: unquote(data).toString() };
  const isName = type !== 'CAA' && given.value !== '.';
  return isName ? { ...given, value: given.value?.replace(/\.$/, '') ?? null } : given;
}

/** The host that a record of these types refers to; null for none. */
export function hostOf(type: DnsRecordType, data: string): string | null {
  if (type !== 'NS' && type !== 'MX' && type !== 'SRV') return null;
  const { value } = fromData(type, data);
  return value === '.' ? null : value;
}
