// The form that is generated from the JSON Schema of a task's data.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type DataField, fieldOf, type Json } from '../../src/dashboard/editor/data-fields.ts';
import { type Draft, type DraftOf, isEqual, readData, writeData } from '../../src/dashboard/editor/data-form.ts';
import { httpRequestData } from '../../src/task-classes/built-in/http-request/data.ts';
import { dataSchemaOf } from '../../src/task-classes/data-schema.ts';

type Schema = Record<string, unknown>;

const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;
/** Few names, so that data and schemas share some. */
const name = fc.constantFrom('a', 'b', 'c_d', '', '__proto__', '7');

const { schema: schemas } = fc.letrec<{ schema: Schema; object: Schema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.constantFrom<Schema>(
      { type: 'string' },
      { type: 'string', maxLength: 900 },
      { type: 'integer', minimum: -3, maximum: 3 },
      { type: 'number' },
      { type: 'boolean', default: true },
      { type: ['string', 'null'] },
      { enum: ['x', 'y', 3, null] },
      { const: 'only' },
      {},
      { not: {} },
      { type: 'string', pattern: '^a' },
      { anyOf: [{ type: 'integer' }, { type: 'string' }] },
      { $ref: '#' },
      { $ref: '#/nowhere' },
      { allOf: [{ type: 'string' }] },
      { type: 'array', prefixItems: [{ type: 'string' }] },
    ),
    fc.record({ type: fc.constant('array'), items: tie('schema') }),
    tie('object'),
    fc.record({ type: fc.constant('object'), additionalProperties: tie('schema') }),
    fc.record({ anyOf: fc.array(tie('schema'), { maxLength: 3 }) }),
    tie('schema').map((schema) => ({ anyOf: [schema, { type: 'null' }] })),
  ),
  object: fc.record({
    type: fc.constant('object'),
    properties: fc.dictionary(name, tie('schema'), { maxKeys: 3 }),
    required: fc.array(name, { maxLength: 2 }),
  }),
}));

/** Data for the schema, mostly of the type that it describes. */
function dataOf(schema: Schema, root: Schema = schema, depth = 0): fc.Arbitrary<Json> {
  const { type, anyOf, enum: values, items, properties, additionalProperties, $ref } = schema;
  if (depth > 4) return json;
  const inner = (each: unknown) => dataOf(each as Schema, root, depth + 1);
  const fitting: fc.Arbitrary<Json>[] = [];
  if ($ref === '#') fitting.push(inner(root));
  if (Array.isArray(anyOf)) fitting.push(...anyOf.map(inner));
  if (Array.isArray(values)) fitting.push(fc.constantFrom(...(values as Json[])));
  if (type === 'string') fitting.push(fc.string());
  if (type === 'integer') fitting.push(fc.integer());
  if (type === 'number') fitting.push(fc.double({ noNaN: true, noDefaultInfinity: true }).map((each) => each + 0));
  if (type === 'boolean') fitting.push(fc.boolean());
  if (items) fitting.push(fc.array(inner(items), { maxLength: 3 }));
  if (additionalProperties) fitting.push(fc.dictionary(name, inner(additionalProperties), { maxKeys: 3 }));
  if (properties) {
    const members = Object.entries(properties).map(([key, member]) => [key, fc.option(inner(member))] as const);
    const drawn = fc.tuple(...members.map(([key, value]) => value.map((each): [string, Json] => [key, each])));
    fitting.push(
      fc.tuple(drawn, fc.dictionary(name, json)).map(([own, rest]) => ({ ...rest, ...Object.fromEntries(own) })),
    );
  }
  return fc.oneof({ weight: 1, arbitrary: json }, ...fitting.map((arbitrary) => ({ weight: 6, arbitrary })));
}

const cases = schemas.chain((schema) => fc.tuple(fc.constant(schema), fc.option(dataOf(schema), { nil: undefined })));

function memberOf(draft: Draft, field: DataField, member: string): [Draft, DataField] {
  if (draft.kind !== 'group' || field.kind !== 'group') throw new Error('not a group');
  const index = field.members.findIndex((each) => each.name === member);
  const [own, ownField] = [draft.members[index], field.members[index]?.field];
  if (own === undefined || ownField === undefined) throw new Error(`there is no ${member}`);
  return [own, ownField];
}

/** The draft with the draft of one member changed. */
function typed(draft: Draft, field: DataField, member: string, change: (own: Draft) => Draft): Draft {
  const [own] = memberOf(draft, field, member);
  const group = draft as DraftOf<'group'>;
  return { ...group, members: group.members.map((each) => (each === own ? change(own) : each)) };
}

const withText = (text: string) => (draft: Draft) => ({ ...(draft as DraftOf<'leaf'>), text });

describe('a data form', () => {
  test('returns what it read, whatever the schema and whether the data fit it or not', () => {
    const unchanged = fc.property(cases, ([schema, data]) => {
      const field = fieldOf(schema);
      const { value, faults } = writeData(field, readData(field, data));
      expect(JSON.stringify(value)).toBe(JSON.stringify(data));
      expect(isEqual(value, data)).toBe(true);
      expect(faults.filter(({ message }) => message !== 'This field is required.')).toEqual([]);
    });
    fc.assert(unchanged, { numRuns: 1_500 });
  });

  test('accepts anything as a schema', () => {
    fc.assert(
      fc.property(fc.oneof(json, fc.record({ type: json, anyOf: json, properties: json, items: json })), (schema) => {
        expect(writeData(fieldOf(schema), readData(fieldOf(schema), { a: 1 })).value).toEqual({ a: 1 });
      }),
      { numRuns: 1_000 },
    );
  });

  test('reads typed text by the schema', () => {
    const field = fieldOf(
      dataSchemaOf(
        z.looseObject({
          text: z.string(),
          whole: z.int().min(1).max(5).nullish(),
          both: z.union([z.int(), z.string()]).optional(),
          flag: z.boolean().optional(),
          pick: z.enum(['x', 'y']).nullish(),
        }),
      ),
    );
    const written = (member: string, text: string) =>
      writeData(field, typed(readData(field, { text: 'a', kept: 1 }), field, member, withText(text)));
    const is = (member: string, text: string, value: Json) =>
      expect(written(member, text)).toEqual({ value: { text: 'a', kept: 1, [member]: value }, faults: [] });
    is('text', ' b ', ' b ');
    is('whole', ' 3 ', 3);
    is('both', '3', 3);
    is('both', '007', '007');
    is('both', '200-299', '200-299');
    is('flag', 'false', false);
    is('pick', '"y"', 'y');
    expect(written('whole', '6').faults).toEqual([
      { path: ['whole'], message: 'Must be a whole number (1 to 5), got 6.' },
    ]);
    expect(written('whole', 'x').faults[0]?.message).toBe('Must be a whole number (1 to 5), got x.');
    expect(written('text', '').faults).toEqual([{ path: ['text'], message: 'This field is required.' }]);
  });

  test('omits a key whose field is emptied', () => {
    const field = fieldOf({ type: 'object', properties: { a: { type: 'string' }, b: { type: 'number' } } });
    const draft = typed(readData(field, { a: 'x', b: 1, c: null }), field, 'b', withText(''));
    expect(writeData(field, draft)).toEqual({ value: { a: 'x', c: null }, faults: [] });
  });

  test('has fields for the data of an HTTP request', () => {
    const field = fieldOf(dataSchemaOf(httpRequestData));
    if (field.kind !== 'group') throw new Error('not a group');
    const kinds = Object.fromEntries(field.members.map(({ name, field: { kind } }) => [name, kind]));
    expect(kinds).toEqual({
      url: 'text',
      method: 'choice',
      headers: 'map',
      body: 'either',
      expected_status: 'either',
      timeout_seconds: 'scalar',
      max_redirects: 'scalar',
      max_response_bytes: 'scalar',
      log_response: 'scalar',
    });
    const [, headers] = memberOf(readData(field, {}), field, 'headers');
    const value = headers.kind === 'map' ? headers.value : null;
    expect(value?.kind === 'either' && value.options.map(({ kind, label }) => [kind, label])).toEqual([
      ['scalar', 'Value'],
      ['group', 'Secret and prefix'],
    ]);
    expect(field.members.map(({ field: { label } }) => label).slice(0, 6)).toEqual([
      'URL',
      'Method',
      'Headers',
      'Body',
      'Expected status',
      'Timeout seconds',
    ]);
  });

  test('reports missing and duplicate names of a table, and empty values', () => {
    const field = fieldOf({ type: 'object', additionalProperties: { type: 'number' } });
    const draft = readData(field, { a: 1, b: 2 }) as DraftOf<'map'>;
    const renamed = { ...draft, rows: draft.rows.map((row) => ({ ...row, name: 'a' })) };
    expect(writeData(field, renamed).faults).toEqual([{ path: ['a'], message: 'Duplicate name.', isOfName: true }]);
    const added = { ...draft, rows: [...draft.rows, { id: 9, name: '', draft: readData(field, undefined) }] };
    const emptied = { ...added, rows: added.rows.map((row) => ({ ...row, draft: withText('')(row.draft) })) };
    expect(writeData(field, emptied).faults.map(({ message }) => message)).toContain('A name is required.');
    expect(writeData(field, emptied).faults.map(({ message }) => message)).toContain(
      'Must not be empty: fill it in, or remove it.',
    );
  });
});
