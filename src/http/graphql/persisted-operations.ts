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

/** The format that @graphql-codegen and Relay write. */
const file = z.record(z.string().min(1).max(200), z.string().min(1), 'must be a JSON object from ids to documents');

/**
 * Reads the JSON file of ids and documents. Throws an OperatorError if it cannot be used. The documents of `ofDashboard` and
 * of the run feed's client are accepted as well.
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

/** The only operations that a gateway accepts: those of a file, of the dashboard and of the run feed. */
export class PersistedOperations {
  readonly #texts: ReadonlyMap<string, string>;
  readonly #allowed = new Set<string>();

  constructor(texts: Readonly<Record<string, string>>, others: readonly DocumentNode[]) {
    this.#texts = new Map(Object.entries(texts));
    for (const text of this.#texts.values()) this.#allowed.add(digestOf(parse(text)));
    for (const document of others) this.#allowed.add(digestOf(document));
  }

  /** The document of an id. Throws PERSISTED_QUERY_NOT_FOUND, the code that clients expect, if there is none. */
  textOf(id: string): string {
    const text = this.#texts.get(id);
    if (text !== undefined) return text;
    throw new GraphQLError('PersistedQueryNotFound', { extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } });
  }

  /** Throws FORBIDDEN for any other document. Formatting does not matter. */
  check(document: DocumentNode): void {
    if (this.#allowed.has(digestOf(document))) return;
    throw toGraphQLError(forbidden('this server accepts only persisted operations, and this is not one of them'));
  }
}

export function isDocument(value: unknown): value is DocumentNode {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === Kind.DOCUMENT;
}

function digestOf(document: DocumentNode): string {
  return createHash('sha256').update(print(document)).digest('base64');
}

/** The id of a persisted operation in a request: `extensions.persistedQuery` (Apollo) or `documentId` (GraphQL over HTTP). */
export function operationIdOf(params: { documentId?: unknown; extensions?: unknown }): string | undefined {
  if (typeof params.documentId === 'string') return params.documentId;
  const extensions = params.extensions as { persistedQuery?: { sha256Hash?: unknown } } | null | undefined;
  const hash = extensions?.persistedQuery?.sha256Hash;
  return typeof hash === 'string' ? hash : undefined;
}

/** Finds the document of a request that names it by id. */
export function usePersistedOperations(operations: PersistedOperations): Plugin {
  return {
    onParams({ params, setParams }) {
      const id = operationIdOf(params);
      if (params.query || id === undefined) return;
      setParams({ ...params, query: operations.textOf(id) });
    },
  };
}
