// The types of the old API's parameters: what each accepts, and how a refusal is worded.
import { parseDay } from '../calendar/repeat-rule.ts';
import { LegacyError } from './legacy-error.ts';
import { JsonObject, parseJsonForPhp } from './php/json-decode.ts';
import { phpJsonEncode } from './php/json-encode.ts';
import { InvalidText, PhpArray, type PhpValue } from './php/value.ts';

/** A JSON Schema. */
export type Schema = Readonly<Record<string, unknown>>;

export interface ParameterType<Value> {
  /** Follows "must be". */
  accepted: string;
  /** The same for machines; JSON bodies may be stricter than forms, where all is text. */
  schema: Schema;
  /** undefined for what is not accepted. Nothing is cast in silence, as PHP would. */
  read(value: PhpValue): Value | undefined;
}

/** Ids and counts reach GraphQL as Int. */
const MAX_INT = 2 ** 31 - 1;
const SHOWN_CHARACTERS = 100;

/** Also a string of digits: `08` and blanks around are what forms and old callers send. */
export function wholeNumber(least: number, most = MAX_INT): ParameterType<number> {
  const accepted = most === MAX_INT ? `a whole number, ${least} or more` : `a whole number from ${least} to ${most}`;
  const digits = { type: 'string', pattern: '^\\s*\\d+\\s*$' };
  return {
    accepted,
    schema: { anyOf: [{ type: 'integer', minimum: least, maximum: most }, digits] },
    read(value) {
      const number = toNumber(value);
      return Number.isInteger(number) && number >= least && number <= most ? number : undefined;
    },
  };
}

function toNumber(value: PhpValue): number {
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
  return typeof value === 'string' && /^[ \t\n\r\v\f]*\d+[ \t\n\r\v\f]*$/.test(value) ? Number(value) : Number.NaN;
}

const FLAGS = new Map<PhpValue, boolean>([
  [true, true],
  [1n, true],
  ['1', true],
  ['true', true],
  [false, false],
  [0n, false],
  ['0', false],
  ['false', false],
  // A form spells false so, since PHP does.
  ['', false],
]);

export const flag: ParameterType<boolean> = {
  accepted: 'true, false, 1 or 0',
  schema: { enum: [true, false, 1, 0, '1', '0', 'true', 'false', ''] },
  read: (value) => FLAGS.get(value),
};

export const text: ParameterType<string> = {
  accepted: 'a text that is not empty and has no NUL character',
  schema: { type: 'string', minLength: 1 },
  read: (value) => (typeof value === 'string' && value !== '' && !value.includes('\0') ? value : undefined),
};

export const date: ParameterType<string> = {
  accepted: 'a date that exists, as YYYY-MM-DD',
  schema: { type: 'string', format: 'date' },
  read: (value) => (typeof value === 'string' && parseDay(value) !== null ? value : undefined),
};

/** A reference to a task, as the GraphQL API takes it. */
export const taskId: ParameterType<{ legacyId: number }> = {
  accepted: 'the id of a task, a whole number, 1 or more',
  schema: wholeNumber(1).schema,
  read(value) {
    const legacyId = wholeNumber(1).read(value);
    return legacyId === undefined ? undefined : { legacyId };
  },
};

/**
 * The text of a JSON object as it was sent; null for an empty one, however it is spelled. A list is the object whose keys
 * are its positions: PHP cannot tell them apart, so getTasks shows such an object as a list, which may be posted back.
 */
export const jsonObject: ParameterType<string | null> = {
  accepted: 'a JSON object, or null',
  schema: { type: ['object', 'array', 'string', 'null'], description: 'In a form, JSON text.' },
  read(value) {
    const sent = typeof value === 'string' && value !== '' ? parseOrRefuse(value) : value;
    if (sent === undefined) return undefined;
    const content = Array.isArray(sent) ? positioned(sent) : sent;
    if (content === null || content === '' || isEmptyList(content)) return null;
    if (!(content instanceof PhpArray)) return undefined;
    if (content.size === 0) return null;
    const text = encodeOrRefuse(content);
    // A form has objects too (`data[keep]=3`), which like lists have no text of their own.
    return text !== undefined && content instanceof JsonObject ? content.source : text;
  },
};

function positioned(list: readonly PhpValue[]): PhpArray {
  const array = new PhpArray();
  for (const item of list) array.append(item);
  return array;
}

function parseOrRefuse(json: string): PhpValue | undefined {
  try {
    return parseJsonForPhp(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What cannot be shown again is not stored: a number beyond all floats, bytes of a form that are not UTF-8. */
function encodeOrRefuse(content: PhpArray): string | undefined {
  try {
    return `{${[...content].map(([key, value]) => `${phpJsonEncode(key)}:${phpJsonEncode(value)}`).join(',')}}`;
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** PHP's empty array, which it writes `[]` whether it means a list or an object. */
export function isEmptyList(value: PhpValue): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Reads a value that is there. Throws a LegacyError that names `path`, the value and what is accepted. */
export function readAs<Value>(type: ParameterType<Value>, path: string, value: PhpValue): Value {
  const read = type.read(value);
  if (read === undefined) throw refusal(path, value, type.accepted);
  return read;
}

export function refusal(path: string, value: PhpValue | undefined, accepted: string): LegacyError {
  return new LegacyError(`${path}: must be ${accepted}, got ${show(value)}`);
}

/** A value as an error message quotes it, cut to a readable length. */
export function show(value: PhpValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value instanceof InvalidText) return 'bytes that are not UTF-8';
  if (value instanceof PhpArray) return value.size === 0 ? 'an empty object' : 'an object or array';
  if (typeof value === 'object' && value !== null) return value.length === 0 ? 'an empty array' : 'an array';
  if (typeof value !== 'string') return String(value);
  return value.length > SHOWN_CHARACTERS
    ? `${JSON.stringify(value.slice(0, SHOWN_CHARACTERS).toWellFormed())}...`
    : JSON.stringify(value);
}
