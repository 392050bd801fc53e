// The data of a task, or of one run: a JSON object that its class understands, kept as the text that its sender wrote.
import { badInput } from '../lib/faults.ts';
import type { KnownClass } from '../task-classes/known-classes.ts';

/** Eight mebibytes: what the old server took in one call. */
const MAX_LENGTH = 8 * 1024 * 1024;

/** Data in one of two forms. */
export interface GivenData {
  data?: unknown;
  /** The same as JSON text. */
  dataText?: string | null | undefined;
}

/** A non-empty data object: its text, which is stored unchanged, and its parsed value. */
export interface ReadData {
  text: string;
  value: object;
}

/**
 * Reads and parses data once: undefined if none is given, null for null and for empty data. It must be an object; the
 * empty array counts as one, since PHP writes an empty object as one. BAD_USER_INPUT at `data` or `dataText`.
 */
export function readData({ data, dataText }: GivenData): ReadData | null | undefined {
  if (data !== undefined && dataText !== undefined) {
    throw badInput('dataText', 'must not be given together with data');
  }
  const field = dataText === undefined ? 'data' : 'dataText';
  // Before it becomes text, in which a number that is too large would be null.
  refuseFaults(data, field);
  const text = dataText === undefined ? stringify(data) : dataText;
  if (text === undefined || text === null) return text;
  if (text.length > MAX_LENGTH) {
    throw badInput(field, `must have at most ${MAX_LENGTH} characters, got ${text.length}`);
  }
  const value = parseJson(text, field);
  if (value === null || (Array.isArray(value) && value.length === 0)) return null;
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw badInput(field, `must be a JSON object or null, got ${text.slice(0, 80)}`);
  }
  if (dataText !== undefined) refuseFaults(value, field);
  return Object.keys(value).length === 0 ? null : { text, value };
}

/**
 * Refuses data that the class could not run with; keys that the class does not know are fine. A fault names
 * the place within `data`, however that was given.
 */
export function checkData(taskClass: KnownClass | null, data: object): void {
  const fault = taskClass?.findFault(data) ?? null;
  if (fault !== null) throw badInput(['data', ...fault.path], fault.message);
}

function refuseFaults(value: unknown, field: string): void {
  const fault = faultOf(value, 1);
  if (fault !== null) throw badInput(field, fault);
}

/** Levels of nesting that json_decode of old callers accepts. */
const MAX_LEVELS = 511;

/** Finds what old callers cannot decode: one such task would break their whole list. Null if there is nothing. */
function faultOf(value: unknown, level: number): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? null : faultOfText(value);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return 'must have only numbers that a double can hold';
  }
  if (typeof value !== 'object' || value === null) return null;
  if (level > MAX_LEVELS) return `must have at most ${MAX_LEVELS} levels`;
  const isList = Array.isArray(value);
  for (const [key, each] of Object.entries(value)) {
    const fault = (isList || key.isWellFormed() ? null : faultOfText(key)) ?? faultOf(each, level + 1);
    if (fault !== null) return fault;
  }
  return null;
}

function faultOfText(text: string): string {
  return `must have only Unicode text, got half of a surrogate pair in ${JSON.stringify(text.slice(0, 80))}`;
}

function stringify(data: unknown): string | null | undefined {
  return data === undefined || data === null ? data : JSON.stringify(data);
}

function parseJson(text: string, field: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badInput(field, `must be a JSON object, got "${text.slice(0, 80)}"`);
  }
}
