// Our reading and writing against PHP's own, on as many random inputs as a test wants.
import fc from 'fast-check';
import { LegacyError } from '../../src/legacy/legacy-error.ts';
import { phpRecode } from '../../src/legacy/php/json-encode.ts';
import { parsePhpQuery } from '../../src/legacy/php/query.ts';
import { InvalidText, PhpArray, type PhpValue } from '../../src/legacy/php/value.ts';
import { compareWithPhp, sample } from './php.ts';

const REPLACEMENT = '\ufffd';
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** As php-oracle.php spells it. */
function canonical(value: PhpValue): string {
  if (value instanceof InvalidText) return 'x';
  if (!(value instanceof PhpArray)) return `s${base64(String(value))}`;
  const known = [...value].filter(([key]) => !key.includes(REPLACEMENT));
  return `[${known.map(([key, inner]) => `${base64(key)}:${canonical(inner)}`).join(',')}]`;
}

function readQuery(input: Buffer): string | null {
  try {
    return canonical(parsePhpQuery(input));
  } catch (error) {
    // 65 levels or 1001 pairs, which PHP drops in silence.
    if (error instanceof LegacyError) return null;
    throw error;
  }
}

const byte = fc.integer({ min: 1, max: 255 }).map((code) => Buffer.from([code]));
const encodedByte = fc.integer({ min: 0, max: 255 }).map((code) => `%${code.toString(16).padStart(2, '0')}`);
const piece: fc.Arbitrary<string | Buffer> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom('a', 'b', 'a', '1', '0', '01', '-1', '5', '9223372036854775807', '-9223372036854775808'),
  },
  { weight: 8, arbitrary: fc.constantFrom('[', ']', '[]', '[b]', '[1]', '[a][', '[ ]', '[ a]', ']]', '[[') },
  { weight: 6, arbitrary: fc.constantFrom('=', '&', '&', '=1&', '=2', '&&', ';') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '+',
      '.',
      ' ',
      '_',
      '%20',
      '%2e',
      '%5B',
      '%5d',
      '%00',
      '%',
      '%4',
      '%zz',
      '%3D',
      '%26',
      '\t',
      '%0a',
    ),
  },
  { weight: 2, arbitrary: encodedByte },
  { weight: 1, arbitrary: byte },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }).map((text) => encodeURIComponent(text)) },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 3_000 }).map((length) => 'k'.repeat(length)) },
);
const query = fc
  .array(piece, { maxLength: 30 })
  .map((pieces) => Buffer.concat(pieces.map((each) => Buffer.from(each))))
  // Ours writes what is no text with this character, which must therefore not come in by itself.
  .filter((bytes) => !decodeURIsafe(bytes).includes(REPLACEMENT));

function decodeURIsafe(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/%ef%bf%bd|\xef\xbf\xbd/gi, REPLACEMENT);
}

export function queriesAreReadAsPhpDoes(count: number): Promise<void> {
  return compareWithPhp('query', sample(query, count), readQuery);
}

/** Names of many levels, with the same keys again and again, so that appends and overwrites meet. */
const nestedQuery = fc
  .array(
    fc
      .tuple(
        fc.constantFrom('a', 'b'),
        fc.array(fc.constantFrom('[]', '[x]', '[0]', '[1]', '[-2]', '[05]', '[2'), { maxLength: 5 }),
        fc.nat(9),
      )
      .map(([head, keys, value]) => `${head}${keys.join('')}=${value}`),
    { maxLength: 12 },
  )
  .map((pairs) => Buffer.from(pairs.join('&')));

export function nestedNamesAreReadAsPhpDoes(count: number): Promise<void> {
  return compareWithPhp('query', sample(nestedQuery, count), readQuery);
}

function recode(input: Buffer): string {
  try {
    return phpRecode(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(input));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError || error instanceof TypeError) return 'refused';
    throw error;
  }
}

const escapedUnit = fc.integer({ min: 0, max: 0xffff }).map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`);
const character = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 1 })
  .map((text) => JSON.stringify(text).slice(1, -1));
const textPiece = fc.oneof(
  character,
  fc.string({ unit: 'grapheme-ascii', maxLength: 5 }).map((text) => JSON.stringify(text).slice(1, -1)),
  escapedUnit,
  fc.constantFrom(
    '\\/',
    '/',
    '\\b',
    '\\f',
    '\\n',
    '\\r',
    '\\t',
    '\\"',
    '\\\\',
    '\u007f',
    '\\u0000',
    '\u{1f600}',
    '\\ud83d\\ude00',
    '\\ud83d',
    '\\x',
    '\u0001',
  ),
);
const literal = fc.array(textPiece, { maxLength: 5 }).map((pieces) => `"${pieces.join('')}"`);

const doubles = fc.double({ noNaN: true, noDefaultInfinity: true });
const bytesOfDouble = fc
  .bigInt({ min: 0n, max: 2n ** 64n - 1n })
  .map((bits) => new Float64Array(new BigUint64Array([bits]).buffer)[0] ?? 0)
  .filter(Number.isFinite);
const nearPowers = fc
  .tuple(fc.constantFrom(53n, 62n, 63n, 64n), fc.bigInt({ min: -3n, max: 3n }), fc.boolean())
  .map(([power, offset, negative]) => (negative ? -1n : 1n) * (2n ** power + offset));
const number = fc.oneof(
  doubles.map(String),
  bytesOfDouble.map(String),
  bytesOfDouble.map((value) => value.toExponential()),
  nearPowers.map(String),
  fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }).map(String),
  fc
    .tuple(fc.integer(), fc.nat(30), fc.integer({ min: -330, max: 310 }))
    .map(([whole, part, power]) => `${whole}.${part}e${power}`),
  fc.constantFrom(
    '0',
    '-0',
    '-0.0',
    '0.0',
    '1.0',
    '0e0',
    '-0e1',
    '1e400',
    '1E5',
    '1e+5',
    '00',
    '01',
    '1.',
    '.5',
    '+1',
    '1e',
    '0.1',
    '1e17',
    '1e16',
    '123456789012345678',
    '0.0001',
    '0.00001',
    '100000000000000000000',
  ),
);
const key = fc.oneof(
  literal,
  fc.constantFrom(
    '"0"',
    '"1"',
    '"2"',
    '"-1"',
    '"01"',
    '""',
    '"a"',
    '"b"',
    '"10"',
    '"9223372036854775807"',
    '"9223372036854775808"',
  ),
);
const { json } = fc.letrec<{ json: string; list: string; object: string }>((tie) => ({
  list: fc.array(tie('json'), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
  object: fc
    .array(fc.tuple(key, tie('json')), { maxLength: 5 })
    .map((entries) => `{${entries.map(([name, value]) => `${name}:${value}`).join(',')}}`),
  json: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    number,
    literal,
    fc.constantFrom('null', 'true', 'false', '{}', '[]', ' [ ] ', 'True', 'NULL', 'nul'),
    tie('list'),
    tie('object'),
    tie('object'),
  ),
}));

export function jsonIsRecodedAsPhpDoes(count: number): Promise<void> {
  const texts = sample(json, count).map((text) => Buffer.from(text));
  return compareWithPhp('json', texts, recode);
}

/** Mostly no JSON any more: what is refused must be the same. */
const damaged = fc
  .tuple(
    json,
    fc.nat(),
    fc.constantFrom('', ',', ':', '"', '\\', '{', '}', '[', ']', ' ', '\t', '\0', '\u00a0', 'e', '-', '1', '\xff'),
  )
  .map(([text, at, inserted]) => {
    const bytes = Buffer.from(text);
    const place = at % (bytes.length + 1);
    // Cut or filled with a byte of its own, which need not be UTF-8.
    return Buffer.concat([bytes.subarray(0, place), Buffer.from(inserted, 'latin1'), bytes.subarray(place + (at % 2))]);
  });

export function damagedJsonIsRefusedWherePhpDoes(count: number): Promise<void> {
  return compareWithPhp('json', sample(damaged, count), recode);
}

/** Numbers alone, in every way of writing them. */
export function numbersAreWrittenAsPhpDoes(count: number): Promise<void> {
  return compareWithPhp(
    'json',
    sample(number, count).map((text) => Buffer.from(text)),
    recode,
  );
}

/** Each character of the BMP by itself and as an escape, and some of each plane above. */
export function charactersAreWrittenAsPhpDoes(step = 1): Promise<void> {
  const inputs: Buffer[] = [];
  for (let code = 0; code <= 0xffff; code += step) {
    inputs.push(Buffer.from(`"\\u${code.toString(16).padStart(4, '0')}"`));
    if (code < 0xd800 || code > 0xdfff) inputs.push(Buffer.from(`"${String.fromCodePoint(code)}"`));
  }
  for (let code = 0x10000; code <= 0x10ffff; code += 997) inputs.push(Buffer.from(`["${String.fromCodePoint(code)}"]`));
  return compareWithPhp('json', inputs, recode);
}
