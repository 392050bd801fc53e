import { readFile } from 'node:fs/promises';
import {
  type GraphQLField,
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  validateSchema,
} from 'graphql';
import { expect, test } from 'vitest';
import { operationTypes, TYPES } from '../../src/dashboard/generate.ts';
import { schema } from '../../src/schema/index.ts';
import { printedSchema, SCHEMA_FILE } from '../../src/schema/print.ts';

test('the schema is valid', () => {
  expect(validateSchema(schema)).toEqual([]);
});

test('schema.graphql is the schema: npm run schema writes it', async () => {
  expect(await readFile(SCHEMA_FILE, 'utf8')).toBe(printedSchema());
});

test('the types of the dashboard are those of its operations: npm run dashboard:types writes them', async () => {
  expect(await readFile(TYPES, 'utf8')).toBe(await operationTypes());
});

test('everything in the schema has a description', () => {
  const types = Object.values(schema.getTypeMap()).filter(
    (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
  );
  expect(types.length).toBeGreaterThan(40);
  expect(types.flatMap(withoutDescription)).toEqual([]);
});

interface Described {
  description?: string | null | undefined;
}

function withoutDescription(type: GraphQLNamedType): string[] {
  return partsOf(type)
    .filter(([, { description }]) => !description)
    .map(([name]) => name);
}

function partsOf(type: GraphQLNamedType): [string, Described][] {
  const self: [string, Described] = [type.name, type];
  if (isEnumType(type)) return [self, ...type.getValues().map(named(type.name))];
  if (isInputObjectType(type)) return [self, ...Object.values(type.getFields()).map(named(type.name))];
  if (!isObjectType(type) && !isInterfaceType(type)) return [self];
  return [self, ...Object.values(type.getFields()).flatMap((field) => fieldParts(type.name, field))];
}

function fieldParts(type: string, field: GraphQLField<unknown, unknown>): [string, Described][] {
  const path = `${type}.${field.name}`;
  return [[path, field], ...field.args.map(named(path))];
}

function named(parent: string) {
  return (part: Described & { name: string }): [string, Described] => [`${parent}.${part.name}`, part];
}
