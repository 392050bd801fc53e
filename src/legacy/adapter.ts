// A call of the old API, from its bytes to the bytes of its reply. Who calls is decided before, by whoever hosts it.
import { ACTIONS, type LegacyAction, readInput } from './actions.ts';
import { readBody } from './body.ts';
import { type GraphQLErrorLike, toLegacyError } from './failures.ts';
import { LegacyError } from './legacy-error.ts';
import { refusal } from './parameters.ts';
import { lastTextOf, parsePhpQuery } from './php-query.ts';
import { PhpArray } from './php-value.ts';
import { errorReply } from './reply.ts';
import { splitSignedQuery } from './signature.ts';

export interface LegacyRequest {
  method: string;
  /** As sent, without its `?`. */
  rawQuery: string;
  contentType: string | undefined;
  body: Buffer | null;
}

export interface LegacyCall extends LegacyRequest {
  timeZone: string;
  /** How long executeTask waits for its run. */
  executeTimeoutSeconds: number;
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

/** Parameters that a body, which is not signed, cannot change where the query has them. */
const QUERY_FIRST = ['target', 'action', 'apiKey', 'hash'];
const TARGET = 'scheduler';

/** The credentials of a call, the query's before the body's. A body that cannot be read has none. */
export async function readLegacyCredentials(request: LegacyRequest): Promise<LegacyCredentials> {
  const { signed, hash } = splitSignedQuery(request.rawQuery);
  const apiKey = lastTextOf(signed, 'apiKey');
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
 * Answers a call whose caller is known: the body of the reply. Whatever the caller can mend is an error envelope; any other
 * error is thrown, for the host to log and to answer in general terms.
 */
export async function handleLegacyCall(call: LegacyCall): Promise<string> {
  try {
    const parameters = await readParameters(call);
    const action = findAction(parameters);
    if (!action.methods.includes(call.method)) {
      throw new LegacyError(
        `${action.name}: got the method ${call.method}; accepted is ${action.methods.join(' or ')}`,
      );
    }
    const input = readInput(action, parameters);
    const { timeZone, executeTimeoutSeconds } = call;
    const query = async <Data>(document: string, variables: Record<string, unknown>): Promise<Data> => {
      const { data, errors } = await call.execute(document, variables);
      if (errors !== undefined && errors.length > 0) throw toLegacyError(errors, action, parameters);
      return data as Data;
    };
    return await action.answer({ input, timeZone, executeTimeoutSeconds, query }, action.document);
  } catch (error) {
    if (error instanceof LegacyError) return errorReply(error.message);
    throw error;
  }
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
