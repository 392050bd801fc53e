// Turns a JSON Schema into the fields of a form. Data that has no field is edited as JSON.

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

interface Described {
  label: string;
  /** What it is for, its range and its default. */
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
    // `scalar` is a number or a text: a text that reads as a number is one.
    | ({ kind: 'number' } & Bounds)
    | ({ kind: 'scalar' } & Bounds)
    | { kind: 'choice'; options: readonly Json[] }
    | { kind: 'list'; item: DataField }
    | { kind: 'group'; members: readonly { name: string; isRequired: boolean; field: DataField }[] }
    | { kind: 'map'; value: DataField }
    | { kind: 'either'; options: readonly DataField[] }
    | { kind: 'json' }
  );
export type FieldOf<Kind extends DataField['kind']> = Extract<DataField, { kind: Kind }>;

type Schema = { readonly [keyword: string]: unknown };

/** Where a schema is, to resolve its references. */
interface Place {
  root: Schema;
  /** The references that led here, so that circular ones are not followed. */
  references: readonly string[];
}

const LONG_TEXT = 500;

/** The field for data that `schema` describes. Accepts anything as a schema; an unsupported one is edited as JSON. */
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

/** The alternatives of a schema. Null is not one of them: an empty field stands for it. */
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

/** The bounds of a number, without those that are only the range of JavaScript's integers. */
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

/** Keywords that do not restrict the data. */
const ANNOTATIONS = ['$schema', 'title', 'description', 'default', 'examples', 'deprecated'];

function anything(schema: Schema): DataField {
  if (Object.keys(schema).some((keyword) => !ANNOTATIONS.includes(keyword))) return { kind: 'json', ...BARE };
  const options: DataField[] = [
    { kind: 'text', isLong: true, label: 'Text', hint: null },
    { kind: 'json', label: 'JSON', hint: null },
  ];
  return { kind: 'either', options, ...BARE };
}

/** Merges alternatives: numbers and texts become one field, and so do choices. */
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
  // A text field accepts every choice that is a text.
  const isSaid = text !== undefined && options.every(([, option]) => typeof option === 'string');
  if (options.length > 0 && !isSaid) {
    first.push({ kind: 'choice', options: options.map(([, option]) => option), label: 'Choice', hint: null });
  }
  return [...first, ...others];
}

/** The label of one of several alternatives. */
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
    if (range !== null && !isSaid) parts.push(`Must be ${range}.`);
  }
  const preset = schema?.default;
  if (preset !== undefined) parts.push(`Default: ${JSON.stringify(preset)}.`);
  return parts.length === 0 ? null : parts.join(' ');
}

/** The range in words, such as `1 to 5`; null without bounds. */
export function rangeOf({ least, most }: { least: number | null; most: number | null }): string | null {
  if (least !== null && most !== null) return `${least} to ${most}`;
  if (least !== null) return `at least ${least}`;
  return most === null ? null : `at most ${most}`;
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
