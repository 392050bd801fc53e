// A form for data that a JSON Schema describes: which inputs it has (`fieldOf`), what stands in them (`readData`), and the
// data that they say (`writeData`). What is read and written back unchanged is the same, whether it fits the schema or not:
// a value that its field cannot show stands there as JSON, and keys that the schema does not name stay.

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

interface Described {
  label: string;
  /** What it is for, and what is accepted. */
  hint: string | null;
}

interface Bounds {
  isWhole: boolean;
  least: number | null;
  most: number | null;
}

export type DataField = Described &
  (
    | { kind: 'text'; isLong: boolean }
    // `scalar` is a number or a text: what reads as a number is one.
    | ({ kind: 'number' } & Bounds)
    | ({ kind: 'scalar' } & Bounds)
    | { kind: 'choice'; options: readonly Json[] }
    | { kind: 'list'; item: DataField }
    | { kind: 'group'; members: readonly { name: string; isRequired: boolean; field: DataField }[] }
    | { kind: 'map'; value: DataField }
    | { kind: 'either'; options: readonly DataField[] }
    | { kind: 'json' }
  );
type FieldOf<Kind extends DataField['kind']> = Extract<DataField, { kind: Kind }>;

/** What stands in a field; `original` is what it was read from, undefined for an absent value. */
export type Draft =
  | { kind: 'leaf'; text: string; asJson: boolean; original: Json | undefined }
  | { kind: 'list'; rows: readonly { id: number; draft: Draft }[]; original: Json | undefined }
  | { kind: 'map'; rows: readonly { id: number; name: string; draft: Draft }[]; original: Json | undefined }
  | { kind: 'group'; members: readonly Draft[]; rest: JsonObject; original: Json | undefined }
  | { kind: 'either'; chosen: number; options: readonly Draft[]; original: Json | undefined };
export type DraftOf<Kind extends Draft['kind']> = Extract<Draft, { kind: Kind }>;

export interface DataFault {
  /** Keys and positions, from the outside in. */
  path: readonly (string | number)[];
  message: string;
  /** Of the name in a table, not of the value. */
  isOfName?: true;
}

// Fields

type Schema = { readonly [keyword: string]: unknown };

/** What schemas within schemas are found by. */
interface Place {
  root: Schema;
  /** References that led here; one that leads to itself is not followed. */
  references: readonly string[];
}

const LONG_TEXT = 500;

/** The field for data that `schema` describes. Anything is taken for a schema; what cannot be drawn is edited as JSON. */
export function fieldOf(schema: unknown, label = 'Data'): DataField {
  const root = asSchema(schema) ?? {};
  return drawn(root, label, { root, references: [] });
}

function asSchema(schema: unknown): Schema | null {
  if (schema === true) return {};
  return typeof schema === 'object' && schema !== null && !Array.isArray(schema) ? (schema as Schema) : null;
}

function drawn(schema: Schema | null, name: string, place: Place): DataField {
  const label = typeof schema?.title === 'string' ? schema.title : inWords(name);
  const variants = schema === null ? [] : merged(variantsOf(schema, name, place));
  const [only, ...others] = variants;
  const field: DataField =
    only === undefined
      ? { kind: 'json', label, hint: null }
      : others.length === 0
        ? only
        : { kind: 'either', options: variants, label, hint: null };
  return { ...field, label, hint: hintOf(schema, field) ?? field.hint };
}

/** The fields of which one fits; null is none of them, since a field that is left empty says it. */
function variantsOf(schema: Schema, name: string, place: Place): DataField[] {
  const { $ref: reference, type } = schema;
  if (typeof reference === 'string') {
    const found = place.references.includes(reference) ? null : resolve(place.root, reference);
    if (found === null) return [{ kind: 'json', label: name, hint: null }];
    return variantsOf(found, name, { ...place, references: [...place.references, reference] });
  }
  if (Array.isArray(type)) return type.flatMap((each) => variantsOf({ ...schema, type: each }, name, place));
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (type === undefined && Array.isArray(alternatives)) {
    return alternatives.flatMap((each) => {
      const alternative = asSchema(each);
      return alternative === null ? [] : variantsOf(alternative, name, place);
    });
  }
  const field = type === 'null' || isNothing(schema) ? null : simple(schema, name, place);
  return field === null ? [] : [{ ...field, label: labelOf(schema, field), hint: hintOf(schema, field) }];
}

function resolve({ ...root }: Schema, reference: string): Schema | null {
  if (!reference.startsWith('#')) return null;
  const keys = reference.split('/').slice(1);
  const decoded = keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  return asSchema(decoded.reduce<unknown>((found, key) => asSchema(found)?.[key], root));
}

function isNothing({ type, maxItems, not }: Schema): boolean {
  return (type === 'array' && maxItems === 0) || (not !== undefined && Object.keys(asSchema(not) ?? {}).length === 0);
}

const BARE = { label: '', hint: null };

function simple(schema: Schema, name: string, place: Place): DataField | null {
  const { type, enum: values, const: only, maxLength } = schema;
  if ('const' in schema) return { kind: 'choice', options: [only as Json], ...BARE };
  if (Array.isArray(values)) return { kind: 'choice', options: values.filter((value) => value !== null), ...BARE };
  switch (type) {
    case 'string':
      return { kind: 'text', isLong: typeof maxLength === 'number' && maxLength > LONG_TEXT, ...BARE };
    case 'number':
    case 'integer':
      return { kind: 'number', isWhole: type === 'integer', ...boundsOf(schema), ...BARE };
    case 'boolean':
      return { kind: 'choice', options: [true, false], ...BARE };
    case 'array':
      return listOf(schema, name, place);
    case 'object':
      return objectOf(schema, name, place);
    default:
      return anything(schema);
  }
}

/** Bounds that only say what a JavaScript number can hold are none. */
function boundsOf({ minimum, maximum }: Schema): { least: number | null; most: number | null } {
  const bound = (value: unknown) =>
    typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : null;
  return { least: bound(minimum), most: bound(maximum) };
}

function listOf({ items, prefixItems }: Schema, name: string, place: Place): DataField {
  if (prefixItems !== undefined) return { kind: 'json', ...BARE };
  return { kind: 'list', item: drawn(asSchema(items ?? true), name, place), ...BARE };
}

function objectOf(schema: Schema, name: string, place: Place): DataField {
  const { properties, additionalProperties = true, patternProperties, required } = schema;
  if (properties === undefined) {
    if (patternProperties !== undefined) return { kind: 'json', ...BARE };
    return { kind: 'map', value: drawn(asSchema(additionalProperties), name, place), ...BARE };
  }
  const needed = Array.isArray(required) ? required : [];
  const members = Object.entries(asSchema(properties) ?? {}).map(([key, member]) => {
    return { name: key, isRequired: needed.includes(key), field: drawn(asSchema(member), key, place) };
  });
  return { kind: 'group', members, ...BARE };
}

/** Keywords that say nothing of what is accepted. */
const ANNOTATIONS = ['$schema', 'title', 'description', 'default', 'examples', 'deprecated'];

function anything(schema: Schema): DataField {
  if (Object.keys(schema).some((keyword) => !ANNOTATIONS.includes(keyword))) return { kind: 'json', ...BARE };
  const options: DataField[] = [
    { kind: 'text', isLong: true, label: 'Text', hint: null },
    { kind: 'json', label: 'JSON', hint: null },
  ];
  return { kind: 'either', options, ...BARE };
}

/** Numbers and texts become one field, and so do choices. */
function merged(fields: readonly DataField[]): DataField[] {
  const flat = fields.flatMap((field) => (field.kind === 'either' ? field.options : [field]));
  const texts = flat.filter((field) => field.kind === 'text');
  const numbers = flat.filter((field) => field.kind === 'number');
  const choices = flat.filter((field) => field.kind === 'choice');
  const others = flat.filter(({ kind }) => kind !== 'text' && kind !== 'number' && kind !== 'choice');
  const [text] = texts;
  const first: DataField[] = [];
  if (numbers.length > 0) {
    const bound = (pick: 'least' | 'most', extreme: (...values: number[]) => number) => {
      const bounds = numbers.map((field) => field[pick]).filter((value) => value !== null);
      return bounds.length === numbers.length ? extreme(...bounds) : null;
    };
    const kind = text === undefined ? 'number' : 'scalar';
    const isWhole = numbers.every((field) => field.isWhole);
    const label = kind === 'number' ? 'Number' : 'Value';
    first.push({ kind, isWhole, least: bound('least', Math.min), most: bound('most', Math.max), label, hint: null });
  } else if (text !== undefined) first.push({ ...text, isLong: texts.some(({ isLong }) => isLong) });
  const options = [...new Map(choices.flatMap((field) => field.options).map((each) => [JSON.stringify(each), each]))];
  // A text says what any choice among texts does.
  const isSaid = text !== undefined && options.every(([, option]) => typeof option === 'string');
  if (options.length > 0 && !isSaid) {
    first.push({ kind: 'choice', options: options.map(([, option]) => option), label: 'Choice', hint: null });
  }
  return [...first, ...others];
}

/** Of one of several that a value can be. */
function labelOf({ title }: Schema, field: DataField): string {
  if (typeof title === 'string') return title;
  switch (field.kind) {
    case 'text':
      return 'Text';
    case 'number':
      return 'Number';
    case 'list':
      return 'List';
    case 'map':
      return 'Table';
    case 'group':
      return inWords(field.members.map(({ name }) => name).join(' and ')) || 'Object';
    default:
      return field.label || 'JSON';
  }
}

function hintOf(schema: Schema | null, field: DataField): string | null {
  const parts = typeof schema?.description === 'string' ? [schema.description] : [];
  if (field.kind === 'number' || field.kind === 'scalar') {
    const range = rangeOf(field);
    const isSaid = field.most !== null && new RegExp(`\\b${field.most}\\b`).test(parts[0] ?? '');
    if (range !== null && !isSaid) parts.push(`Accepted: ${range}.`);
  }
  const preset = schema?.default;
  if (preset !== undefined) parts.push(`${JSON.stringify(preset)} unless given.`);
  return parts.length === 0 ? null : parts.join(' ');
}

function rangeOf({ least, most }: { least: number | null; most: number | null }): string | null {
  if (least !== null && most !== null) return `${least} to ${most}`;
  if (least !== null) return `${least} and more`;
  return most === null ? null : `up to ${most}`;
}

/** `max_redirects` and `maxRedirects` as `Max redirects`. */
function inWords(name: string): string {
  const words = name
    .replaceAll(/[_\s-]+/g, ' ')
    .replaceAll(/([a-z\d])([A-Z])/g, (_all, left: string, right: string) => `${left} ${right.toLowerCase()}`)
    .trim();
  const spelled = words.split(' ').map((word) => (ABBREVIATIONS.has(word.toLowerCase()) ? word.toUpperCase() : word));
  const text = spelled.join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const ABBREVIATIONS = new Set(['api', 'dns', 'http', 'id', 'ip', 'json', 'url']);

// Reading

/** What stands in the field for a value; undefined is an absent one. */
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

/** Whether the field's own inputs can show the value; what is in it may stand there as JSON. */
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

/** The same, for all that is in it. */
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

/** What the field says, undefined for an absent value, and what is wrong with what was typed. */
export function writeData(field: DataField, draft: Draft): { value: Json | undefined; faults: DataFault[] } {
  const faults: DataFault[] = [];
  const value = write(field, draft, [], (fault) => faults.push(fault), true);
  return { value, faults };
}

type Path = DataFault['path'];
type Report = (fault: DataFault) => void;

/** Where `isNeeded`, what is missing of it is a fault even if nothing of it is there. */
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
      report({ path, message: `It is not JSON: ${error instanceof Error ? error.message : error}` });
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
  // What is written as no number is, such as 007, is a text where a text is accepted.
  const isNumber = Number.isFinite(value) && (field.kind === 'number' || String(value) === text);
  if (!isNumber && field.kind === 'scalar') return text;
  const { isWhole, least, most } = field;
  const isIn = (least === null || value >= least) && (most === null || value <= most);
  if (!isNumber || !isIn || (isWhole && !Number.isInteger(value))) {
    const range = rangeOf(field);
    report({
      path,
      message: `It is ${text}; accepted is a ${isWhole ? 'whole ' : ''}number${range === null ? '' : `, ${range}`}.`,
    });
  }
  return isNumber ? value : undefined;
}

/** In a list or a table nothing is absent. */
function writeItem(field: DataField, draft: Draft, path: Path, report: Report): Json {
  const value = write(field, draft, path, report, true);
  if (value !== undefined) return value;
  const chosen = field.kind === 'either' && draft.kind === 'either' ? field.options[draft.chosen] : field;
  if (chosen?.kind === 'text' || chosen?.kind === 'scalar') return '';
  if (chosen?.kind === 'list') return [];
  if (chosen?.kind === 'map' || chosen?.kind === 'group') return {};
  report({ path, message: 'It is empty: fill it in, or remove it.' });
  return null;
}

function writeMap(field: FieldOf<'map'>, draft: DraftOf<'map'>, path: Path, report: Report): Json | undefined {
  const { original, rows } = draft;
  const known = new Set(isObject(original) ? Object.keys(original) : []);
  const entries = new Map<string, Json>();
  for (const { name, draft: each } of rows) {
    if (entries.has(name)) report({ path: [...path, name], message: 'The name is there twice.', isOfName: true });
    if (name === '' && !known.has('')) report({ path: [...path, name], message: 'It has no name.', isOfName: true });
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
  for (const each of missing) report({ path: each, message: 'It is needed.' });
  // In the order in which they came.
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

/** Whether two values say the same; the order of keys says nothing. */
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
