// The data of a task as typed, in fields or as JSON text.
import type { DataField, Json } from './data-fields.ts';
import { type DataFault, type Draft, isEqual, readData, writeData } from './data-form.ts';
import { type Values, withoutEmpty } from './task-values.ts';

export interface TypedData {
  isText: boolean;
  text: string;
  draft: Draft;
}

/** JavaScript may not read a number with this many digits exactly, so data with such a number are edited as text. */
const LONG_NUMBER = /\d{16}/;

export function typedData(field: DataField, { data, dataText }: Pick<Values, 'data' | 'dataText'>): TypedData {
  const text = dataText !== null && LONG_NUMBER.test(dataText) ? dataText : data === null ? '' : asText(data);
  return {
    isText: LONG_NUMBER.test(text) && text === dataText,
    text,
    draft: readData(field, data === null ? undefined : data),
  };
}

export function asText(data: Json): string {
  return JSON.stringify(data, null, 2);
}

/** Switches between fields and text. Null if the text is not a JSON object or has numbers that would lose digits. */
export function switchData(typed: TypedData, field: DataField): TypedData | null {
  if (!typed.isText) {
    const { value } = writeData(field, typed.draft);
    const isSame = typed.text !== '' && isEqual(parse(typed.text), value);
    return { ...typed, isText: true, text: isSame ? typed.text : value === undefined ? '' : asText(value) };
  }
  const data = LONG_NUMBER.test(typed.text) ? undefined : parse(typed.text);
  if (data === undefined || (data !== null && (typeof data !== 'object' || Array.isArray(data)))) return null;
  return { ...typed, isText: false, draft: readData(field, data ?? undefined) };
}

interface ReadData extends Pick<Values, 'data' | 'dataText'> {
  faults: readonly DataFault[];
  /** Whether the text is not JSON. */
  isInvalid: boolean;
}

/** The data that were typed, and the faults of their fields; undefined is data that were never shown. */
export function readTypedData(typed: TypedData | undefined, field: DataField): ReadData {
  if (typed === undefined) return { data: null, dataText: null, faults: [], isInvalid: false };
  if (typed.isText) {
    const data = parse(typed.text);
    return { data: withoutEmpty(data), dataText: typed.text, faults: [], isInvalid: data === undefined };
  }
  const { value, faults } = writeData(field, typed.draft);
  return { data: withoutEmpty(value), dataText: null, faults, isInvalid: false };
}

/** Whether two tasks have the same data. Long numbers are compared as text. */
export function isSameData(left: Values, right: Values): boolean {
  const texts = [left.dataText?.trim(), right.dataText?.trim()];
  if (texts.every((text) => text !== undefined) && texts.some((text) => LONG_NUMBER.test(text ?? ''))) {
    return texts[0] === texts[1];
  }
  return isEqual(left.data, right.data);
}

/** Null for an empty text, undefined for one that is not JSON. */
function parse(text: string): Json | undefined {
  if (text.trim() === '') return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
