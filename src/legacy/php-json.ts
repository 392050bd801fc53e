// JSON as PHP's json_decode(..., true) reads it and json_encode with default flags writes it.
import { InvalidText, isPhpInteger, PhpArray, type PhpValue } from './php-value.ts';

/** A value that is already what json_encode would print. */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** A JSON object, with the text it was read from: what is stored is what the sender wrote. */
export class JsonObject extends PhpArray {
  source = '';
}

/**
 * What json_encode prints for null, booleans, strings, numbers (as PHP floats), bigints (as PHP integers), arrays, maps
 * and plain objects. A map or object keyed exactly 0 to n-1 in order is a list, an empty one `[]`: PHP has but one type for
 * both. Throws a TypeError for anything else, and a RangeError for infinities and NaN, as json_encode fails.
 */
export function phpJsonEncode(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return encodeString(value);
  if (typeof value === 'number') return encodeFloat(value);
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(phpJsonEncode).join(',')}]`;
  if (value instanceof Map) return encodeEntries([...value]);
  if (typeof value === 'object' && !(value instanceof InvalidText)) return encodeEntries(Object.entries(value));
  throw new TypeError('json_encode knows no such value');
}

function encodeEntries(entries: [string, unknown][]): string {
  if (entries.every(([key], index) => key === String(index))) {
    return `[${entries.map(([, value]) => phpJsonEncode(value)).join(',')}]`;
  }
  return `{${entries.map(([key, value]) => `${encodeString(key)}:${phpJsonEncode(value)}`).join(',')}}`;
}

/** JSON.stringify agrees with PHP on quotes, controls and U+007F; every UTF-16 unit from U+0080 up is escaped by itself. */
function encodeString(text: string): string {
  return JSON.stringify(text)
    .replaceAll('/', '\\/')
    .replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The shortest digits that read back as the same number (serialize_precision -1), fixed from 1e-4 up to below 1e17. */
function encodeFloat(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError('a number is too large for a float');
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const [mantissa = '', power = ''] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const exponent = Number(power);
  if (exponent < -4 || exponent > 16) {
    return `${sign}${digits[0]}.${digits.slice(1) || '0'}e${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = digits.slice(exponent + 1);
  return fraction === '' ? sign + whole : `${sign}${whole}.${fraction}`;
}

/** What PHP shows of JSON text that it stored: decoded and encoded again. Throws as parseJsonForPhp and phpJsonEncode do. */
export function phpRecode(jsonText: string): string {
  return phpJsonEncode(parseJsonForPhp(jsonText));
}

/**
 * Reads JSON text, keeping what PHP keeps: the order of keys, integers exact to 64 bits, larger ones as floats; of equal
 * keys the last value in the first one's place. Objects are JsonObjects, lists are arrays. Throws a SyntaxError for what
 * json_decode refuses, a lone surrogate and too many levels included.
 */
export function parseJsonForPhp(text: string): PhpValue {
  const reader = new JsonReader(text);
  const value = reader.readValue(0);
  reader.expectEnd();
  return value;
}

/** Levels of arrays and objects in each other that json_decode takes by default. */
const MAX_DEPTH = 511;
const WORDS = [['null', null] as const, ['true', true] as const, ['false', false] as const];
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
/** The digits of a 64-bit integer and its sign. */
const INTEGER_LENGTH = 20;

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readValue(depth: number): PhpValue {
    const first = this.#peek();
    if (first === '"') return this.#readString();
    if (first === '{' || first === '[') {
      if (depth >= MAX_DEPTH) throw new SyntaxError(`more than ${MAX_DEPTH} levels`);
      return first === '{' ? this.#readObject(depth + 1) : this.#readList(depth + 1);
    }
    for (const [word, meaning] of WORDS) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return meaning;
    }
    return this.#readNumber();
  }

  expectEnd(): void {
    if (this.#peek() !== undefined) this.#fail();
  }

  #readObject(depth: number): JsonObject {
    const object = new JsonObject();
    const start = this.#at;
    this.#readItems('}', () => {
      if (this.#peek() !== '"') this.#fail();
      const key = this.#readString();
      this.#expect(':');
      object.set(key, this.readValue(depth));
    });
    object.source = this.#text.slice(start, this.#at);
    return object;
  }

  #readList(depth: number): PhpValue[] {
    const list: PhpValue[] = [];
    this.#readItems(']', () => list.push(this.readValue(depth)));
    return list;
  }

  #readItems(closing: string, readItem: () => void): void {
    this.#at += 1;
    if (this.#peek() !== closing) {
      readItem();
      while (this.#peek() === ',') {
        this.#at += 1;
        readItem();
      }
    }
    this.#expect(closing);
  }

  #readString(): string {
    const start = this.#at;
    let end = start + 1;
    while (this.#text[end] !== '"') {
      if (end >= this.#text.length) this.#fail();
      end += this.#text[end] === '\\' ? 2 : 1;
    }
    const text = this.#parseNatively(this.#text.slice(start, end + 1));
    if (!text.isWellFormed()) this.#fail('a surrogate without its other half');
    this.#at = end + 1;
    return text;
  }

  #parseNatively(literal: string): string {
    try {
      return JSON.parse(literal) as string;
    } catch {
      return this.#fail();
    }
  }

  #readNumber(): bigint | number {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) return this.#fail();
    const [digits, fraction, exponent] = match;
    this.#at += digits.length;
    if (fraction !== undefined || exponent !== undefined || digits.length > INTEGER_LENGTH) return Number(digits);
    const integer = BigInt(digits);
    return isPhpInteger(integer) ? integer : Number(digits);
  }

  /** The next character that is no blank. */
  #peek(): string | undefined {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'end')) this.#at += 1;
    return this.#text[this.#at];
  }

  #expect(character: string): void {
    if (this.#peek() !== character) this.#fail();
    this.#at += 1;
  }

  #fail(fault = 'not JSON'): never {
    throw new SyntaxError(`${fault} from character ${this.#at + 1} on`);
  }
}
