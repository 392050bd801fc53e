import type { FastifyRequest } from 'fastify';
import { type DocumentNode, Kind, OperationTypeNode, validate } from 'graphql';
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit';
import { LRUCache } from 'lru-cache';
import type { Context } from '../../schema/context.ts';
import { schema } from '../../schema/index.ts';
import type { Caller } from './caller.ts';
import { type LimitOptions, parserOf, rulesOf, weigh } from './document-limits.ts';
import { nameOf, type OperationInfo, setKind } from './operation-names.ts';

/** A GraphQL request in a JSON body. */
interface Posted {
  query: string;
  variables: Record<string, unknown>;
  operationName: string | undefined;
}

/** The content type of a reply by the Accept header. Yoga negotiates the others. */
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

/** How many documents are cached; clients send few different ones. */
const MAX_DOCUMENTS = 500;
/** Longer documents are not cached. */
const MAX_TEXT_LENGTH = 20_000;
/** Larger bodies are left to Yoga: parsing them twice would cost too much. */
const MAX_BODY_BYTES = 100_000;
/** Compiling a query costs more than executing it a few times. */
export const COMPILE_AFTER = 3;

/** How many sets of variables are cached per query with whether they are allowed, and their maximum length as JSON. */
const MAX_WEIGHED = 50;
const MAX_WEIGHED_LENGTH = 500;

interface Compiled {
  document: DocumentNode;
  operationInfo: OperationInfo;
  run: CompiledQuery;
  /** Whether the query is within its limits, by its variables as JSON. */
  allowed: LRUCache<string, boolean>;
}

/** A query that was sent before. */
interface KnownQuery {
  seen: number;
  /** Undefined until the query was seen COMPILE_AFTER times; null if Yoga must answer it. */
  compiled: Compiled | null | undefined;
}

/**
 * Answers the common request, a repeated and valid query in a JSON POST, with code compiled for its document
 * (graphql-jit). Yoga answers everything else from scratch, which is safe because a query changes nothing. Resolvers,
 * permissions and limits are the same either way.
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

  /** The reply, or null if Yoga must answer. */
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
    // Yoga's executor masks errors and gives them their codes.
    if (result.errors !== undefined) return null;
    return { type, body: JSON.stringify(result), operationInfo: known.compiled.operationInfo };
  }
}

function compile({ query, operationName }: Posted, limits: LimitOptions): Compiled | null {
  try {
    const document = parserOf(limits)(query);
    const [operation, ...others] = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
    // Of several operations, only the complexity of the first would be checked.
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

/** Checks the same limits as Yoga; Pothos' complexity plugin cannot read the variables of a compiled query. */
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
