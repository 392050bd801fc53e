import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sign, signatureMatches } from '../../src/credentials/signature.ts';
import { signedQuery, splitSignedQuery } from '../../src/legacy/signature.ts';

// The example of the vendor's documentation.
const KEY = '32-5DAYTJQY2TZHOFOB';
const SECRET = '48b278ec873bda4738923dbc467f8669';
const SIGNED = `target=ipam&action=get&type=IP&mask=24&apiKey=${KEY}`;
const HASH = 'yneSFMyxPPe+3W4IOkVp50K3VStatBcRRak+2ygDUWQ=';

test("the documentation's own example signs to its hash", () => {
  expect(sign(SECRET, SIGNED)).toBe(HASH);
});

describe('a hash matches', () => {
  test.each([
    ['raw', HASH],
    ['URL-encoded', encodeURIComponent(HASH)],
    ['URL-encoded in lower case', HASH.replaceAll('+', '%2b').replaceAll('=', '%3d')],
    ['with a blank that a proxy made of a plus', HASH.replaceAll('+', ' ')],
    ['with an encoded blank that a proxy made of a plus', HASH.replaceAll('+', '%20')],
  ])('%s', (_, hash) => {
    expect(signatureMatches(SECRET, SIGNED, hash)).toBe(true);
  });

  test.each([
    ['another secret', 'x', SIGNED, HASH],
    ['another query', SECRET, `${SIGNED}&a=1`, HASH],
    ['no hash', SECRET, SIGNED, ''],
    ['a longer hash', SECRET, SIGNED, `${HASH}=`],
    ['a hash without its padding', SECRET, SIGNED, HASH.slice(0, -1)],
    ['a broken escape', SECRET, SIGNED, '%zz%'],
    ['a hash in other letters', SECRET, SIGNED, HASH.toLowerCase()],
  ])('but not %s', (_, secret, signed, hash) => {
    expect(signatureMatches(secret, signed, hash)).toBe(false);
  });
});

describe('a query is signed', () => {
  test.each([
    ['up to its first hash', `${SIGNED}&hash=${HASH}`, SIGNED, HASH],
    ['without what follows the hash', `a=1&hash=h&a=2&hash=i`, 'a=1', 'h'],
    ['without its fragment', 'a=1&hash=h#&b=2', 'a=1', 'h'],
    ['without a hash that is in the fragment', 'a=1#&hash=h', 'a=1', null],
    ['as a whole where it has no hash', 'a=1&b=2', 'a=1&b=2', null],
    ['not at all where the hash begins it', 'hash=h&target=scheduler', '', 'h'],
    ['with an empty hash', 'a=1&hash=', 'a=1', ''],
    ['with parameters whose names only look alike', 'a=1&Hash=2&%68ash=3&hash[]=4&xhash=5&hash', undefined, null],
    ['byte by byte as it was sent', 'b=%2f&a=%2F&&c=+%20&hash=h', 'b=%2f&a=%2F&&c=+%20', 'h'],
  ])('%s', (_, query, signed, hash) => {
    expect(splitSignedQuery(query)).toEqual({ signed: signed ?? query, hash });
  });
});

test('a query that is signed for pasting needs no more encoding and is taken back', () => {
  expect(signedQuery('target=ipam&action=get&type=IP&mask=24', KEY, SECRET)).toBe(
    `${SIGNED}&hash=${encodeURIComponent(HASH)}`,
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const query = signedQuery(`name=${text.replace(/(?:^|&)hash=/g, '')}`, KEY, SECRET);
      const { signed, hash } = splitSignedQuery(query);
      expect(query).toMatch(/^[!$-;=?-Z_a-z~]*$/);
      expect(hash).not.toBeNull();
      expect(signatureMatches(SECRET, signed, hash ?? '')).toBe(true);
    }),
  );
});
