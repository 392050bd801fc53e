// Zones, records and servers of DNS as clients of GraphQL see them.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { query, refusal } from '../support/query.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
  await sql(`insert into app_user (id, name, role) values (1, 'admin', 'ADMIN')`);
});

afterAll(() => database?.close());

beforeEach(async () => {
  await sql('truncate dns_zone, dns_server, idempotency_key restart identity cascade');
});

const sql = <Row>(text: string) => database.orm.em.fork().getConnection().execute<Row[]>(text);
const ask = <Data>(source: string, variables = {}) => query<Data>(database.orm, source, variables);
const refused = (source: string, variables = {}) => refusal(database.orm, source, { variables });

const SOA = { primaryServer: 'ns1', contact: 'hostmaster@example.com' };
const ADD_ZONE = 'mutation ($input: AddDnsZoneInput!) { addDnsZone(input: $input) { dnsZone { id name version } } }';
const ADD_RECORDS = `mutation ($input: AddDnsRecordsInput!) {
  addDnsRecords(input: $input) { dnsZone { version } dnsRecords { id name type ttl value valueBase64 data } }
}`;

interface Zone {
  id: string;
  name: string;
  version: number;
}

interface DnsRecord {
  id: string;
  name: string;
  type: string;
  ttl: number | null;
  value: string;
  valueBase64: string | null;
  data: string;
}

async function addZone(name = 'example.com', input = {}): Promise<Zone> {
  const { addDnsZone } = await ask<{ addDnsZone: { dnsZone: Zone } }>(ADD_ZONE, {
    input: { name, soa: SOA, ...input },
  });
  return addDnsZone.dnsZone;
}

async function add(records: object[], input = {}): Promise<DnsRecord[]> {
  const { addDnsRecords } = await ask<{ addDnsRecords: { dnsRecords: DnsRecord[] } }>(ADD_RECORDS, {
    input: { zone: { name: 'example.com' }, records, ...input },
  });
  return addDnsRecords.dnsRecords;
}

const refuseAdd = (records: object[], input = {}) =>
  refused(ADD_RECORDS, { input: { zone: { name: 'example.com' }, records, ...input } });

const dataOf = async (record: object) => (await add([record]))[0]?.data;

const a = (name: string, value = '192.0.2.1', more = {}) => ({ name, type: 'A', value, ...more });
const cname = (name: string, value: string) => ({ name, type: 'CNAME', value });

describe('a zone', () => {
  test('is added with defaults, found by either of its keys, changed and deleted', async () => {
    const { id } = await addZone('Example.COM.', { soa: { ...SOA, refresh: 900 } });
    const fields = 'name soa { primaryServer contact refresh retry expire minimum } defaultTtl serial version faults';
    const zone = {
      name: 'example.com',
      soa: {
        primaryServer: 'ns1.example.com',
        contact: 'hostmaster@example.com',
        refresh: 900,
        retry: 3600,
        expire: 1209600,
        minimum: 300,
      },
      defaultTtl: 3600,
      serial: null,
      version: 1,
      faults: ['it has no NS record at example.com'],
    };
    expect(await ask(`{ dnsZone(by: {name: "EXAMPLE.com."}) { ${fields} } node(id: "${id}") { id } }`)).toEqual({
      dnsZone: zone,
      node: { id },
    });
    const update = `mutation ($input: UpdateDnsZoneInput!) { updateDnsZone(input: $input) { dnsZone { ${fields} } } }`;
    const input = { zone: { id }, soa: { minimum: 60 }, serial: 4_000_000_000, expectedVersion: 1 };
    expect(await ask(update, { input })).toEqual({
      updateDnsZone: {
        dnsZone: { ...zone, soa: { ...zone.soa, minimum: 60 }, serial: 4_000_000_000, version: 2 },
      },
    });
    expect(await refused(update, { input })).toMatchObject({ code: 'CONFLICT', field: 'input.expectedVersion' });
    // By RFC 1982 the numbers go round: 5 comes after 4,000,000,000, and 3,999,999,999 before it.
    const older = { zone: { id }, serial: 3_999_999_999 };
    expect(await refused(update, { input: older })).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.serial' });
    await ask(update, { input: { zone: { id }, serial: 5 } });
    await add([a('www')]);
    const deletion = 'mutation ($input: DeleteDnsZoneInput!) { deleteDnsZone(input: $input) { deletedId } }';
    expect(await ask(deletion, { input: { zone: { name: 'example.com' } } })).toEqual({
      deleteDnsZone: { deletedId: id },
    });
    expect(await sql('select from dns_record')).toEqual([]);
    expect(await refused(deletion, { input: { zone: { id } } })).toMatchObject({
      code: 'NOT_FOUND',
      field: 'input.zone',
    });
  });

  test.each([
    [{ id: btoa('DnsServer:1') }, 'id', 'must be the id of a DnsZone'],
    [{ name: 'x'.repeat(1_001) }, 'name', 'must have at most 1000 characters, got 1001'],
  ])('is not chosen by %j', async (by, field, message) => {
    const found = await refused('query ($by: DnsZoneBy!) { dnsZone(by: $by) { id } }', { by });
    expect(found).toMatchObject({ code: 'BAD_USER_INPUT', field: `by.${field}` });
    expect(found.message).toMatch(new RegExp(`^by\\.${field}: .*${message}`));
    const deletion = 'mutation ($input: DeleteDnsZoneInput!) { deleteDnsZone(input: $input) { deletedId } }';
    const deleted = await refused(deletion, { input: { zone: by } });
    expect(deleted).toMatchObject({ code: 'BAD_USER_INPUT', field: `input.zone.${field}` });
    expect(deleted.message).toMatch(new RegExp(`^input\\.zone\\.${field}: .*${message}`));
  });

  test.each([
    ['bücher.example', 'xn--bcher-kva.example'],
    ['2.0.192.in-addr.arpa', '2.0.192.in-addr.arpa'],
    ['0/25.2.0.192.in-addr.arpa.', '0/25.2.0.192.in-addr.arpa'],
    ['_tcp.example.com', '_tcp.example.com'],
    ['local', 'local'],
  ])('may be called %s', async (given, name) => {
    expect(await addZone(given)).toMatchObject({ name });
  });

  test.each([
    '',
    '.',
    'a..b',
    '.example.com',
    '-rf.example.com',
    'example.com-',
    '0/25.example.com',
    '../../etc.in-addr.arpa',
    'a b.example',
    'a\\.b',
    '*.example.com',
    `${'a'.repeat(64)}.com`,
    `${'a.'.repeat(120)}com`,
    'a/ä.example',
    '１２３.example',
    'a"b.example',
    'a\0b',
    '{zone}.example',
  ])('may not be called "%s"', async (name) => {
    expect(await refused(ADD_ZONE, { input: { name, soa: SOA } })).toMatchObject({
      code: 'BAD_USER_INPUT',
      field: 'input.name',
      message: expect.stringMatching(/: must (be|have) .*, got "/s),
    });
  });

  test.each([
    [{ primaryServer: undefined }, 'input.soa.primaryServer'],
    [{ primaryServer: 'a_b.example' }, 'input.soa.primaryServer'],
    [{ contact: 'hostmaster' }, 'input.soa.contact'],
    [{ contact: 'host master@example.com' }, 'input.soa.contact'],
    [{ contact: 'a@b@example.com' }, 'input.soa.contact'],
    [{ refresh: -1 }, 'input.soa.refresh'],
  ])('with %j is refused', async (soa, field) => {
    expect(await refused(ADD_ZONE, { input: { name: 'x.example', soa: { ...SOA, ...soa } } })).toMatchObject({
      code: 'BAD_USER_INPUT',
      field,
    });
  });

  test('exists once, however many callers add it at the same time', async () => {
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => addZone()));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await refused(ADD_ZONE, { input: { name: 'example.com', soa: SOA } })).toMatchObject({
      code: 'CONFLICT',
      field: 'input.name',
    });
  });

  test('shows the file that a push would write, with the serial that it would get', async () => {
    await addZone('example.com', { defaultTtl: 600, soa: { ...SOA, contact: 'first.last@example.com' } });
    await add([
      a('www'),
      { name: '@', type: 'NS', value: 'ns1' },
      a('ns1', '192.0.2.2', { ttl: 60 }),
      { name: '@', type: 'TXT', value: 'say "hi" \\ ä' },
    ]);
    const { dnsZone } = await ask<{ dnsZone: { zoneFile: string; faults: string[] } }>(
      '{ dnsZone(by: {name: "example.com"}) { zoneFile faults } }',
    );
    const day = new Date().toISOString().slice(0, 10).replaceAll('-', '');
    expect(dnsZone.faults).toEqual([]);
    expect(
      dnsZone.zoneFile
        .replaceAll(new RegExp(`${day}00`, 'g'), 'SERIAL')
        .split('\n')
        .slice(1),
    ).toEqual([
      '$TTL 600',
      'example.com. 600 IN SOA ns1.example.com. first\\.last.example.com. SERIAL 7200 3600 1209600 300',
      'example.com. 600 IN NS ns1.example.com.',
      'example.com. 600 IN TXT "say \\"hi\\" \\\\ \\195\\164"',
      'ns1.example.com. 60 IN A 192.0.2.2',
      'www.example.com. 600 IN A 192.0.2.1',
      '',
    ]);
  });

  test('says what keeps it from being pushed', async () => {
    await addZone();
    await add([
      { name: '@', type: 'NS', value: 'ns1' },
      { name: '@', type: 'NS', value: 'ns1.w' },
      { name: '@', type: 'NS', value: 'ns1.w.example.com' },
      { name: '@', type: 'MX', priority: 5, value: 'alias' },
      a('*.w'),
      cname('alias', 'www'),
      { name: 'sub', type: 'NS', value: 'ns.sub.example.com' },
      { name: 'other', type: 'NS', value: 'ns.sub.example.com' },
    ]);
    const { dnsZone } = await ask<{ dnsZone: { faults: string[] } }>(
      '{ dnsZone(by: {name: "example.com"}) { faults } }',
    );
    expect(dnsZone.faults.toSorted()).toEqual([
      'example.com MX points to alias.example.com, which is a CNAME',
      'example.com NS points to ns1.example.com, which has no A or AAAA record',
      'sub.example.com NS points to ns.sub.example.com, which has no A or AAAA record',
    ]);
  });

  test('lists pages of its records, by name and type', async () => {
    await addZone();
    await add([a('www'), a('www', '192.0.2.2'), { name: 'www', type: 'TXT', value: '' }, a('mail')]);
    const names = async (args: string) => {
      const { dnsZones } = await ask<{
        dnsZones: { edges: { node: { records: { edges: { node: DnsRecord }[] } } }[] };
      }>(
        `{ dnsZones(filter: {nameContains: "EXAMPLE"}) { edges { node { records${args} { edges { node { name data } } } } } } }`,
      );
      return dnsZones.edges.flatMap(({ node }) => node.records.edges.map((edge) => edge.node.data));
    };
    expect(await names('(first: 2)')).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(await names('(last: 1)')).toEqual(['192.0.2.1']);
    expect(await names('(filter: {name: "WWW.example.com", type: TXT})')).toEqual(['""']);
    expect(await ask('{ dnsZones(filter: {failed: true}) { edges { node { name } } } }')).toEqual({
      dnsZones: { edges: [] },
    });
  });
});

describe('records', () => {
  beforeEach(async () => {
    await addZone();
  });

  test.each([
    ['@', 'example.com'],
    ['www', 'www.example.com'],
    ['WWW.Example.Com', 'www.example.com'],
    ['www.example.com.', 'www.example.com'],
    ['a.b', 'a.b.example.com'],
    ['*.dev', '*.dev.example.com'],
    ['bücher', 'xn--bcher-kva.example.com'],
    ['notexample.com', 'notexample.com.example.com'],
  ])('called %s are of %s', async (given, name) => {
    expect(await add([a(given)])).toMatchObject([{ name, type: 'A', value: '192.0.2.1', ttl: null }]);
  });

  test.each([
    [a('v4', '192.0.2.255'), '192.0.2.255'],
    [{ name: 'v6', type: 'AAAA', value: '2001:DB8:0:0::1' }, '2001:db8::1'],
    [{ name: 'v6', type: 'AAAA', value: '::ffff:192.0.2.1' }, '::ffff:192.0.2.1'],
    [cname('c', '@'), 'example.com.'],
    [cname('c', '_sip._tcp.Elsewhere.net'), '_sip._tcp.elsewhere.net.'],
    [cname('c', '1.0/25.2.0.192.in-addr.arpa'), '1.0/25.2.0.192.in-addr.arpa.'],
    [{ name: 'm', type: 'MX', priority: 0, value: '.' }, '0 .'],
    [{ name: 'm', type: 'MX', priority: 65535, value: 'mail' }, '65535 mail.example.com.'],
    [{ name: '@', type: 'NS', value: 'ns.provider.net.' }, 'ns.provider.net.'],
    [{ name: 'p', type: 'PTR', value: '_http._tcp' }, '_http._tcp.'],
    [{ name: '_sip._tcp', type: 'SRV', priority: 1, weight: 2, port: 5060, value: 'sip' }, '1 2 5060 sip.example.com.'],
    [
      { name: '@', type: 'CAA', flags: 128, tag: 'Issue', value: 'ca.example; a="b"' },
      '128 issue "ca.example; a=\\"b\\""',
    ],
    [{ name: 't', type: 'TXT', value: '' }, '""'],
    [{ name: 't', type: 'TXT', value: 'x'.repeat(256) }, `"${'x'.repeat(255)}" "x"`],
    [{ name: 't', type: 'TXT', valueBase64: '/wAi' }, '"\\255\\000\\""'],
  ])('%j have their data', async (record, data) => {
    expect(await dataOf(record)).toBe(data);
    // What is read can be given back.
    const fields = 'id name type value valueBase64 priority weight port flags tag';
    const { dnsZone } = await ask<{ dnsZone: { records: { edges: { node: Record<string, unknown> }[] } } }>(
      `{ dnsZone(by: {name: "example.com"}) { records { edges { node { ${fields} } } } } }`,
    );
    const { id, ...read } = dnsZone.records.edges[0]?.node ?? {};
    await ask('mutation ($id: ID!) { deleteDnsRecord(input: {id: $id}) { deletedId } }', { id });
    const { value, ...rest } = read;
    // A name is read without the dot at its end; of a TXT record the bytes say all.
    const isName = !['TXT', 'CAA', 'A', 'AAAA'].includes(String(rest.type)) && value !== '.';
    const back = rest.type === 'TXT' ? rest : { ...rest, value: isName ? `${value}.` : value };
    expect(await dataOf(back)).toBe(data);
  });

  test.each([
    [a('x', '192.0.2'), 'value', 'must be an IPv4 address such as 192.0.2.1, got "192.0.2"'],
    [a('x', '2001:db8::1'), 'value', 'must be an IPv4 address'],
    [a('x', '192.0.2.01'), 'value', 'must be an IPv4 address'],
    [a('x_y'), 'name', 'must be a host name'],
    [a('x', '192.0.2.1', { ttl: -1 }), 'ttl', '-1'],
    [a('x', '192.0.2.1', { priority: 1 }), 'priority', 'type A'],
    [a('www.example.org.'), 'name', 'outside the zone'],
    [a('a b'), 'name', 'must be labels of letters'],
    [a('w*'), 'name', 'must be labels of letters'],
    [a('a.*'), 'name', 'must be labels of letters'],
    [a(''), 'name', 'must be a domain name, got ""'],
    [a('a'.repeat(64)), 'name', 'at most 63 characters (one has 64)'],
    [a(`${'a.'.repeat(124)}a`), 'name', 'at most 253 characters (it has 261)'],
    [{ name: 'x', type: 'A' }, 'value', 'is required'],
    [{ name: 'x', type: 'AAAA', value: '192.0.2.1' }, 'value', 'must be an IPv6 address'],
    [{ name: 'x', type: 'AAAA', value: 'fe80::1%eth0' }, 'value', 'must be an IPv6 address'],
    [cname('@', 'www'), 'type', 'CNAME'],
    [cname('x', 'a b'), 'value', 'must be labels of letters'],
    [{ name: 'x', type: 'MX', priority: 1, value: '192.0.2.1' }, 'value', 'got the address'],
    [{ name: 'x', type: 'MX', priority: 65536, value: 'mail' }, 'priority', '65536'],
    [{ name: 'x', type: 'MX', value: 'mail' }, 'priority', 'is required'],
    [{ name: 'x', type: 'MX', priority: 1, value: 'my_mail' }, 'value', 'must be labels of letters'],
    [{ name: '*', type: 'NS', value: 'ns1' }, 'name', 'wildcard'],
    [{ name: 'x', type: 'SRV', priority: 1, weight: 1, value: 'sip' }, 'port', 'is required'],
    [{ name: 'x', type: 'CAA', flags: 256, tag: 'issue', value: ';' }, 'flags', '256'],
    [{ name: 'x', type: 'CAA', flags: 0, tag: 'is sue', value: ';' }, 'tag', 'must be a tag of 1 to 15 letters'],
    [{ name: 'x', type: 'CAA', flags: 0, tag: 'issue', value: 'ä' }, 'value', 'ASCII'],
    [{ name: 'x', type: 'TXT', valueBase64: 'a*b' }, 'valueBase64', 'base64'],
    [
      { name: 'x', type: 'TXT', value: 'a', valueBase64: 'YQ==' },
      'value',
      'as text in value or as bytes in valueBase64, got both',
    ],
    [{ name: 'x', type: 'TXT', value: 'x'.repeat(65_280) }, 'value', 'at most 65279 bytes, got 65280'],
  ])('the record %j is refused, and nothing is added', async (record, field, message) => {
    const found = await refuseAdd([a('first'), record]);
    expect(found).toMatchObject({ code: 'BAD_USER_INPUT', field: `input.records.1.${field}` });
    expect(found.message).toContain(message);
    expect(await sql('select from dns_record')).toEqual([]);
  });

  test('are as many as a call may have', async () => {
    expect(await refuseAdd([])).toMatchObject({ field: 'input.records' });
    const many = (count: number) => Array.from({ length: count }, (_, index) => a(`h${index}`));
    expect(await refuseAdd(many(1_001))).toMatchObject({ field: 'input.records' });
    expect(await add(many(1_000))).toHaveLength(1_000);
  });

  test('of the largest text keep each byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 65_279 }, (_, index) => index % 256));
    const [record] = await add([{ name: 't', type: 'TXT', valueBase64: bytes.toString('base64') }]);
    expect(record?.valueBase64).toBe(bytes.toString('base64'));
  });

  test.each([
    [[a('x'), a('x')], 'has this record already', ''],
    [[a('x'), a('X.example.com.')], 'has this record already', ''],
    [[cname('x', 'y'), cname('x', 'z')], 'must be the only record', '.name'],
    [[cname('x', 'y'), a('x')], 'has a CNAME', '.name'],
    [[a('x'), cname('x', 'y')], 'has a record of type A', '.name'],
    [[a('x', '192.0.2.1', { ttl: 60 }), a('x', '192.0.2.2', { ttl: 61 })], 'have the TTL 60', '.ttl'],
    [[a('x'), a('x', '192.0.2.2', { ttl: 60 })], 'have the TTL of the zone', '.ttl'],
  ])('%j are a CONFLICT, in one call and in two', async (records, text, field) => {
    const message = expect.stringContaining(text);
    const together = await refuseAdd(records);
    expect(together).toMatchObject({ code: 'CONFLICT', message, field: `input.records.1${field}` });
    expect(await sql('select from dns_record')).toEqual([]);
    await add(records.slice(0, 1));
    const after = await refuseAdd(records.slice(1));
    expect(after).toMatchObject({ code: 'CONFLICT', message, field: `input.records.0${field}` });
  });

  test('without a TTL get that of the others of their name and type', async () => {
    await add([a('x', '192.0.2.1', { ttl: 60 })]);
    expect(await add([a('x', '192.0.2.2'), { name: 'x', type: 'TXT', value: 't' }])).toMatchObject([
      { ttl: 60 },
      { ttl: null },
    ]);
  });

  test('are changed and deleted by themselves, but for the TTL that they share', async () => {
    const [first, second, mail] = await add([
      a('x'),
      a('x', '192.0.2.2'),
      { name: '@', type: 'MX', priority: 10, value: 'localhost.' },
    ]);
    const update = `mutation ($input: UpdateDnsRecordInput!) {
      updateDnsRecord(input: $input) { dnsRecord { name ttl data zone { version } } }
    }`;
    const change = (input: object) =>
      ask<{ updateDnsRecord: { dnsRecord: object } }>(update, { input }).then((data) => data.updateDnsRecord.dnsRecord);
    expect(await change({ id: first?.id, ttl: 60, expectedVersion: 2 })).toMatchObject({
      ttl: 60,
      zone: { version: 3 },
    });
    expect(await change({ id: second?.id, value: '192.0.2.3' })).toMatchObject({ ttl: 60, data: '192.0.2.3' });
    expect(await change({ id: mail?.id, priority: 20 })).toMatchObject({ data: '20 localhost.' });
    expect(await change({ id: second?.id, name: 'y' })).toMatchObject({ name: 'y.example.com', ttl: 60 });
    expect(await change({ id: second?.id, name: 'x', ttl: null })).toMatchObject({ ttl: null });
    expect(await sql(`select ttl from dns_record where type = 'A'`)).toEqual([{ ttl: null }, { ttl: null }]);
    expect(await refused(update, { input: { id: second?.id, value: '192.0.2.1' } })).toMatchObject({
      code: 'CONFLICT',
      field: 'input',
    });
    expect(await refused(update, { input: { id: second?.id, port: 1 } })).toMatchObject({ field: 'input.port' });
    expect(await refused(update, { input: { id: first?.id, expectedVersion: 2 } })).toMatchObject({ code: 'CONFLICT' });
    const deletion = 'mutation ($id: ID!) { deleteDnsRecord(input: {id: $id}) { deletedId } }';
    expect(await ask(deletion, { id: first?.id })).toEqual({ deleteDnsRecord: { deletedId: first?.id } });
    expect(await refused(deletion, { id: first?.id })).toMatchObject({ code: 'NOT_FOUND', field: 'input.id' });
  });

  test('keep the rules of their zone whatever is added at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const name = `r${round}`;
      const results = await Promise.allSettled([
        add([cname(name, 'www')]),
        add([a(name), a(`${name}-b`)]),
        add([cname(name, 'mail')]),
        add([a(name, '192.0.2.2', { ttl: 60 }), a(`${name}-c`)]),
        add([a(name), a(`${name}-d`)]),
      ]);
      const reasons = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []));
      for (const reason of reasons) expect(reason).toMatch(/CNAME|already|have the TTL/);
      const types = await sql<{ type: string; ttl: number | null }>(
        `select type, ttl from dns_record where name = '${name}.example.com'`,
      );
      expect(new Set(types.map(({ type }) => type)).size).toBe(1);
      expect(new Set(types.map(({ ttl }) => ttl)).size).toBe(1);
    }
  });

  test('are added once with an idempotency key', async () => {
    const input = { idempotencyKey: 'k' };
    const [first, again] = await Promise.all([add([a('x')], input), add([a('x')], input)]);
    expect(again).toEqual(first);
    expect(await refuseAdd([a('y')], input)).toMatchObject({ code: 'CONFLICT', field: 'input.idempotencyKey' });
    expect(await sql('select version from dns_zone')).toEqual([{ version: 2 }]);
  });
});

test('the database refuses a record twice and two aliases of one name, whatever the code does', async () => {
  await addZone();
  const insert = (type: string, data: string) =>
    sql(`insert into dns_record (zone_id, name, type, data) values (1, 'x.example.com', '${type}', '${data}')`);
  await insert('A', '192.0.2.1');
  await expect(insert('A', '192.0.2.1')).rejects.toThrow('dns_record_once');
  await insert('CNAME', 'a.');
  await expect(insert('CNAME', 'b.')).rejects.toThrow('dns_record_one_cname');
  await expect(insert('SOA', 'x')).rejects.toThrow('dns_record_type_check');
});

describe('servers', () => {
  const ADD = 'mutation ($input: AddDnsServerInput!) { addDnsServer(input: $input) { dnsServer { id name enabled } } }';

  test('are added, changed, listed and deleted by name', async () => {
    const { addDnsServer } = await ask<{ addDnsServer: { dnsServer: { id: string } } }>(ADD, {
      input: { name: 'ns1', description: 'the first' },
    });
    const { id } = addDnsServer.dnsServer;
    expect(await refused(ADD, { input: { name: 'ns1' } })).toMatchObject({ code: 'CONFLICT', field: 'input.name' });
    expect(await refused(ADD, { input: { name: '' } })).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.name' });
    expect(await refused(ADD, { input: { name: ' ns2' } })).toMatchObject({ code: 'BAD_USER_INPUT' });
    await ask(ADD, { input: { name: 'ns2' } });
    const update = `mutation ($input: UpdateDnsServerInput!) {
      updateDnsServer(input: $input) { dnsServer { name description enabled } }
    }`;
    expect(await ask(update, { input: { id, enabled: false } })).toEqual({
      updateDnsServer: { dnsServer: { name: 'ns1', description: 'the first', enabled: false } },
    });
    expect(await refused(update, { input: { id, name: 'ns2' } })).toMatchObject({
      code: 'CONFLICT',
      field: 'input.name',
    });
    expect(await ask(update, { input: { id, name: 'ns3', description: null } })).toMatchObject({
      updateDnsServer: { dnsServer: { name: 'ns3', description: null } },
    });
    const deletion = 'mutation ($id: ID!) { deleteDnsServer(input: {id: $id}) { deletedId } }';
    await ask(deletion, { id });
    expect(await refused(deletion, { id })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await ask('{ dnsServers { edges { node { name zones { edges { node { serial } } } } } } }')).toEqual({
      dnsServers: { edges: [{ node: { name: 'ns2', zones: { edges: [] } } }] },
    });
  });

  test('are for admins to write, zones and records for operators', async () => {
    const variables = { input: { name: 'example.org', soa: SOA } };
    const forbidden = { code: 'FORBIDDEN' };
    expect(await refusal(database.orm, ADD, { role: 'OPERATOR', variables: { input: { name: 'ns' } } })).toMatchObject(
      forbidden,
    );
    expect(await refusal(database.orm, ADD_ZONE, { role: 'VIEWER', variables })).toMatchObject(forbidden);
    const records = { input: { zone: { name: 'example.org' }, records: [a('x')] } };
    expect(await refusal(database.orm, ADD_RECORDS, { role: 'OPERATOR', variables: records })).toMatchObject({
      code: 'NOT_FOUND',
      field: 'input.zone',
    });
  });
});
