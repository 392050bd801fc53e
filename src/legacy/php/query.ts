// Query strings and form bodies, as PHP reads them into $_GET and $_POST.
import { LegacyError } from '../legacy-error.ts';
import { InvalidText, PhpArray, type PhpValue } from './value.ts';

/** PHP's max_input_nesting_level and max_input_vars, beyond which it drops in silence and we refuse. */
const MAX_LEVELS = 64;
const MAX_PAIRS = 1000;

/** Decoded, one character a byte: bytes become text only once a name is taken apart. */
export interface BytePair {
  name: string;
  value: string;
}

/** The pairs of a query string (without its `?`) or an urlencoded body, in their order; empty ones are left out. */
export function* pairsOf(raw: string | Buffer): Generator<BytePair, void> {
  const bytes = (typeof raw === 'string' ? Buffer.from(raw) : raw).toString('latin1');
  for (let start = 0; start < bytes.length; ) {
    const ampersand = bytes.indexOf('&', start);
    const end = ampersand === -1 ? bytes.length : ampersand;
    if (end > start) yield decodePair(bytes.slice(start, end));
    start = end + 1;
  }
}

function decodePair(pair: string): BytePair {
  const equals = pair.indexOf('=');
  if (equals === -1) return { name: urlDecode(pair), value: '' };
  return { name: urlDecode(pair.slice(0, equals)), value: urlDecode(pair.slice(equals + 1)) };
}

/** Reads an urlencoded body, or a query string of which nothing else is asked; as phpArrayOf does. */
export function parsePhpQuery(raw: string | Buffer): PhpArray {
  return phpArrayOf(pairsOf(raw));
}

/**
 * What PHP makes of the pairs. Throws a LegacyError beyond 64 levels of brackets or 1000 pairs. Values are strings, nested
 * arrays, or InvalidText where the bytes of the value or of its name are not UTF-8.
 */
export function phpArrayOf(pairs: Iterable<BytePair>): PhpArray {
  const gathered = new PhpPairs();
  for (const { name, value } of pairs) gathered.add(name, value);
  return gathered.array;
}

/**
 * The last value of the parameter `name`, null where there is none or it is not UTF-8; whatever else the query holds. For
 * credentials, which decide before anything else of a call is looked at.
 */
export function lastTextOf(pairs: readonly BytePair[], name: string): string | null {
  const pair = pairs.findLast((candidate) => candidate.name === name);
  return pair === undefined ? null : decodeUtf8(pair.value);
}

/** A `%` that two hexadecimal digits do not follow stays as it is. */
function urlDecode(encoded: string): string {
  if (!/[+%]/.test(encoded)) return encoded;
  const bytes = Buffer.allocUnsafe(encoded.length);
  let length = 0;
  for (let at = 0; at < encoded.length; at += 1) {
    const code = encoded.charCodeAt(at);
    const byte = code === PERCENT ? byteOf(encoded.charCodeAt(at + 1), encoded.charCodeAt(at + 2)) : null;
    if (byte !== null) at += 2;
    bytes[length] = byte ?? (code === PLUS ? SPACE : code);
    length += 1;
  }
  return bytes.toString('latin1', 0, length);
}

const [PERCENT, PLUS, SPACE] = [0x25, 0x2b, 0x20];
/** What a character's code is worth as a hexadecimal digit; undefined for none. */
const DIGITS = Array.from({ length: 0x80 }, (_, code) => {
  const digit = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(digit) ? undefined : digit;
});

function byteOf(high: number, low: number): number | null {
  const [first, second] = [DIGITS[high], DIGITS[low]];
  return first === undefined || second === undefined ? null : first * 16 + second;
}

/** Gathers name and value pairs, decoded, one character a byte, into nested arrays. */
export class PhpPairs {
  readonly array = new PhpArray();
  #count = 0;

  add(name: string, value: string): void {
    this.#count += 1;
    if (this.#count > MAX_PAIRS) throw new LegacyError(`the call must have at most ${MAX_PAIRS} parameters`);
    const path = namePath(name);
    const texts = path.map((key) => (key === null ? null : decodeUtf8(key)));
    const known = path.every((key, index) => key === null || texts[index] !== null);
    // A name that is no text can match no parameter that we know, but it may lie inside one.
    const keys = path.map(
      (key, index) => texts[index] ?? (key === null ? null : Buffer.from(key, 'latin1').toString()),
    );
    assign(this.array, keys, (known ? decodeUtf8(value) : null) ?? new InvalidText());
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: string): string | null {
  try {
    return decoder.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return null;
  }
}

/**
 * The keys that a name stands for, outermost first; null stands for `[]`, and no key at all for a name that PHP drops.
 * Throws a LegacyError at the 65th bracket.
 */
function namePath(rawName: string): (string | null)[] {
  const name = (rawName.split('\0', 1)[0] ?? '').replace(/^ +/, '');
  const bracket = name.indexOf('[');
  const head = (bracket === -1 ? name : name.slice(0, bracket)).replace(/[ .]/g, '_');
  if (head === '') return [];
  const path: (string | null)[] = [head];
  for (let at = bracket; at !== -1 && name[at] === '['; ) {
    if (path.length > MAX_LEVELS) throw new LegacyError(`${head}: more than ${MAX_LEVELS} levels of brackets`);
    const keyAt = at + 1;
    const blank = /[ \t\n\v\f\r]/.test(name[keyAt] ?? '') ? 1 : 0;
    const close = name.indexOf(']', keyAt + blank);
    if (close === -1) {
      // Only the first bracket can be part of the name: text after a `]` is ignored, so is a bracket there.
      return path.length === 1 ? [`${head}_${name.slice(keyAt).replace(/[ .[]/g, '_')}`] : path;
    }
    path.push(close === keyAt + blank ? null : name.slice(keyAt, close));
    at = close + 1;
  }
  return path;
}

function assign(root: PhpArray, path: readonly (string | null)[], value: PhpValue): void {
  let array = root;
  for (const [depth, key] of path.entries()) {
    const isLast = depth === path.length - 1;
    const present = key === null ? undefined : array.get(key);
    if (!isLast && present instanceof PhpArray) {
      array = present;
      continue;
    }
    const next = new PhpArray();
    const stored = isLast ? value : next;
    if (key === null) array.append(stored);
    else array.set(key, stored);
    array = next;
  }
}
