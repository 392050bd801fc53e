// Converts data to what its inputs show (`readData`) and back (`writeData`). Data that is not edited comes back
// unchanged, whether it fits the schema or not: a value that its field cannot show is shown as JSON, and keys that the
// schema does not name are kept.
import { type DataField, type FieldOf, type Json, type JsonObject, rangeOf } from './data-fields.ts';

/** The content of a field; `original` is the value that it was read from, undefined if absent. */
export type Draft =
  | { kind: 'leaf'; text: string; asJson: boolean; original: Json | undefined }
  | { kind: 'list'; rows: readonly { id: number; draft: Draft }[]; original: Json | undefined }
  | { kind: 'map'; rows: readonly { id: number; name: string; draft: Draft }[]; original: Json | undefined }
  | { kind: 'group'; members: readonly Draft[]; rest: JsonObject; original: Json | undefined }
  | { kind: 'either'; chosen: number; options: readonly Draft[]; original: Json | undefined };
export type DraftOf<Kind extends Draft['kind']> = Extract<Draft, { kind: Kind }>;

export interface DataFault {
  /** Keys and indexes, from the outside in. */
  path: readonly (string | number)[];
  message: string;
  /** Set for a fault of the name in a table rather than of its value. */
  isOfName?: true;
}

// Reading

/** The content of the field for a value; undefined is an absent one. */
export function readData(field: DataField, value: Json | undefined): Draft {
  const isEmpty = value === undefined || value === null;
  if (field.kind === 'json' || !(isEmpty || isShown(field, value))) {
    return { kind: 'leaf', asJson: true, text: jsonText(value), original: value };
  }
  switch (field.kind) {
    case 'list': {
      const items = isEmpty ? [] : (value as Json[]);
      return {
        kind: 'list',
        rows: items.map((item, id) => ({ id, draft: readData(field.item, item) })),
        original: value,
      };
    }
    case 'map': {
      const entries = isEmpty ? [] : Object.entries(value as JsonObject);
      const rows = entries.map(([name, each], id) => ({ id, name, draft: readData(field.value, each) }));
      return { kind: 'map', rows, original: value };
    }
    case 'group': {
      const entries = new Map(isEmpty ? [] : Object.entries(value as JsonObject));
      const members = field.members.map((member) => readData(member.field, entries.get(member.name)));
      for (const { name } of field.members) entries.delete(name);
      return { kind: 'group', members, rest: Object.fromEntries(entries), original: value };
    }
    case 'either': {
      const chosen = isEmpty ? 0 : bestOf(field.options, value);
      const options = field.options.map((option, index) => readData(option, index === chosen ? value : undefined));
      return { kind: 'either', chosen, options, original: value };
    }
    default:
      return { kind: 'leaf', asJson: false, text: leafText(field.kind, value), original: value };
  }
}

function jsonText(value: Json | undefined): string {
  return value === undefined ? '' : JSON.stringify(value, null, 2);
}

function leafText(kind: DataField['kind'], value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  return kind === 'choice' ? JSON.stringify(value) : String(value);
}

/** Whether the inputs of the field can show the value; values within it may be shown as JSON. */
function isShown(field: DataField, value: Json): boolean {
  switch (field.kind) {
    case 'text':
      return typeof value === 'string';
    case 'number':
      return typeof value === 'number';
    case 'scalar':
      return typeof value === 'number' || typeof value === 'string';
    case 'choice':
      return field.options.some((option) => isEqual(option, value));
    case 'list':
      return Array.isArray(value);
    case 'map':
    case 'group':
      return isObject(value);
    case 'either':
      return field.options.some((option) => isShown(option, value));
    case 'json':
      return true;
  }
}

/** Whether the inputs can show the value and all values within it. */
function fits(field: DataField, value: Json): boolean {
  if (!isShown(field, value)) return false;
  switch (field.kind) {
    case 'list':
      return (value as Json[]).every((item) => fits(field.item, item));
    case 'map':
      return Object.values(value as JsonObject).every((each) => fits(field.value, each));
    case 'group': {
      const entries = new Map(Object.entries(value as JsonObject));
      return field.members.every(({ name, isRequired, field: member }) => {
        const each = entries.get(name);
        return each === undefined || each === null ? !isRequired : fits(member, each);
      });
    }
    case 'either':
      return field.options.some((option) => fits(option, value));
    default:
      return true;
  }
}

function bestOf(options: readonly DataField[], value: Json): number {
  const fitting = options.findIndex((option) => fits(option, value));
  return fitting === -1 ? options.findIndex((option) => isShown(option, value)) : fitting;
}

// Writing

/** The value of the field, undefined if absent, and the faults of what was typed. */
export function writeData(field: DataField, draft: Draft): { value: Json | undefined; faults: DataFault[] } {
  const faults: DataFault[] = [];
  const value = write(field, draft, [], (fault) => faults.push(fault), true);
  return { value, faults };
}

type Path = DataFault['path'];
type Report = (fault: DataFault) => void;

/** If `isNeeded`, missing members are faults even if all are missing. */
function write(field: DataField, draft: Draft, path: Path, report: Report, isNeeded: boolean): Json | undefined {
  const { original } = draft;
  switch (draft.kind) {
    case 'leaf':
      return writeLeaf(field, draft, path, report);
    case 'either': {
      const option = (field as FieldOf<'either'>).options[draft.chosen];
      const chosen = draft.options[draft.chosen];
      return option && chosen ? write(option, chosen, path, report, isNeeded) : original;
    }
    case 'list': {
      const { item } = field as FieldOf<'list'>;
      const items = draft.rows.map((row, index) => writeItem(item, row.draft, [...path, index], report));
      return items.length === 0 && !Array.isArray(original) ? original : items;
    }
    case 'map':
      return writeMap(field as FieldOf<'map'>, draft, path, report);
    case 'group':
      return writeGroup(field as FieldOf<'group'>, draft, path, report, isNeeded);
  }
}

function writeLeaf(field: DataField, draft: DraftOf<'leaf'>, path: Path, report: Report): Json | undefined {
  const { text, asJson, original } = draft;
  if (text === (asJson ? jsonText(original) : leafText(field.kind, original))) return original;
  const trimmed = text.trim();
  if (asJson) {
    if (trimmed === '') return undefined;
    try {
      return JSON.parse(trimmed) as Json;
    } catch (error) {
      report({ path, message: `Must be JSON: ${error instanceof Error ? error.message : error}` });
      return original;
    }
  }
  if (field.kind === 'choice') return field.options.find((option) => JSON.stringify(option) === text);
  if (field.kind === 'number' || field.kind === 'scalar') return writeNumber(field, trimmed, path, report);
  return text === '' ? undefined : text;
}

function writeNumber(field: FieldOf<'number' | 'scalar'>, text: string, path: Path, report: Report): Json | undefined {
  if (text === '') return undefined;
  const value = Number(text);
  // If a text is accepted, one that is not in the usual form of a number, such as 007, stays a text.
  const isNumber = Number.isFinite(value) && (field.kind === 'number' || String(value) === text);
  if (!isNumber && field.kind === 'scalar') return text;
  const { isWhole, least, most } = field;
  const isIn = (least === null || value >= least) && (most === null || value <= most);
  if (!isNumber || !isIn || (isWhole && !Number.isInteger(value))) {
    const range = rangeOf(field);
    report({
      path,
      message: `Must be a ${isWhole ? 'whole ' : ''}number${range === null ? '' : ` (${range})`}, got ${text}.`,
    });
  }
  return isNumber ? value : undefined;
}

/** Writes an item of a list or a table, where no value may be absent. */
function writeItem(field: DataField, draft: Draft, path: Path, report: Report): Json {
  const value = write(field, draft, path, report, true);
  if (value !== undefined) return value;
  const chosen = field.kind === 'either' && draft.kind === 'either' ? field.options[draft.chosen] : field;
  if (chosen?.kind === 'text' || chosen?.kind === 'scalar') return '';
  if (chosen?.kind === 'list') return [];
  if (chosen?.kind === 'map' || chosen?.kind === 'group') return {};
  report({ path, message: 'Must not be empty: fill it in, or remove it.' });
  return null;
}

function writeMap(field: FieldOf<'map'>, draft: DraftOf<'map'>, path: Path, report: Report): Json | undefined {
  const { original, rows } = draft;
  const known = new Set(isObject(original) ? Object.keys(original) : []);
  const entries = new Map<string, Json>();
  for (const { name, draft: each } of rows) {
    const reportName = (message: string) => report({ path: [...path, name], message, isOfName: true });
    if (entries.has(name)) reportName('Duplicate name.');
    if (name === '' && !known.has('')) reportName('A name is required.');
    entries.set(name, writeItem(field.value, each, [...path, name], report));
  }
  return entries.size === 0 && !isObject(original) ? original : Object.fromEntries(entries);
}

function writeGroup(
  field: FieldOf<'group'>,
  draft: DraftOf<'group'>,
  path: Path,
  report: Report,
  isNeeded: boolean,
): Json | undefined {
  const { original, members, rest } = draft;
  const values = new Map<string, Json>();
  const missing: Path[] = [];
  for (const [index, { name, isRequired, field: member }] of field.members.entries()) {
    const each = members[index];
    const value = each && write(member, each, [...path, name], report, isRequired);
    if (value !== undefined) values.set(name, value);
    else if (isRequired) missing.push([...path, name]);
  }
  for (const [name, value] of Object.entries(rest)) values.set(name, value);
  if (values.size === 0 && !isObject(original) && !isNeeded) return original;
  for (const each of missing) report({ path: each, message: 'This field is required.' });
  // In the original order, with new keys at the end.
  const order = new Set([...(isObject(original) ? Object.keys(original) : []), ...values.keys()]);
  const entries = [...order].flatMap((name): [string, Json][] => {
    const value = values.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return entries.length === 0 && !isObject(original) ? original : Object.fromEntries(entries);
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two values are equal, whatever the order of their keys. */
export function isEqual(left: Json | undefined, right: Json | undefined): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => isEqual(item, right[index]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && isEqual(left[key], right[key]))
  );
}
