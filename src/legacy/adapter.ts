// A call of the old API, from its bytes to the bytes of its reply. Who calls is decided before, by whoever hosts it.
import { createHash } from 'node:crypto';
import { ACTIONS, type LegacyAction, type LegacyInput, type PreparedCall, readInput } from './actions.ts';
import { readBody } from './body.ts';
import { type GraphQLErrorLike, toLegacyError } from './failures.ts';
import { LegacyError, usedForAnotherCall } from './legacy-error.ts';
import { refusal } from './parameters.ts';
import { lastTextOf, parsePhpQuery } from './php/query.ts';
import { PhpArray } from './php/value.ts';
import { errorReply, isSuccessReply } from './reply.ts';
import { splitSignedQuery } from './signature.ts';

export interface LegacyRequest {
  method: string;
  /** As sent, without its `?`. */
  rawQuery: string;
  contentType: string | undefined;
  body: Buffer | null;
}

/** What earlier calls of the same user with an Idempotency-Key were answered, kept for 24 hours. */
export interface KeptReplies {
  find(key: string, fingerprint: Buffer): Promise<{ reply: string; isSameCall: boolean } | null>;
  /** Keeps the reply, unless another has been kept for the key meanwhile; returns the one that is kept. */
  keep(key: string, fingerprint: Buffer, reply: string): Promise<string>;
}

export interface LegacyCall extends LegacyRequest {
  timeZone: string;
  /** How long executeTask waits for its run. */
  executeTimeoutSeconds: number;
  /** The header Idempotency-Key. */
  idempotencyKey?: string | undefined;
  replies: KeptReplies;
  taskList: PreparedCall['taskList'];
  execute(
    document: string,
    variables: Record<string, unknown>,
  ): Promise<{ data?: unknown; errors?: readonly GraphQLErrorLike[] | undefined }>;
}

export interface LegacyCredentials {
  apiKey: string | null;
  /** As sent; for signatureMatches. Where it is there, it alone decides who calls. */
  hash: string | null;
  /** What the hash is over. */
  signed: string;
}

export interface LegacyAnswer {
  /** The bytes of the reply are its UTF-8. */
  body: string;
  /** The action's name in the table; null for a call of no known action. */
  action: string | null;
  isSuccess: boolean;
}

/** Parameters that a body, which is not signed, cannot change where the query has them. */
const QUERY_FIRST = ['target', 'action', 'apiKey', 'hash'];
const TARGET = 'scheduler';
/** Of the description: an address that is signed for it can call nothing, since the query's target counts before the body's. */
const DESCRIPTION_TARGET = 'docs';

/** Whether what is signed, if anything is, is the address of the description. */
export function mayReadDescription({ hash, signed }: LegacyCredentials): boolean {
  return hash === null || lastTextOf(signed, 'target') === DESCRIPTION_TARGET;
}

/** The credentials that are in a query string, without its `?`. */
export function readQueryCredentials(rawQuery: string): LegacyCredentials {
  const { signed, hash } = splitSignedQuery(rawQuery);
  return { apiKey: lastTextOf(signed, 'apiKey'), hash, signed };
}

/** The credentials of a call, the query's before the body's. A body that cannot be read has none. */
export async function readLegacyCredentials(request: LegacyRequest): Promise<LegacyCredentials> {
  const { apiKey, hash, signed } = readQueryCredentials(request.rawQuery);
  if (apiKey !== null && hash !== null) return { apiKey, hash, signed };
  const body = await readPostedBody(request).catch((error: unknown) => {
    if (error instanceof LegacyError) return new PhpArray();
    throw error;
  });
  const fromBody = (name: string) => {
    const value = body.get(name);
    return typeof value === 'string' ? value : null;
  };
  return { apiKey: apiKey ?? fromBody('apiKey'), hash: hash ?? fromBody('hash'), signed };
}

/**
 * Answers a call whose caller is known. Whatever the caller can mend is an error envelope; any other error is thrown, for
 * the host to log and to answer in general terms.
 */
export async function handleLegacyCall(call: LegacyCall): Promise<LegacyAnswer> {
  let action: LegacyAction | null = null;
  try {
    const parameters = await readParameters(call);
    action = findAction(parameters);
    if (!action.methods.includes(call.method)) {
      throw new LegacyError(
        `${action.name}: got the method ${call.method}; accepted is ${action.methods.join(' or ')}`,
      );
    }
    const { body, isSuccess } = await answerOnce(call, action, parameters, readInput(action, parameters));
    return { body, action: action.name, isSuccess };
  } catch (error) {
    if (!(error instanceof LegacyError)) throw error;
    return { body: errorReply(error.message), action: action?.name ?? null, isSuccess: false };
  }
}

/** The replies that a key may be kept with: those of calls that did something. */
async function answerOnce(
  call: LegacyCall,
  action: LegacyAction,
  parameters: PhpArray,
  input: LegacyInput,
): Promise<{ body: string; isSuccess: boolean }> {
  const key = action.changes ? readIdempotencyKey(call.idempotencyKey) : null;
  if (key === null) return replyOf(await answer(call, action, parameters, input));
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([action.name, input]))
    .digest();
  const earlier = await call.replies.find(key, fingerprint);
  if (earlier?.isSameCall === false) throw usedForAnotherCall(key);
  if (earlier !== null) return replyOf(earlier.reply);
  // The mutation is done once for a key, also by two calls at the same instant; then the first reply is kept.
  const reply = await answer(call, action, parameters, { ...input, idempotencyKey: `${KEY_PREFIX}${key}` });
  return replyOf(await call.replies.keep(key, fingerprint, reply));
}

/** Apart from the keys that the same user gives to GraphQL's own mutations. */
const KEY_PREFIX = 'api.php:';
const MAX_KEY_LENGTH = 200;

function readIdempotencyKey(key: string | undefined): string | null {
  if (key === undefined || key === '') return null;
  if (key.length <= MAX_KEY_LENGTH) return key;
  throw new LegacyError(`Idempotency-Key: got ${key.length} characters; accepted are up to ${MAX_KEY_LENGTH}`);
}

function answer(call: LegacyCall, action: LegacyAction, parameters: PhpArray, input: LegacyInput): Promise<string> {
  const { timeZone, executeTimeoutSeconds, taskList } = call;
  const query = async <Data>(document: string, variables: Record<string, unknown>): Promise<Data> => {
    const { data, errors } = await call.execute(document, variables);
    if (errors !== undefined && errors.length > 0) throw toLegacyError(errors, action, parameters);
    return data as Data;
  };
  return action.answer({ input, timeZone, executeTimeoutSeconds, query, taskList }, action.document);
}

function replyOf(body: string): { body: string; isSuccess: boolean } {
  return { body, isSuccess: isSuccessReply(body) };
}

async function readParameters(request: LegacyRequest): Promise<PhpArray> {
  const parameters = parsePhpQuery(splitSignedQuery(request.rawQuery).signed);
  for (const [name, value] of await readPostedBody(request)) {
    if (!(QUERY_FIRST.includes(name) && parameters.has(name))) parameters.set(name, value);
  }
  return parameters;
}

/** PHP fills $_POST for POST only. */
function readPostedBody({ method, body, contentType }: LegacyRequest): Promise<PhpArray> {
  return readBody(method === 'POST' ? body : null, contentType);
}

function findAction(parameters: PhpArray): LegacyAction {
  const names = ACTIONS.map(({ name }) => name).join(', ');
  const target = parameters.get('target');
  if (typeof target !== 'string' || foldCase(target) !== TARGET) {
    throw refusal('target', target, `${TARGET}, with the actions ${names}`);
  }
  const action = parameters.get('action');
  const found = ACTIONS.find(({ name }) => typeof action === 'string' && foldCase(name) === foldCase(action));
  if (found === undefined) throw refusal('action', action, `one of ${names}`);
  return found;
}

/** PHP ignores the case of ASCII letters in method names, and of no others. */
function foldCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
