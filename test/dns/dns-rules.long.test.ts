// Whether the zones that we take for good are good, as BIND judges them.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readOwner } from '../../src/dns/names.ts';
import { fromData, type GivenFields, toData, toGiven } from '../../src/dns/record-data.ts';
import { isNewerSerial, nextSerial } from '../../src/dns/serial.ts';
import { renderContent, renderZoneFile } from '../../src/dns/zone-file.ts';
import { checkOwner, findZoneFaults, refuseClash, type ZoneRecord } from '../../src/dns/zone-rules.ts';
import { DNS_RECORD_TYPES, type DnsRecordType } from '../../src/entities/dns-record.ts';
import { HAS_NAME_SERVERS, NAME_SERVER_PATH, WITHOUT_NAME_SERVERS } from '../support/name-servers.ts';
import { sample } from '../support/php.ts';

const ZONE = 'example.com';
const HEAD = {
  name: ZONE,
  primary_server: 'ns1.example.com',
  contact: 'first.last+tag_1@example.com',
  refresh: 7200,
  retry: 3600,
  expire: 1209600,
  minimum: 300,
  default_ttl: 3600,
};

// Few names, so that they meet: delegations, wildcards, names between, aliases of each other.
const name = fc.constantFrom(
  '@',
  'a',
  'b',
  'a.a',
  'b.a',
  'x.b.a',
  '*',
  '*.a',
  '_s.a',
  'n-1',
  '_',
  'a_b',
  '*.b.a',
  'w.b',
);
const target = fc.oneof(name, fc.constantFrom('ns.example.net.', 'a.example.com', 'q.w.b.example.com', '.'));
const number = fc.constantFrom(0, 1, 255, 65_535);

const anyRecord = fc.record({
  name,
  type: fc.constantFrom<DnsRecordType>(...DNS_RECORD_TYPES, 'A', 'NS', 'CNAME'),
  ttl: fc.constantFrom(null, null, 60),
  target,
  address: fc.constantFrom('192.0.2.1', '192.0.2.2'),
  v6: fc.ipV6(),
  text: fc.uint8Array({ maxLength: 300 }),
  ascii: fc.string({ maxLength: 40 }),
  number,
});

type AnyRecord = typeof anyRecord extends fc.Arbitrary<infer Value> ? Value : never;

function givenOf({ type, target, address, v6, text, ascii, number }: AnyRecord): GivenFields {
  switch (type) {
    case 'A':
      return { value: address };
    case 'AAAA':
      return { value: v6 };
    case 'TXT':
      return { valueBase64: Buffer.from(text).toString('base64') };
    case 'CAA':
      return { flags: number % 256, tag: 'issue', value: ascii };
    case 'MX':
      return { priority: number, value: target };
    case 'SRV':
      return { priority: number, weight: number, port: number, value: target };
    default:
      return { value: target };
  }
}

/** The records of these that may be added one after the other. */
function admitted(records: readonly AnyRecord[]): ZoneRecord[] {
  const zone: ZoneRecord[] = [];
  for (const record of records) {
    try {
      const { type, ttl } = record;
      const owner = readOwner(record.name, ZONE);
      checkOwner({ name: owner, type }, ZONE);
      const one = { name: owner, type, ttl, data: toData(type, givenOf(record), ZONE) };
      const others = zone.filter((other) => other.name === owner);
      refuseClash(one, others, []);
      zone.push(one);
    } catch (error) {
      expect(error).toHaveProperty('code', expect.stringMatching('BAD_USER_INPUT|CONFLICT'));
    }
  }
  return zone;
}

const zones = () => sample(fc.array(anyRecord, { maxLength: 25 }), 400).map(admitted);

test('the data of a record makes the same data again', () => {
  for (const { type, data } of zones().flat()) expect(toData(type, toGiven(type, data), ZONE)).toBe(data);
});

test('the bytes of a text are those that were given', () => {
  for (const bytes of sample(fc.uint8Array({ maxLength: 1_000 }), 300)) {
    const valueBase64 = Buffer.from(bytes).toString('base64');
    expect(fromData('TXT', toData('TXT', { valueBase64 }, ZONE)).valueBase64).toBe(valueBase64);
  }
});

test('each serial is newer than the last, whatever the day, also where the numbers go round', () => {
  const serials = fc.oneof(
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fc.constantFrom(0, 2 ** 31, 2 ** 32 - 1, 2026112400),
  );
  for (const last of sample(serials, 1_000)) {
    const next = nextSerial(last, '2026-11-24');
    expect(isNewerSerial(next, last)).toBe(true);
    expect(next).toBeLessThan(2 ** 32);
  }
  expect(nextSerial(null, '2026-11-24')).toBe(2026112400);
  expect(nextSerial(2026112400, '2026-11-24')).toBe(2026112401);
  expect(nextSerial(2026112499, '2026-11-24')).toBe(2026112500);
  expect(nextSerial(2026112405, '2026-11-25')).toBe(2026112500);
});

describe.skipIf(!HAS_NAME_SERVERS)(`BIND${WITHOUT_NAME_SERVERS}`, () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slotkeeper-dns-rules-'));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** What named itself checks of a primary zone by default; null for a zone that it takes. */
  async function refusalOf(records: readonly ZoneRecord[]): Promise<string | null> {
    const file = join(folder, 'zone');
    await writeFile(file, renderZoneFile(renderContent(HEAD, records), 1));
    const options = ['-k', 'fail', '-i', 'local', '-m', 'warn', '-M', 'warn', '-S', 'warn', ZONE, file];
    const { status, stdout } = spawnSync('named-checkzone', options, {
      env: { PATH: NAME_SERVER_PATH },
      encoding: 'utf8',
    });
    return status === 0 ? null : stdout;
  }

  test('takes every zone in which we find no fault', async () => {
    const good = zones()
      .map((records) => [
        ...records,
        ...(records.some(({ name, type }) => name === ZONE && type === 'NS')
          ? []
          : [{ name: ZONE, type: 'NS' as const, ttl: null, data: 'ns.example.net.' }]),
      ])
      .filter((records) => findZoneFaults(ZONE, records).length === 0)
      .slice(0, 80);
    expect(good.length).toBeGreaterThan(50);
    for (const records of good) expect(await refusalOf(records), JSON.stringify(records)).toBe(null);
  });

  test('refuses the zones whose fault is in their own name servers; of delegated zones it only warns', async () => {
    const isOwn = (fault: string) => fault.startsWith(`${ZONE} NS`) || fault.startsWith('it has no NS');
    const faulty = zones()
      .map((records) => ({ records, faults: findZoneFaults(ZONE, records).filter(isOwn) }))
      .filter(({ faults }) => faults.length > 0)
      .slice(0, 40);
    expect(faulty.length).toBeGreaterThan(20);
    for (const { records, faults } of faulty) {
      expect(await refusalOf(records), `${faults.join('; ')}: ${JSON.stringify(records)}`).not.toBe(null);
    }
  });
});
