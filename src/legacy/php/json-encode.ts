// JSON as PHP's json_encode with default flags writes it.
import { parseJsonForPhp } from './json-decode.ts';
import { InvalidText } from './value.ts';

/** A value that is already encoded as json_encode prints it. */
export class RawJson {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
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

/** Stored JSON text as PHP returns it: decoded and encoded again. Throws as parseJsonForPhp and phpJsonEncode do. */
export function phpRecode(jsonText: string): string {
  return phpJsonEncode(parseJsonForPhp(jsonText));
}
