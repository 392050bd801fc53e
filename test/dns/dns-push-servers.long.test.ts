// Pushing zones to real name servers: BIND and Knot.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readRows } from '../../src/database/rows.ts';
import { inTransaction } from '../../src/database/transaction.ts';
import { assignSerial } from '../../src/dns/assign-serial.ts';
import { PUSH, pushStage } from '../support/dns-push.ts';
import {
  HAS_NAME_SERVERS,
  MAX_RECORDS_AT_BIND,
  TIMEOUT_SECONDS,
  WITHOUT_NAME_SERVERS,
} from '../support/name-servers.ts';
import { sample } from '../support/php.ts';

describe.skipIf(!HAS_NAME_SERVERS)(`a push to BIND and Knot${WITHOUT_NAME_SERVERS}`, () => {
  const stage = pushStage();

  test('brings new zones to both, which answer for every type of record', async () => {
    await stage().addZone('example.com', [
      { name: 'www', type: 'A', value: '192.0.2.80', ttl: 60 },
      { name: 'www', type: 'AAAA', value: '2001:db8::80' },
      { name: 'web', type: 'CNAME', value: 'www' },
      { name: '@', type: 'MX', priority: 10, value: 'ns1' },
      { name: '_sip._tcp', type: 'SRV', priority: 1, weight: 2, port: 5060, value: 'ns1' },
      { name: '@', type: 'CAA', flags: 0, tag: 'issue', value: 'ca.example; policy="ev"' },
      { name: '*.dev', type: 'TXT', value: 'a "wild" \\ card; ä' },
    ]);
    await stage().addZone('2.0.192.in-addr.arpa', [{ name: '80', type: 'PTR', value: 'www.example.com' }]);
    await stage().addZone('0/25.3.0.192.in-addr.arpa', [{ name: '1', type: 'PTR', value: 'www.example.com' }]);
    expect(await stage().push()).toMatchObject({
      state: 'SUCCEEDED',
      message: 'DNS push: 3 of 3 zones on 2 of 2 servers; 3 zones changed.',
    });
    for (const { resolver } of stage().both) {
      expect(await resolver.resolve4('www.example.com', { ttl: true })).toEqual([{ address: '192.0.2.80', ttl: 60 }]);
      expect(await resolver.resolve6('www.example.com')).toEqual(['2001:db8::80']);
      expect(await resolver.resolveCname('web.example.com')).toEqual(['www.example.com']);
      expect(await resolver.resolveNs('example.com')).toEqual(['ns1.example.com']);
      expect(await resolver.resolveMx('example.com')).toMatchObject([{ priority: 10, exchange: 'ns1.example.com' }]);
      expect(await resolver.resolveSrv('_sip._tcp.example.com')).toMatchObject([
        { name: 'ns1.example.com', port: 5060, priority: 1, weight: 2 },
      ]);
      expect(await resolver.resolveCaa('example.com')).toMatchObject([
        { critical: 0, issue: 'ca.example; policy="ev"' },
      ]);
      const [text = []] = await resolver.resolveTxt('any.dev.example.com');
      expect(Buffer.from(text.join(''), 'latin1').toString()).toBe('a "wild" \\ card; ä');
      expect(await resolver.resolvePtr('80.2.0.192.in-addr.arpa')).toEqual(['www.example.com']);
      expect(await resolver.resolvePtr('1.0/25.3.0.192.in-addr.arpa')).toEqual(['www.example.com']);
      expect(await resolver.resolveSoa('example.com')).toMatchObject({
        nsname: 'ns1.example.com',
        hostmaster: 'hostmaster.example.com',
        serial: await stage().serialOf('example.com'),
        minttl: 300,
      });
    }
  });

  test('gives a zone a new serial when it changed, and does nothing for one that did not', async () => {
    await stage().addZone('example.com');
    await stage().addZone('example.net');
    await stage().push();
    const first = await stage().serialOf('example.com');
    await stage().add('example.com', [{ name: 'www', type: 'A', value: '192.0.2.80' }]);
    expect(await stage().push()).toMatchObject({
      message: 'DNS push: 2 of 2 zones on 2 of 2 servers; 1 zone changed.',
    });
    expect(await stage().serialOf('example.com')).toBe(first + 1);
    expect(await stage().served('example.com')).toEqual([first + 1, first + 1]);
    for (const { resolver } of stage().both) expect(await resolver.resolve4('www.example.com')).toEqual(['192.0.2.80']);
    expect(await stage().push()).toEqual({
      state: 'SUCCEEDED',
      message: 'DNS push: 2 of 2 zones on 2 of 2 servers; 0 zones changed.',
      lines: [],
    });
    expect(await stage().served('example.com')).toEqual([first + 1, first + 1]);
  });

  test('that one server refuses leaves the old zone there, with its file, and fails; the other gets the new one', async () => {
    await stage().addZone('example.com');
    await stage().addZone('example.net');
    await stage().push();
    const old = await stage().serialOf('example.com');
    const values = Array.from({ length: MAX_RECORDS_AT_BIND + 1 }, (_, index) => `text ${index}`);
    const added = await stage().add(
      'example.com',
      values.map((value) => ({ name: 'many', type: 'TXT', value })),
    );
    await stage().add('example.net', [{ name: 'www', type: 'A', value: '192.0.2.80' }]);
    const { state, message, lines } = await stage().push();
    expect(state).toBe('FAILED');
    expect(message).toBe(
      `DNS push: 1 of 2 zones on 1 of 2 servers; 2 zones changed. 1 failure: bind, example.com: serial ${old + 1} was expected, the server answers ${old}, ${TIMEOUT_SECONDS} seconds after it was told to load it, the former file is back`,
    );
    expect(lines.join('\n')).toContain('bind: example.com was not taken');
    expect(await stage().served('example.com')).toEqual([old, old + 1]);
    expect(await stage().served('example.net')).toEqual([
      await stage().serialOf('example.net'),
      await stage().serialOf('example.net'),
    ]);
    expect(await stage().bind.resolver.resolve4('ns1.example.com')).toEqual(['192.0.2.1']);
    expect(await readFile(join(stage().bind.settings.directory, 'example.com.zone'), 'utf8')).toContain(
      `serial ${old}:`,
    );
    // A restart serves the old zone too.
    await stage().bind.stop();
    await stage().bind.start();
    expect(await stage().bind.serialOf('example.com')).toBe(old);
    expect(await stage().states('example.com')).toEqual([
      { server: { name: 'bind' }, serial: old, error: expect.stringContaining(`serial ${old + 1} was expected`) },
      { server: { name: 'knot' }, serial: old + 1, error: null },
    ]);
    await stage().app.query('mutation ($id: ID!) { deleteDnsRecord(input: { id: $id }) { deletedId } }', {
      id: added[0],
    });
    expect(await stage().push()).toMatchObject({ state: 'SUCCEEDED' });
    expect(await stage().served('example.com')).toEqual([old + 2, old + 2]);
    expect(await stage().states('example.com')).toMatchObject([
      { serial: old + 2, error: null },
      { serial: old + 2, error: null },
    ]);
    expect(await stage().leftovers()).toEqual([]);
  });

  test('of a new zone that a server refuses takes it off that server again', async () => {
    const values = Array.from({ length: MAX_RECORDS_AT_BIND + 1 }, (_, index) => `text ${index}`);
    await stage().addZone(
      'example.com',
      values.map((value) => ({ name: 'many', type: 'TXT', value })),
    );
    const { state, message } = await stage().push();
    expect(state).toBe('FAILED');
    expect(message).toMatch(
      /bind, example.com: serial \d+ was expected, the server does not serve the zone.*its file is removed/,
    );
    expect(await stage().served('example.com')).toEqual([null, await stage().serialOf('example.com')]);
    expect(await readFile(join(stage().bind.settings.directory, 'zones.conf'), 'utf8')).toBe('');
  });

  test('while a server is stopped fails clearly, serves the other, and is made up for by the next', async () => {
    await stage().addZone('example.com');
    await stage().push();
    const old = await stage().serialOf('example.com');
    await stage().add('example.com', [{ name: 'www', type: 'A', value: '192.0.2.80' }]);
    await stage().knot.stop();
    try {
      const { state, message } = await stage().push();
      expect(state).toBe('FAILED');
      expect(message).toBe(
        'DNS push: 1 of 1 zones on 1 of 2 servers; 1 zone changed. 1 failure: knot: no answer came: ECONNREFUSED (connection refused)',
      );
      expect(await stage().bind.serialOf('example.com')).toBe(old + 1);
    } finally {
      await stage().knot.start();
    }
    expect(await stage().knot.serialOf('example.com')).toBe(old);
    expect(await stage().push()).toMatchObject({
      message: 'DNS push: 1 of 1 zones on 2 of 2 servers; 0 zones changed.',
    });
    expect(await stage().served('example.com')).toEqual([old + 1, old + 1]);
  });

  test('may be of one zone, to one server, or both', async () => {
    await stage().addZone('example.com');
    await stage().addZone('example.net');
    expect(await stage().push({ zone: 'Example.COM.', server: null })).toMatchObject({
      message: 'DNS push: 1 of 1 zones on 2 of 2 servers; 1 zone changed.',
    });
    expect(await stage().served('example.net')).toEqual([null, null]);
    expect(await stage().push({ server: 'knot', zone: '' })).toMatchObject({
      message: 'DNS push: 2 of 2 zones on 1 of 1 servers; 1 zone changed.',
    });
    expect(await stage().served('example.net')).toEqual([null, await stage().serialOf('example.net')]);
    await stage().add('example.com', [{ name: 'www', type: 'A', value: '192.0.2.80' }]);
    const old = await stage().serialOf('example.com');
    await stage().push({ zone: 'example.com', server: 'bind' });
    expect(await stage().served('example.com')).toEqual([old + 1, old]);
    expect(await stage().push({ zone: 'example.org' })).toMatchObject({
      state: 'FAILED',
      message: 'There is no DNS zone "example.org".',
    });
    expect(await stage().push({ server: 'nobody' })).toMatchObject({
      state: 'FAILED',
      message: 'There is no DNS server "nobody".',
    });
  });

  test('takes deleted zones off both, but not the files of others', async () => {
    await stage().addZone('example.com');
    await stage().addZone('example.net');
    await stage().push();
    const foreign = join(stage().bind.settings.directory, 'foreign.example.zone');
    await writeFile(foreign, '; by hand\n');
    await stage().app.query('mutation { deleteDnsZone(input: { zone: { name: "example.com" } }) { deletedId } }');
    expect(await stage().push({ zone: 'example.net' })).toMatchObject({ state: 'SUCCEEDED' });
    expect(await stage().served('example.com')).toEqual([expect.any(Number), expect.any(Number)]);
    expect(await stage().push()).toMatchObject({
      message: 'DNS push: 1 of 1 zones on 2 of 2 servers; 0 zones changed.',
    });
    expect(await stage().served('example.com')).toEqual([null, null]);
    expect((await readdir(stage().bind.settings.directory)).sort()).toEqual([
      'example.net.zone',
      'foreign.example.zone',
      'zones.conf',
    ]);
    expect(await readdir(stage().knot.settings.directory)).not.toContain('example.com.zone');
    expect(await readFile(foreign, 'utf8')).toBe('; by hand\n');
    // A zone of that name is not pushed over it.
    await stage().addZone('foreign.example');
    const { state, message } = await stage().push();
    expect({ state, message }).toEqual({
      state: 'FAILED',
      message: expect.stringContaining('could not be written: foreign.example.zone was not written by Slotkeeper'),
    });
    expect(await readFile(foreign, 'utf8')).toBe('; by hand\n');
    expect(await stage().served('foreign.example')).toEqual([null, await stage().serialOf('foreign.example')]);
  });

  test('of a zone that cannot be served fails for it, and the others are pushed', async () => {
    await stage().app.query(
      `mutation { addDnsZone(input: { name: "draft.example", soa: { primaryServer: "ns1", contact: "a@example.com" } }) { dnsZone { id } } }`,
    );
    await stage().addZone('example.com');
    expect(await stage().push()).toMatchObject({
      state: 'FAILED',
      message:
        'DNS push: 1 of 2 zones on 2 of 2 servers; 1 zone changed. 1 failure: draft.example: it has no NS record at draft.example',
    });
    expect(await stage().served('example.com')).toEqual([
      await stage().serialOf('example.com'),
      await stage().serialOf('example.com'),
    ]);
  });

  test('to a server that the settings do not have fails, and the others are pushed to', async () => {
    const id = await stage().addServer('ns9');
    try {
      await stage().addZone('example.com');
      expect(await stage().push()).toMatchObject({
        state: 'FAILED',
        message:
          "DNS push: 1 of 1 zones on 2 of 3 servers; 1 zone changed. 1 failure: ns9: this runner's settings (DNS_SERVERS) have no server ns9",
      });
      expect(await stage().served('example.com')).not.toContain(null);
      expect(await stage().states('example.com')).toMatchObject([
        { error: null },
        { error: null },
        { serial: null, error: expect.stringContaining('have no server ns9') },
      ]);
    } finally {
      await stage().app.query('mutation ($id: ID!) { deleteDnsServer(input: { id: $id }) { deletedId } }', { id });
    }
  });

  test('at once with another agrees with it on the serial', async () => {
    const other = await stage().addTask();
    await stage().addZone('example.com');
    await stage().push();
    const old = await stage().serialOf('example.com');
    await stage().add('example.com', [{ name: 'www', type: 'A', value: '192.0.2.80' }]);
    const ends = await Promise.all([stage().push({ server: 'bind' }), stage().push({ server: 'knot' }, other)]);
    expect(ends).toMatchObject([{ state: 'SUCCEEDED' }, { state: 'SUCCEEDED' }]);
    expect(ends.filter(({ message }) => message.endsWith('; 1 zone changed.'))).toHaveLength(1);
    expect(await stage().served('example.com')).toEqual([old + 1, old + 1]);
  });

  test('brings what was given a serial, by a push that ended before it wrote anything', async () => {
    await stage().addZone('example.com');
    await stage().push();
    const old = await stage().serialOf('example.com');
    await stage().add('example.com', [{ name: 'www', type: 'A', value: '192.0.2.80' }]);
    const numbered = await inTransaction(stage().database.orm.em.fork(), async (em) => {
      const zone = await readRows(em).selectFrom('dns_zone').select('id').executeTakeFirstOrThrow();
      return assignSerial(em, zone.id);
    });
    expect(numbered).toMatchObject({ changed: true, zone: { serial: old + 1 } });
    expect(await stage().push()).toMatchObject({
      state: 'SUCCEEDED',
      message: 'DNS push: 1 of 1 zones on 2 of 2 servers; 0 zones changed.',
    });
    expect(await stage().served('example.com')).toEqual([old + 1, old + 1]);
  });

  test('may be asked for by old callers', async () => {
    await stage().addZone('example.com');
    const task = {
      user_id: 1,
      name: 'Push one',
      class_name: PUSH,
      active: true,
      data: { server: 'knot', zone: 'example.com' },
      repeat_items: [{ repeat_hour: 8 }],
    };
    const added = await stage().app.legacy('target=scheduler&action=addTask', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(task),
    });
    const { tasks } = await stage().app.query<{ tasks: { edges: { node: { legacyId: number } }[] } }>(
      '{ tasks(last: 1) { edges { node { legacyId } } } }',
    );
    const id = tasks.edges[0]?.node.legacyId;
    expect(added).toContain('Push one');
    expect(await stage().app.legacy(`target=scheduler&action=executeTask&taskId=${id}`)).toContain(
      'DNS push: 1 of 1 zones on 1 of 1 servers; 1 zone changed.',
    );
    expect(await stage().served('example.com')).toEqual([null, await stage().serialOf('example.com')]);
  });

  test('mends a file that was changed by hand or lost', async () => {
    await stage().addZone('example.com');
    await stage().push();
    const file = join(stage().knot.settings.directory, 'example.com.zone');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('192.0.2.1', '192.0.2.66'));
    await writeFile(join(stage().bind.settings.directory, 'zones.conf'), '');
    expect(await stage().push()).toMatchObject({ state: 'SUCCEEDED' });
    expect(await readFile(file, 'utf8')).toBe(text);
    expect(await readFile(join(stage().bind.settings.directory, 'zones.conf'), 'utf8')).toContain('zone "example.com"');
  });

  test('keeps every byte of any text and any name on its way to the answers', async () => {
    const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?$/);
    const names = [
      ...new Set(sample(fc.array(label, { minLength: 1, maxLength: 4 }), 60).map((labels) => labels.join('.'))),
    ];
    const texts = sample(fc.uint8Array({ maxLength: 700 }), names.length).map((bytes) => Buffer.from(bytes));
    texts[0] = Buffer.from(Array.from({ length: 20_000 }, (_, index) => index % 256));
    await stage().addZone('example.com');
    await stage().add(
      'example.com',
      names.map((name, index) => ({
        name: `${name}.t`,
        type: 'TXT',
        valueBase64: (texts[index] ?? Buffer.alloc(0)).toString('base64'),
      })),
    );
    expect(await stage().push()).toMatchObject({ state: 'SUCCEEDED' });
    for (const { resolver } of stage().both) {
      for (const [index, name] of names.entries()) {
        const [strings = []] = await resolver.resolveTxt(`${name}.t.example.com`);
        expect(Buffer.from(strings.join(''), 'latin1'), name).toEqual(texts[index]);
      }
    }
  });
});
