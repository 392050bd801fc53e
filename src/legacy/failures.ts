// Translates errors of our own documents into those of the old API.
import type { LegacyAction } from './actions.ts';
import { LegacyError, noTask } from './legacy-error.ts';
import { show } from './parameters.ts';
import { PhpArray, type PhpValue } from './php/value.ts';
import { REPEAT_FIELDS, repeatFieldName } from './repeat-items.ts';

export interface GraphQLErrorLike {
  readonly message: string;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
  /** What is wrong, without the path of the field that the message may begin with. */
  readonly reason?: string | undefined;
}

/** The codes whose message a caller is meant to see; see `src/lib/faults.ts`. */
const EXPECTED: readonly unknown[] = ['BAD_USER_INPUT', 'NOT_FOUND', 'CONFLICT', 'FORBIDDEN', 'UNAUTHENTICATED'];

/** The error to throw for the errors of a document: a LegacyError if the caller can fix it. */
export function toLegacyError(
  errors: readonly GraphQLErrorLike[],
  action: LegacyAction,
  parameters: PhpArray,
): LegacyError | Error {
  const error = errors.find(({ extensions }) => EXPECTED.includes(extensions?.code));
  if (error === undefined) {
    const texts = errors.map(({ message }) => message).join('; ');
    return new Error(`the document of ${action.name} failed: ${texts}`, { cause: errors[0] });
  }
  const { message, extensions, reason = message } = error;
  const field = typeof extensions?.field === 'string' ? extensions.field : '';
  const path = field === '' ? [] : field.split('.');
  if (path.includes('idempotencyKey')) return wrongKey(extensions?.code, reason);
  if (extensions?.code === 'NOT_FOUND') return notFound(message, path, action, parameters);
  if (path.length === 0) return new LegacyError(message);
  return wrongValue(reason, path, action, parameters);
}

function wrongKey(code: unknown, reason: string): LegacyError {
  return new LegacyError(code === 'CONFLICT' ? reason : `Idempotency-Key: ${reason}`);
}

function notFound(message: string, path: string[], action: LegacyAction, parameters: PhpArray): LegacyError {
  if (path.includes('ownerLegacyId')) {
    return new LegacyError(`user_id: no user has the id ${idOf(parameters, 'user_id')}`);
  }
  const task = action.parameters.find(({ field }) => field === 'task');
  return task === undefined ? new LegacyError(message) : noTask(task.name, idOf(parameters, task.name));
}

function idOf(parameters: PhpArray, name: string): number {
  return Number(parameters.get(name));
}

function wrongValue(reason: string, path: string[], action: LegacyAction, parameters: PhpArray): LegacyError {
  const { name, value } = findParameter(path, action, parameters);
  const fault = spellOldNames(reason, path);
  const sent = value === undefined || isShown(value, fault) ? '' : `; sent ${show(value)}`;
  return new LegacyError(`${name}: ${fault}${sent}`);
}

/** Whether a message ends with the value that came, quoted or, as numbers in a form are, without quotes. */
function isShown(value: PhpValue, message: string): boolean {
  return [show(value), String(value)].some((text) => message.endsWith(`got ${text}`));
}

/** The arguments of our documents that hold the caller's values. */
const ARGUMENTS: readonly unknown[] = ['input', 'filter'];

/** From `input.repeatItems.0.hour` to `repeat_items[0][repeat_hour]`, from `input.data.keep` to `data[keep]`. */
function findParameter(path: string[], action: LegacyAction, parameters: PhpArray) {
  const [first = '', ...inner] = ARGUMENTS.includes(path[0]) ? path.slice(1) : path;
  const field = first === 'data' ? 'dataText' : first;
  if (field === 'repeatItems') {
    const name = repeatFieldName(parameters, Number(inner[0]), inner[1]);
    return { name, value: undefined };
  }
  const parameter = action.parameters.find((candidate) => candidate.field === field);
  if (parameter === undefined) return { name: path.join('.'), value: undefined };
  const sent = parameters.get(parameter.name);
  if (field !== 'dataText') return { name: parameter.name, value: sent };
  return { name: [parameter.name, ...inner.map((key) => `[${key}]`)].join(''), value: valueAt(sent, inner) };
}

function valueAt(sent: PhpValue | undefined, keys: string[]): PhpValue | undefined {
  return keys.reduce<PhpValue | undefined>(
    (value, key) => (value instanceof PhpArray ? value.get(key) : undefined),
    sent,
  );
}

/** A rule's fault speaks of `dayOfMonth` and `end`, which the caller knows as `repeat_day` and `repeat_end`. */
function spellOldNames(message: string, path: string[]): string {
  if (!path.includes('repeatItems')) return message;
  const names = new Map<string, string>(REPEAT_FIELDS.map(({ field, name }) => [field, name]));
  return message.replace(/\b[a-zA-Z]+\b/g, (word) => names.get(word) ?? word);
}
