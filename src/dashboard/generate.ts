// `npm run dashboard:types`: writes the types of the dashboard's operations, made from the schema, into operations.ts.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { codegen } from '@graphql-codegen/core';
import * as documentNodes from '@graphql-codegen/typed-document-node';
import * as operations from '@graphql-codegen/typescript-operations';
import { parse } from 'graphql';

const SCHEMA = new URL('../../schema.graphql', import.meta.url);
/** A file for each page, and one for what several ask. */
const DOCUMENTS = new URL('./operations/', import.meta.url);
/** Where they are kept. */
export const TYPES = new URL('./operations.ts', import.meta.url);

const HEAD = '// Written by npm run dashboard:types from operations/*.graphql and the schema; not to be edited.\n\n';

/** The text that operations.ts should have. */
export async function operationTypes(): Promise<string> {
  const names = (await readdir(DOCUMENTS)).toSorted();
  const documents = await Promise.all(
    names.map(async (location) => ({
      location,
      document: parse(await readFile(new URL(location, DOCUMENTS), 'utf8')),
    })),
  );
  const text = await codegen({
    filename: 'operations.ts',
    schema: parse(await readFile(SCHEMA, 'utf8')),
    documents,
    plugins: [{ operations: {} }, { documentNodes: {} }],
    pluginMap: { operations, documentNodes },
    config: {
      useTypeImports: true,
      skipTypename: true,
      enumsAsTypes: true,
      scalars: {
        DateTime: 'string',
        Date: 'string',
        JSON: 'unknown',
        Cidr: 'string',
        DnsSerial: 'number',
        LocalTime: 'string',
      },
      documentMode: 'documentNode',
    },
  });
  return HEAD + text;
}

if (import.meta.main) await writeFile(TYPES, await operationTypes());
