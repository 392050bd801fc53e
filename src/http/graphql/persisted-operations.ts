import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type DocumentNode, GraphQLError, Kind, parse, print } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { z } from 'zod';
import { RUN_FEED_DOCUMENTS } from '../../client/run-events.ts';
import { reasonOf } from '../../lib/describe-error.ts';
import { forbidden } from '../../lib/faults.ts';
import { OperatorError } from '../../lib/operator-error.ts';
import { toGraphQLError } from '../../schema/errors.ts';

/** As @graphql-codegen and Relay write them. */
const file = z.record(z.string().min(1).max(200), z.string().min(1), 'is no object of ids and documents');

/**
 * Reads the JSON file of ids and documents; an OperatorError says what is wrong with it. `ofDashboard` are accepted as well,
 * and those of the run feed's client.
 */
export async function readPersistedOperations(
  path: string,
  ofDashboard: readonly DocumentNode[],
): Promise<PersistedOperations> {
  try {
    const texts = file.parse(JSON.parse(await readFile(path, 'utf8')));
    const others = [...ofDashboard, ...RUN_FEED_DOCUMENTS.map((text) => parse(text))];
    return new PersistedOperations(texts, others);
  } catch (error) {
    const reason = error instanceof z.ZodError ? error.issues[0]?.message : reasonOf(error);
    throw new OperatorError(`PERSISTED_OPERATIONS ${path} cannot be used: ${reason}.`);
  }
}

/** The operations that a gateway accepts, where it does not accept any: those of a file, the dashboard's and the run feed's. */
export class PersistedOperations {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #allowed = new Set<string>();

  constructor(texts: Readonly<Record<string, string>>, others: readonly DocumentNode[]) {
    this.#texts = new Map(Object.entries(texts));
    for (const text of this.#texts.values()) this.#allowed.add(digestOf(parse(text)));
    for (const document of others) this.#allowed.add(digestOf(document));
  }

  /** The document of an id; PERSISTED_QUERY_NOT_FOUND, as clients know it, where there is none. */
  textOf(id: string): string {
    const text = this.#texts.get(id);
    if (text !== undefined) return text;
    throw new GraphQLError('PersistedQueryNotFound', { extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } });
  }

  /** FORBIDDEN for a document that is not one of them, however it is written. */
  check(document: DocumentNode): void {
    if (this.#allowed.has(digestOf(document))) return;
    throw toGraphQLError(forbidden('this server accepts the operations of its list alone, and this is none of them'));
  }
}

export function isDocument(value: unknown): value is DocumentNode {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === Kind.DOCUMENT;
}

function digestOf(document: DocumentNode): string {
  return createHash('sha256').update(print(document)).digest('base64');
}

/** The id by which a request names its operation: as Apollo's clients do, or as the HTTP specification proposes. */
export function operationIdOf(params: { documentId?: unknown; extensions?: unknown }): string | undefined {
  if (typeof params.documentId === 'string') return params.documentId;
  const extensions = params.extensions as { persistedQuery?: { sha256Hash?: unknown } } | null | undefined;
  const hash = extensions?.persistedQuery?.sha256Hash;
  return typeof hash === 'string' ? hash : undefined;
}

/** Finds the documents of requests that name them by their id. */
export function usePersistedOperations(operations: PersistedOperations): Plugin {
  return {
    onParams({ params, setParams }) {
      const id = operationIdOf(params);
      if (params.query || id === undefined) return;
      setParams({ ...params, query: operations.textOf(id) });
    },
  };
}
