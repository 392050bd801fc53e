// What users may say about a task, and the checks that the schema's types cannot make.
import { POLICY_BOUNDS } from '../entities/task.ts';
import { badInput } from '../lib/faults.ts';
import { readText } from '../lib/input.ts';
import { isTimeZone } from '../runner/calendar.ts';
import type { KnownClass } from '../runner/tasks/known-classes.ts';
import type { TaskDefaults } from '../runner/tasks/task-class.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { CatchUpPolicyEnum, OverlapPolicyEnum } from './enums.ts';

/** What finding a class takes. */
type ClassContext = Pick<Context, 'em' | 'taskClasses'>;

export const RetryPolicyInput = builder.inputType('RetryPolicyInput', {
  description: 'How a failed attempt is tried again. A field left out stays as it is.',
  fields: (t) => ({
    attempts: t.int({ description: 'Tries of one run, the first included, 1 to 100; 1 unless given.' }),
    delaySeconds: t.int({ description: 'Seconds before the second try, 0 to 86400; 30 unless given.' }),
    backoff: t.float({ description: 'Each further delay is this many times the one before, 1 to 10; 2 unless given.' }),
    jitter: t.float({ description: 'Up to this part of a delay is added to it at random, 0 to 1; 0 unless given.' }),
  }),
});

export const TaskPolicyInput = builder.inputType('TaskPolicyInput', {
  description: 'What happens when things do not go to plan. A field left out stays as it is.',
  fields: (t) => ({
    overlap: t.field({
      type: OverlapPolicyEnum,
      description: 'What a slot does to an unfinished run; SKIP unless given.',
    }),
    queueLimit: t.int({ description: 'How many runs may wait, 1 to 10000; 100 unless given.' }),
    catchUp: t.field({ type: CatchUpPolicyEnum, description: 'Which missed slots are run; LATEST unless given.' }),
    misfireGraceSeconds: t.int({
      description: 'A slot is missed once it is so many seconds late, 1 to 86400; 60 unless given.',
    }),
    catchUpMaxAgeSeconds: t.int({
      description: 'A missed slot older than so many seconds is never run, 0 and up; null for no bound.',
    }),
    retry: t.field({ type: RetryPolicyInput, description: 'How a failed attempt is tried again.' }),
    timeoutSeconds: t.int({ description: 'Seconds that one attempt may take, 1 to 82800; 900 unless given.' }),
  }),
});

/** The policy columns of a task. */
export interface PolicyColumns {
  overlap?: 'SKIP' | 'QUEUE' | 'ALLOW' | 'CANCEL_RUNNING';
  queueLimit?: number;
  catchUp?: 'LATEST' | 'ALL' | 'NONE';
  misfireGraceSeconds?: number;
  catchUpMaxAgeSeconds?: number | null;
  retryAttempts?: number;
  retryDelaySeconds?: number;
  retryBackoff?: number;
  retryJitter?: number;
  timeoutSeconds?: number;
}

/** The columns that a policy input sets: those that it names. */
export function readPolicy(input: typeof TaskPolicyInput.$inferInput, path: string): PolicyColumns {
  const bound = (column: keyof typeof POLICY_BOUNDS, value: number | null | undefined, name: string = column) => {
    const [least, most] = POLICY_BOUNDS[column];
    if (value === null || value === undefined || (value >= least && value <= most)) return value ?? undefined;
    throw badInput(`${path}.${name}`, `it is ${value}; accepted is ${least} to ${most}`);
  };
  const { retry } = input;
  const columns = {
    overlap: input.overlap ?? undefined,
    queueLimit: bound('queueLimit', input.queueLimit),
    catchUp: input.catchUp ?? undefined,
    misfireGraceSeconds: bound('misfireGraceSeconds', input.misfireGraceSeconds),
    catchUpMaxAgeSeconds:
      input.catchUpMaxAgeSeconds === null ? null : bound('catchUpMaxAgeSeconds', input.catchUpMaxAgeSeconds),
    retryAttempts: bound('retryAttempts', retry?.attempts, 'retry.attempts'),
    retryDelaySeconds: bound('retryDelaySeconds', retry?.delaySeconds, 'retry.delaySeconds'),
    retryBackoff: bound('retryBackoff', retry?.backoff, 'retry.backoff'),
    retryJitter: bound('retryJitter', retry?.jitter, 'retry.jitter'),
    timeoutSeconds: bound('timeoutSeconds', input.timeoutSeconds),
  };
  return withoutUndefined(columns);
}

/** The columns that a class sets for a new task, where whoever adds it does not. */
export function policyOfClass({ timeoutSeconds, overlap, retry }: TaskDefaults): PolicyColumns {
  return withoutUndefined({
    timeoutSeconds,
    overlap,
    retryAttempts: retry?.attempts,
    retryDelaySeconds: retry?.delaySeconds,
    retryBackoff: retry?.backoff,
    retryJitter: retry?.jitter,
  });
}

function withoutUndefined(columns: Record<string, unknown>): PolicyColumns {
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined)) as PolicyColumns;
}

/** Any well-formed text of 1 to 255 characters without NUL, newlines too, as in the old API. */
export function readName(name: string, path: string): string {
  if (!name.isWellFormed()) throw badInput(path, 'it is not well-formed Unicode; accepted is well-formed text');
  return readText(name, path, { least: 1 });
}

export function readTimeZone(name: string, path: string): string {
  if (isTimeZone(name)) return name;
  throw badInput(path, `it is "${name.slice(0, 80)}"; accepted is an IANA time zone such as Europe/Berlin`);
}

/** A class that this process or a runner has; the message lists them, as the old page does. */
export async function readClass({ em, taskClasses }: ClassContext, name: string, path: string): Promise<KnownClass> {
  const found = await taskClasses.named(em, name);
  if (found !== null) return found;
  const available = (await taskClasses.all(em)).map((taskClass) => taskClass.name);
  throw badInput(path, `there is no task class "${name.slice(0, 200)}"; available: ${available.join(', ')}`);
}

/** Eight mebibytes: what the old server took in one call. */
const MAX_DATA_LENGTH = 8 * 1024 * 1024;

interface DataInput {
  data?: unknown;
  dataText?: string | null | undefined;
}

/**
 * The data as JSON text: undefined where the input names none, null for null and for what is empty. It must be an
 * object; the empty array counts as one, since PHP writes an empty object so.
 */
export function readData(input: DataInput, path: string): string | null | undefined {
  if (input.data !== undefined && input.dataText !== undefined) {
    throw badInput(`${path}.dataText`, 'data and dataText are two ways to say the same; accepted is one of them');
  }
  const field = input.dataText === undefined ? `${path}.data` : `${path}.dataText`;
  // Before it is text, where a number that is too large would be null.
  refuseFaults(input.data, field);
  const text = input.dataText === undefined ? stringify(input.data) : input.dataText;
  if (text === undefined || text === null) return text;
  if (text.length > MAX_DATA_LENGTH) {
    throw badInput(field, `it has ${text.length} characters; accepted are up to ${MAX_DATA_LENGTH}`);
  }
  const value = parseJson(text, field);
  if (value === null || (Array.isArray(value) && value.length === 0)) return null;
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw badInput(field, `it is ${text.slice(0, 80)}; accepted is a JSON object or null`);
  }
  if (input.dataText !== undefined) refuseFaults(value, field);
  return Object.keys(value).length === 0 ? null : text;
}

/** Levels of arrays and objects in each other that old callers' json_decode takes. */
const MAX_LEVELS = 511;

function refuseFaults(value: unknown, field: string): void {
  const fault = faultOf(value, 1);
  if (fault !== null) throw badInput(field, fault);
}

/** What old callers could not be shown: one such task would take the whole list from them. Null where there is nothing. */
function faultOf(value: unknown, level: number): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? null : faultOfText(value);
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return 'it has a number that is too large; accepted are numbers that a double can hold';
  }
  if (typeof value !== 'object' || value === null) return null;
  if (level > MAX_LEVELS) return `it has more than ${MAX_LEVELS} levels; accepted are up to ${MAX_LEVELS}`;
  const isList = Array.isArray(value);
  for (const [key, each] of Object.entries(value)) {
    const fault = (isList || key.isWellFormed() ? null : faultOfText(key)) ?? faultOf(each, level + 1);
    if (fault !== null) return fault;
  }
  return null;
}

function faultOfText(text: string): string {
  return `it has the text ${JSON.stringify(text.slice(0, 80))}, with half of a surrogate pair; accepted is Unicode text`;
}

function stringify(data: unknown): string | null | undefined {
  return data === undefined || data === null ? data : JSON.stringify(data);
}

function parseJson(text: string, field: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badInput(field, `"${text.slice(0, 80)}" is not JSON; accepted is a JSON object`);
  }
}

/** Refuses data that the class could not run with; keys that the class does not know are fine. */
export function checkData(taskClass: KnownClass | null, data: string | null, path: string): void {
  const fault = taskClass?.findFault(JSON.parse(data ?? '{}')) ?? null;
  if (fault !== null) throw badInput([path, 'data', ...fault.path].join('.'), fault.message);
}
