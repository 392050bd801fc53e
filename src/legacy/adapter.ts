// A call of the old API, from its parameters to the bytes of its reply. Who calls is decided before, by whoever hosts it.
import { createHash } from 'node:crypto';
import { ACTIONS, type LegacyAction } from './actions.ts';
import { type GraphQLErrorLike, toLegacyError } from './failures.ts';
import { type LegacyInput, readInput } from './input.ts';
import { LegacyError, usedForAnotherCall } from './legacy-error.ts';
import { refusal } from './parameters.ts';
import type { ParsedCall } from './parsed-call.ts';
import type { PhpArray } from './php/value.ts';
import type { PreparedCall } from './prepared-call.ts';
import { errorReply, isSuccessReply } from './reply.ts';

/** The replies to earlier calls of the same user that had an Idempotency-Key, for 24 hours. */
export interface ReplyStore {
  find(key: string, fingerprint: Buffer): Promise<{ reply: string; isSameCall: boolean } | null>;
  /** Saves the reply, unless another was saved for the key meanwhile; returns the one that is stored. */
  save(key: string, fingerprint: Buffer, reply: string): Promise<string>;
}

/** What the host of the old API gives to a call. */
export interface CallHost {
  timeZone: string;
  /** How long executeTask waits for its run. */
  executeTimeoutSeconds: number;
  /** The header Idempotency-Key. */
  idempotencyKey?: string | undefined;
  replies: ReplyStore;
  taskList: PreparedCall['taskList'];
  execute(
    document: string,
    variables: Record<string, unknown>,
  ): Promise<{ data?: unknown; errors?: readonly GraphQLErrorLike[] | undefined }>;
}

export interface LegacyAnswer {
  /** The bytes of the reply are its UTF-8. */
  body: string;
  /** The action's name in the table; null for a call of no known action. */
  action: string | null;
  isSuccess: boolean;
}

const TARGET = 'scheduler';

/**
 * Answers a call whose caller is known. Whatever the caller can mend is an error envelope; any other error is thrown, for
 * the host to log and to answer in general terms.
 */
export async function handleLegacyCall(call: ParsedCall, host: CallHost): Promise<LegacyAnswer> {
  let action: LegacyAction | null = null;
  try {
    const parameters = await call.parameters();
    action = findAction(parameters);
    if (!action.methods.includes(call.method)) {
      throw new LegacyError(`${action.name}: the method must be ${action.methods.join(' or ')}, got ${call.method}`);
    }
    const { body, isSuccess } = await answerOnce(host, action, parameters, readInput(action, parameters));
    return { body, action: action.name, isSuccess };
  } catch (error) {
    if (!(error instanceof LegacyError)) throw error;
    return { body: errorReply(error.message), action: action?.name ?? null, isSuccess: false };
  }
}

/** With an Idempotency-Key a call that does something is done once, and answered with the first reply. */
async function answerOnce(
  host: CallHost,
  action: LegacyAction,
  parameters: PhpArray,
  input: LegacyInput,
): Promise<{ body: string; isSuccess: boolean }> {
  const key = action.changes ? readIdempotencyKey(host.idempotencyKey) : null;
  if (key === null) return replyOf(await answer(host, action, parameters, input));
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([action.name, input]))
    .digest();
  const earlier = await host.replies.find(key, fingerprint);
  if (earlier?.isSameCall === false) throw usedForAnotherCall(key);
  if (earlier !== null) return replyOf(earlier.reply);
  // The mutation is done once for a key, also by two calls at the same instant; then the first reply is saved.
  const reply = await answer(host, action, parameters, { ...input, idempotencyKey: `${KEY_PREFIX}${key}` });
  return replyOf(await host.replies.save(key, fingerprint, reply));
}

/** Apart from the keys that the same user gives to GraphQL's own mutations. */
const KEY_PREFIX = 'api.php:';
const MAX_KEY_LENGTH = 200;

function readIdempotencyKey(key: string | undefined): string | null {
  if (key === undefined || key === '') return null;
  if (key.length <= MAX_KEY_LENGTH) return key;
  throw new LegacyError(`Idempotency-Key: must have at most ${MAX_KEY_LENGTH} characters, got ${key.length}`);
}

function answer(host: CallHost, action: LegacyAction, parameters: PhpArray, input: LegacyInput): Promise<string> {
  const { timeZone, executeTimeoutSeconds, taskList } = host;
  const query = async <Data>(document: string, variables: Record<string, unknown>): Promise<Data> => {
    const { data, errors } = await host.execute(document, variables);
    if (errors !== undefined && errors.length > 0) throw toLegacyError(errors, action, parameters);
    return data as Data;
  };
  return action.answer({ input, timeZone, executeTimeoutSeconds, query, taskList }, action.document);
}

function replyOf(body: string): { body: string; isSuccess: boolean } {
  return { body, isSuccess: isSuccessReply(body) };
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
