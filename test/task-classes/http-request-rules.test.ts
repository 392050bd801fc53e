// The rules of a request: which addresses are public, what is allowed besides, which status is expected, what is struck out.
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostMatches, hostOf, parseHostPattern } from '../../src/lib/host-pattern.ts';
import { findPrivateRange, parseAddress } from '../../src/task-classes/built-in/http-request/address.ts';
import {
  describeExpected,
  isExpected,
  parseExpectedStatus,
} from '../../src/task-classes/built-in/http-request/expected-status.ts';
import { PrivateTargets } from '../../src/task-classes/built-in/http-request/private-targets.ts';
import { Redactor } from '../../src/task-classes/built-in/http-request/redactor.ts';

/** By IANA's registries of special-purpose addresses: what is in none of them is public. */
const PRIVATE_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
const PRIVATE_V6 = [
  '::/128',
  '::1/128',
  '::/96',
  '::ffff:0:0:0/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001::/32',
  '2001:2::/48',
  '2001:10::/28',
  '2001:20::/28',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '4000::/3',
  '5f00::/16',
  '8000::/1',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

function numberOf(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const [head = '', tail = ''] = address.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const zeros = new Array(8 - groups(head).length - groups(tail).length).fill('0');
  const all = address.includes('::') ? [...groups(head), ...zeros, ...groups(tail)] : groups(head);
  return all.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

const toV4 = (value: bigint) => [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
const toV6 = (value: bigint) =>
  [7n, 6n, 5n, 4n, 3n, 2n, 1n, 0n].map((group) => ((value >> (group * 16n)) & 0xffffn).toString(16)).join(':');

function block(cidr: string, bits: bigint) {
  const [address = '', length = ''] = cidr.split('/');
  const first = numberOf(address);
  return { first, last: first + (1n << (bits - BigInt(length))) - 1n };
}

/** Any address of the block, often its first or its last. */
const within = (cidr: string, bits: 32 | 128) => {
  const { first, last } = block(cidr, BigInt(bits));
  const write = bits === 32 ? toV4 : toV6;
  return fc.oneof(fc.constantFrom(first, last), fc.bigInt({ min: first, max: last })).map(write);
};

function rangeOf(text: string): string | null {
  const address = parseAddress(text);
  if (address === null) throw new Error(`${text} was not understood`);
  return findPrivateRange(address);
}

const hex = (v4: string) => toV6(numberOf(v4)).split(':').slice(-2).join(':');
/** How an IPv4 address is written into one of IPv6 that leads to it. */
const MAPPINGS = [
  (v4: string) => `::ffff:${v4}`,
  (v4: string) => `::ffff:${hex(v4)}`,
  (v4: string) => `64:ff9b::${hex(v4)}`,
];

describe('an address is not public', () => {
  test.each(PRIVATE_V4)('anywhere in %s, nor where it is mapped into IPv6', (cidr) => {
    fc.assert(
      fc.property(within(cidr, 32), (address) => {
        expect(rangeOf(address)).not.toBeNull();
        for (const map of MAPPINGS) expect(rangeOf(map(address))).not.toBeNull();
      }),
    );
  });

  test.each(PRIVATE_V6)('anywhere in %s', (cidr) => {
    fc.assert(fc.property(within(cidr, 128), (address) => void expect(rangeOf(address)).not.toBeNull()));
  });

  test('whatever 6to4 or Teredo embed', () => {
    fc.assert(fc.property(within('0.0.0.0/0', 32), (v4) => void expect(rangeOf(`2002:${hex(v4)}::1`)).toBe('6to4')));
    fc.assert(
      fc.property(within('0.0.0.0/0', 32), (v4) => void expect(rangeOf(`2001:0:${hex(v4)}::1`)).toBe('teredo')),
    );
  });
});

test('an address that is in no special block is public, also where it is mapped into IPv6', () => {
  const blocks = PRIVATE_V4.map((cidr) => block(cidr, 32n));
  const isSpecial = (text: string) =>
    blocks.some(({ first, last }) => numberOf(text) >= first && numberOf(text) <= last);
  fc.assert(
    fc.property(
      within('0.0.0.0/0', 32).filter((address) => !isSpecial(address)),
      (address) => {
        expect(rangeOf(address)).toBeNull();
        for (const map of MAPPINGS) expect(rangeOf(map(address))).toBeNull();
      },
    ),
  );
  fc.assert(fc.property(within('2a00::/12', 128), (address) => void expect(rangeOf(address)).toBeNull()));
  for (const edge of ['9.255.255.255', '11.0.0.0', '172.15.255.255', '172.32.0.0', '100.63.255.255', '100.128.0.0']) {
    expect(rangeOf(edge)).toBeNull();
  }
});

describe("the machine's own networks", () => {
  const own = (...cidrs: string[]) => ({
    eth0: cidrs.map((cidr) => ({ address: cidr.split('/')[0] ?? '', cidr }) as NetworkInterfaceInfo),
  });
  const refusal = (address: string, list = '', cidrs = ['93.184.215.14/25', '2a01:4f8:1:2::10/64']) =>
    PrivateTargets.parse(list, () => own(...cidrs)).findRefusal({ host: 'any.example', port: 80, address });

  test.each([
    '93.184.215.14',
    '93.184.215.127',
    '::ffff:93.184.215.14',
    '64:ff9b::5db8:d70e',
    '2a01:4f8:1:2::10',
    '2a01:4f8:1:2:ffff::1',
  ])('hold %s, which is refused unless it is listed', (address) => {
    expect(refusal(address)).toBe('its address is not public (own network)');
    expect(refusal(address, 'any.example')).toBeNull();
    expect(refusal(address, '93.184.215.0/24,2a01:4f8:1:2::/64')).toBeNull();
  });

  test.each(['93.184.215.128', '93.184.214.14', '2a01:4f8:1:3::10'])('do not hold %s', (address) => {
    expect(refusal(address)).toBeNull();
  });

  test('are no larger than a /24 and a /64, whatever an interface claims, and no smaller than its address', () => {
    const claimed = ['93.184.215.14/0', '2a01:4f8:1:2::10/3'];
    expect(refusal('93.184.215.200', '', claimed)).not.toBeNull();
    expect(refusal('2a01:4f8:1:2::11', '', claimed)).not.toBeNull();
    expect(refusal('93.184.214.14', '', claimed)).toBeNull();
    expect(refusal('2a01:4f8:1:3::10', '', claimed)).toBeNull();
    expect(refusal('93.184.215.14', '', ['93.184.215.14/32'])).not.toBeNull();
    expect(refusal('93.184.215.15', '', ['93.184.215.14/32'])).toBeNull();
  });

  test('are those of the machine where nothing else is said', () => {
    const addresses = Object.values(networkInterfaces()).flatMap((each = []) => each.map(({ address }) => address));
    const targets = PrivateTargets.parse('');
    expect(addresses.length).toBeGreaterThan(0);
    for (const address of addresses) expect(targets.findRefusal({ host: 'a', port: 80, address })).not.toBeNull();
  });
});

describe('HTTP_ALLOW_PRIVATE', () => {
  const isAllowed = (list: string, host: string, port: number, address: string) =>
    PrivateTargets.parse(list).findRefusal({ host, port, address }) === null;

  test.each([
    ['', '127.0.0.1', 80, '127.0.0.1', false],
    ['*', 'any.example', 1, '169.254.169.254', true],
    ['127.0.0.1', 'any.example', 80, '127.0.0.1', true],
    ['127.0.0.1', 'any.example', 80, '127.0.0.2', false],
    ['127.0.0.1', 'any.example', 80, '::ffff:127.0.0.1', true],
    ['127.0.0.1:8080', 'any.example', 8080, '127.0.0.1', true],
    ['127.0.0.1:8080', 'any.example', 8081, '127.0.0.1', false],
    ['10.0.0.0/8 , intranet.example', 'any.example', 80, '10.255.0.1', true],
    ['10.0.0.0/8', 'any.example', 80, '11.0.0.1', true],
    ['10.0.0.0/8', 'any.example', 80, '192.168.0.1', false],
    ['10.0.0.0/8:81', 'any.example', 80, '10.0.0.1', false],
    ['10.0.0.0/8:81', 'any.example', 81, '10.0.0.1', true],
    ['::1', '::1', 80, '::1', true],
    ['[::1]:81', '::1', 80, '::1', false],
    ['[::1]:81', '::1', 81, '::1', true],
    ['fd00::/8', 'any.example', 80, 'fd12::1', true],
    ['fd00::/8', 'any.example', 80, '10.0.0.1', false],
    ['intranet.example', 'intranet.example', 80, '10.0.0.1', true],
    ['Intranet.Example:80', 'intranet.example', 80, '10.0.0.1', true],
    ['intranet.example:80', 'intranet.example', 443, '10.0.0.1', false],
    ['intranet.example', 'www.intranet.example', 80, '10.0.0.1', false],
    ['*.intranet.example', 'www.intranet.example', 80, '10.0.0.1', true],
    ['*.intranet.example', 'intranet.example', 80, '10.0.0.1', false],
    ['*.intranet.example', 'evilintranet.example', 80, '10.0.0.1', false],
    ['127.0.0.1', 'any.example', 80, 'no address', false],
  ])('"%s" for %s port %i at %s: %s', (list, host, port, address, expected) => {
    expect(isAllowed(list, host, port, address)).toBe(expected);
  });

  test.each([
    '',
    'http://a',
    'a b',
    'a:0',
    'a:65536',
    'a:b',
    '10.0.0.0/33',
    '[10.0.0.0/8]',
    '*.',
    'a/b',
    'user@a',
    '::1:80:',
  ])('does not hold "%s"', (entry) => {
    expect(() => PrivateTargets.parse(`localhost,${entry}`)).toThrow('entry 2 is not');
  });

  test('of nothing allows no private address', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...PRIVATE_V4).chain((cidr) => within(cidr, 32)),
        fc.domain(),
        (address, host) => {
          expect(isAllowed('', host, 443, address)).toBe(false);
          expect(isAllowed('192.0.2.1:1,elsewhere.invalid', host, 443, address)).toBe(false);
        },
      ),
    );
  });
});

describe('a host pattern', () => {
  test('matches its own host in every spelling that a URL takes, and *. all names below and not itself', () => {
    fc.assert(
      fc.property(fc.domain(), fc.domain(), (host, other) => {
        const pattern = parseHostPattern(host.toUpperCase()) ?? '';
        expect(hostMatches(hostOf(new URL(`https://${host}./x`)), pattern)).toBe(true);
        const below = parseHostPattern(`*.${host}`) ?? '';
        expect(hostMatches(hostOf(new URL(`https://a.b.${host}`)), below)).toBe(true);
        expect(hostMatches(host.toLowerCase(), below)).toBe(false);
        expect(hostMatches(`x${host}`.toLowerCase(), below)).toBe(false);
        if (other.toLowerCase() !== host.toLowerCase()) expect(hostMatches(other.toLowerCase(), pattern)).toBe(false);
      }),
    );
  });
});

describe('an expected status', () => {
  const code = fc.integer({ min: 200, max: 599 });
  const range = fc.tuple(code, code).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
  const blank = fc.constantFrom('', ' ', '  ');

  test('is read back from how it is described, whatever the blanks, and holds what it says', () => {
    fc.assert(
      fc.property(
        fc.array(range, { minLength: 1, maxLength: 20 }),
        blank,
        fc.integer({ min: 100, max: 999 }),
        (ranges, gap, status) => {
          const text = describeExpected(ranges).replaceAll(/[,-]/g, (sign) => `${gap}${sign}${gap}`);
          const read = parseExpectedStatus(text);
          expect(read).toEqual(ranges);
          expect(isExpected(status, read ?? [])).toBe(ranges.some(({ from, to }) => from <= status && status <= to));
        },
      ),
    );
  });

  test.each(['', ',', '200,', '199', '600', '2xx', '299-200', '200--299', '-200', '200-', '2000', '２００', '200;300'])(
    'is not "%s"',
    (text) => expect(parseExpectedStatus(text)).toBeNull(),
  );

  test('is at most 20 of them', () => {
    expect(parseExpectedStatus(new Array(20).fill('200').join())).toHaveLength(20);
    expect(parseExpectedStatus(new Array(21).fill('200').join())).toBeNull();
  });
});

describe('a secret is struck out', () => {
  const secrets = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
    minLength: 12,
    maxLength: 60,
  });
  // No character of a secret, and one to three bytes.
  const around = fc.constantFrom('', 'é', '€', 'é€', '\n');
  const encodings: [string, (text: string) => string][] = [
    ['as it is', (text) => text],
    ['in lower case', (text) => text.toLowerCase()],
    ['in JSON', (text) => JSON.stringify({ text })],
    ['in a query', (text) => encodeURIComponent(text)],
    ['in a path', (text) => encodeURI(text)],
    ['in base64', (text) => Buffer.from(text).toString('base64')],
    ['in base64url', (text) => Buffer.from(text).toString('base64url')],
  ];

  test.each(encodings)('%s, wherever it lies', (_how, encode) => {
    fc.assert(
      fc.property(secrets, around, around, (secret, before, after) => {
        const text = encode(`${before}${secret}${after}`);
        const redacted = new Redactor([secret]).redact(text);
        expect(redacted).toContain('[secret]');
        // What is left of it in base64 are its edges, which depend on what is around.
        expect(redacted.toLowerCase()).not.toContain(encode(secret).slice(4, -4).toLowerCase());
      }),
    );
  });

  test('also where only its beginning is there', () => {
    fc.assert(
      fc.property(secrets, fc.string({ maxLength: 200 }), fc.nat(), (secret, before, cut) => {
        const text = `${before}${secret}`;
        const kept = text.slice(0, text.length - (cut % secret.length));
        const shown = new Redactor([secret]).redact(kept, false);
        const rest = before.slice(0, shown.length);
        if (!before.includes(secret)) expect(shown === rest || shown.endsWith('[secret]')).toBe(true);
      }),
    );
  });

  test('without a secret nothing is changed', () => {
    expect(new Redactor([]).redact('all of it')).toBe('all of it');
    expect(new Redactor([]).redact('all of it', false)).toBe('all of it');
  });
});
