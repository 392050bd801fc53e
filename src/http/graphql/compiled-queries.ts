import type { FastifyRequest } from 'fastify';
import { type DocumentNode, Kind, OperationTypeNode, validate } from 'graphql';
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit';
import { LRUCache } from 'lru-cache';
import type { Context } from '../../schema/context.ts';
import { schema } from '../../schema/index.ts';
import type { Caller } from './caller.ts';
import { type LimitOptions, parserOf, rulesOf, weigh } from './document-limits.ts';
import { nameOf, type OperationInfo, setKind } from './operation-names.ts';

/** What GraphQL over HTTP asks for in a body of JSON. */
interface Posted {
  query: string;
  variables: Record<string, unknown>;
  operationName: string | undefined;
}

/** The types of a reply, by what the client accepts; others are negotiated by Yoga. */
const REPLY_TYPES: Readonly<Record<string, string>> = {
  '': 'application/json; charset=utf-8',
  '*/*': 'application/json; charset=utf-8',
  'application/json': 'application/json; charset=utf-8',
  'application/graphql-response+json': 'application/graphql-response+json; charset=utf-8',
};

interface CompiledReply {
  type: string;
  body: string;
  operationInfo: OperationInfo;
}

/** Documents that are kept; what clients send are few. */
const MAX_DOCUMENTS = 500;
/** Longer ones are not kept. */
const MAX_TEXT_LENGTH = 20_000;
/** Larger bodies would be read twice at a cost that shows. */
const MAX_BODY_BYTES = 100_000;
/** Compiling costs more than executing a few times. */
export const COMPILE_AFTER = 3;

/** Variables of one query whose weight is remembered, and how long they may be as JSON. */
const MAX_WEIGHED = 50;
const MAX_WEIGHED_LENGTH = 500;

interface Compiled {
  document: DocumentNode;
  operationInfo: OperationInfo;
  run: CompiledQuery;
  /** Whether it may be asked, by its variables as JSON. */
  allowed: LRUCache<string, boolean>;
}

/** A query that is sent again and again. */
interface KnownQuery {
  seen: number;
  /** Compiled when it has been seen often enough; null for what Yoga is to answer. */
  compiled: Compiled | null | undefined;
}

/**
 * Answers the common request, a query in a POST of JSON that was sent before and is without a fault, by code that was
 * compiled for its document (graphql-jit). Everything else Yoga answers from the beginning: nothing has been changed by
 * then. What the resolvers do, and who may ask for how much, is the same either way.
 */
export class CompiledQueries {
  readonly #contextOf: (caller: Caller, isWeighed: boolean) => Context;
  readonly #limits: LimitOptions;
  readonly #known = new LRUCache<string, KnownQuery>({
    max: MAX_DOCUMENTS,
    memoMethod: () => ({ seen: 0, compiled: undefined }),
  });

  constructor(contextOf: (caller: Caller, isWeighed: boolean) => Context, limits: LimitOptions) {
    this.#contextOf = contextOf;
    this.#limits = limits;
  }

  /** Null where Yoga is to answer. */
  async answer(request: FastifyRequest, caller: Caller): Promise<CompiledReply | null> {
    const type = REPLY_TYPES[request.headers.accept ?? ''];
    if (type === undefined || request.headers['content-type'] !== 'application/json') return null;
    const posted = readPosted(request.body);
    if (posted === null) return null;
    const { query, variables, operationName } = posted;
    const known = this.#known.memo(`${operationName ?? ''}\n${query}`);
    known.seen += 1;
    if (known.seen < COMPILE_AFTER) return null;
    if (known.compiled === undefined) known.compiled = compile(posted, this.#limits);
    if (known.compiled === null || !mayAsk(known.compiled, variables)) return null;
    const result = await known.compiled.run.query({}, this.#contextOf(caller, true), variables);
    // Yoga's executor decides what an error is called, and whether it may be shown.
    if (result.errors !== undefined) return null;
    return { type, body: JSON.stringify(result), operationInfo: known.compiled.operationInfo };
  }
}

function compile({ query, operationName }: Posted, limits: LimitOptions): Compiled | null {
  try {
    const document = parserOf(limits)(query);
    const [operation, ...others] = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
    // Of several, the complexity of the first alone would be looked at.
    if (operation === undefined || others.length > 0 || operation.operation !== OperationTypeNode.QUERY) return null;
    if (operationName !== undefined && operation.name?.value !== operationName) return null;
    if (validate(schema, document, rulesOf(limits)).length > 0) return null;
    const run = compileQuery(schema, document, operationName);
    if (!isCompiledQuery(run)) return null;
    const operationInfo: OperationInfo = { operation: nameOf(document), hasErrors: false };
    setKind(operationInfo, document);
    const allowed = new LRUCache<string, boolean>({
      max: MAX_WEIGHED,
      memoMethod: (variables) => isLight(document, JSON.parse(variables) as Record<string, unknown>),
    });
    return { document, operationInfo, run, allowed };
  } catch {
    return null;
  }
}

/** The same limits as everywhere; the plugin cannot read the variables of compiled queries by itself. */
function mayAsk({ document, allowed }: Compiled, variables: Record<string, unknown>): boolean {
  const key = JSON.stringify(variables);
  return key.length > MAX_WEIGHED_LENGTH ? isLight(document, variables) : allowed.memo(key);
}

function isLight(document: DocumentNode, variables: Record<string, unknown>): boolean {
  try {
    weigh(document, null, variables);
    return true;
  } catch {
    return false;
  }
}

function readPosted(body: unknown): Posted | null {
  if (!Buffer.isBuffer(body) || body.length > MAX_BODY_BYTES) return null;
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { query, variables, operationName, ...others } = value as Record<string, unknown>;
  if (typeof query !== 'string' || query.length > MAX_TEXT_LENGTH || Object.keys(others).length > 0) return null;
  if (typeof (variables ?? {}) !== 'object' || Array.isArray(variables)) return null;
  if (typeof (operationName ?? '') !== 'string') return null;
  return {
    query,
    variables: (variables ?? {}) as Record<string, unknown>,
    operationName: (operationName ?? undefined) as string | undefined,
  };
}
