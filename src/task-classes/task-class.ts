// The contract between the runner and the code of a task; `slotkeeper` exports it to classes of other people (kit.ts).
import type { EntityManager } from '@mikro-orm/postgresql';
import type { z } from 'zod';
import type { Trigger } from '../entities/run.ts';
import { OVERLAP_POLICIES, type OverlapPolicy, POLICY_BOUNDS } from '../entities/task.ts';
import { dataSchemaOf } from './data-schema.ts';

/** The context of one attempt for the code of a task class. */
export interface TaskContext<Data = unknown> {
  /** The data of the run, else of the task, as the class' schema made it. */
  data: Data;
  task: { id: number; name: string; className: string };
  run: {
    id: number;
    trigger: Trigger;
    /** The instant for which it runs, UTC and a whole minute; null for a run by request. */
    slot: Date | null;
    /** 1 for the first try. */
    attempt: number;
    /** The state that an earlier attempt of this run saved last; null if none did. */
    checkpoint: unknown;
    /** The W3C Trace Context to pass to services that it calls; undefined if tracing is off. */
    traceparent?: string;
  };
  /** Forked for this attempt. Flushed changes are kept even if the attempt fails later. */
  em: EntityManager;
  /** Aborted when the run is cancelled, its time is over, or the process stops. */
  signal: AbortSignal;
  /** Adds a line to the log of the run, with optional JSON data. Lines and data have size limits; a cut is marked. */
  log(message: string, data?: unknown): void;
  /** How far it has come: 0 to 1, or `done` of `total`. Told a few times a second at most; the last one always is. */
  progress(done: number, total?: number): void;
  /**
   * Runs `work` in a transaction and stores its result for the next attempt of this run, as the last statement: the
   * work and the checkpoint commit together. The result is a JSON value of up to 64 KiB; undefined keeps the previous
   * one. Throws if another worker has taken the attempt over; the work is then rolled back, so that nothing is done
   * twice. `work` is repeated if PostgreSQL asks for it, so it must have no effect outside the database.
   */
  checkpoint<Value>(work: (em: EntityManager) => Promise<Value>): Promise<Value>;
}

/** Defaults for the policy of a new task. */
export interface TaskDefaults {
  /** 1 to 82800. */
  timeoutSeconds?: number;
  overlap?: OverlapPolicy;
  /** `attempts` 1 to 100, the first included; `delaySeconds` 0 to 86400; `backoff` 1 to 10; `jitter` 0 to 1. */
  retry?: { attempts?: number; delaySeconds?: number; backoff?: number; jitter?: number };
}

/** The code of a task, under the PHP-namespaced name that old callers use. */
export interface TaskClass<Schema extends z.ZodType = z.ZodType> {
  /** Such as `\scheduler\Tasks\ProcessHoldingTask`. It is stored with each task, so it must not change. */
  name: string;
  /** A few words, for a list to choose from. */
  title: string;
  description: string;
  /**
   * What a task's data must look like, an object. It is checked when a task is saved and before each attempt, and
   * published as JSON Schema. Unknown keys are kept and ignored: make it with `z.looseObject`.
   */
  data: Schema;
  defaults?: TaskDefaults;
  /** At most one run of the class at a time, across all tasks; the others wait. */
  exclusive?: boolean;
  /** Returns the run's message. A thrown error fails the attempt with its message; see PermanentError. */
  run(context: TaskContext<z.infer<Schema>>): Promise<string>;
}

/** Fails the run at once, without further retries. */
export class PermanentError extends Error {
  override readonly name = 'PermanentError';
}

/** Two segments at least, each a PHP identifier. */
const NAME = /^(\\[A-Za-z_][A-Za-z0-9_]*){2,}$/;
const MAX_NAME_LENGTH = 255;
const MAX_TITLE_LENGTH = 100;

const defined = new WeakSet<object>();

/**
 * Lets a class infer its data's type from its schema. Throws a TypeError for a name that is no PHP-namespaced one, and for
 * a title or defaults that are out of bounds.
 */
export function defineTaskClass<Schema extends z.ZodType>(taskClass: TaskClass<Schema>): TaskClass<Schema> {
  const { name, title, defaults = {} } = taskClass;
  if (!NAME.test(name) || name.length > MAX_NAME_LENGTH) {
    throw new TypeError(
      `the name of a task class must be a PHP name with its namespace, such as \\scheduler\\Tasks\\GreetTask, got "${name}"`,
    );
  }
  if (title.length < 1 || title.length > MAX_TITLE_LENGTH) {
    throw new TypeError(`the title of ${name} must have 1 to ${MAX_TITLE_LENGTH} characters, got ${title.length}`);
  }
  checkDefaults(name, defaults);
  checkSchema(name, taskClass.data);
  defined.add(taskClass);
  return taskClass;
}

/** Whether a value was returned by defineTaskClass. */
export function isTaskClass(value: unknown): value is TaskClass {
  return typeof value === 'object' && value !== null && defined.has(value);
}

/** It is published as JSON Schema, so that it must be possible to write it as one. */
function checkSchema(name: string, schema: z.ZodType): void {
  try {
    dataSchemaOf(schema);
  } catch (error) {
    throw new TypeError(`the data of ${name} cannot be described: ${error instanceof Error ? error.message : error}`);
  }
}

const WHOLE: ReadonlySet<string> = new Set(['timeoutSeconds', 'retry.attempts', 'retry.delaySeconds']);

function checkDefaults(name: string, { timeoutSeconds, overlap, retry = {} }: TaskDefaults): void {
  const values = [
    ['timeoutSeconds', POLICY_BOUNDS.timeoutSeconds, timeoutSeconds],
    ['retry.attempts', POLICY_BOUNDS.retryAttempts, retry.attempts],
    ['retry.delaySeconds', POLICY_BOUNDS.retryDelaySeconds, retry.delaySeconds],
    ['retry.backoff', POLICY_BOUNDS.retryBackoff, retry.backoff],
    ['retry.jitter', POLICY_BOUNDS.retryJitter, retry.jitter],
  ] as const;
  for (const [field, [least, most], value] of values) {
    const isWhole = Number.isInteger(value) || !WHOLE.has(field);
    if (value === undefined || (value >= least && value <= most && isWhole)) continue;
    const kind = WHOLE.has(field) ? 'a whole number from ' : '';
    throw new TypeError(`defaults.${field} of ${name} must be ${kind}${least} to ${most}, got ${value}`);
  }
  if (overlap === undefined || OVERLAP_POLICIES.includes(overlap)) return;
  throw new TypeError(`defaults.overlap of ${name} must be one of ${OVERLAP_POLICIES.join(', ')}, got ${overlap}`);
}
