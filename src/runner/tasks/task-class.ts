import type { EntityManager } from '@mikro-orm/postgresql';
import type { z } from 'zod';

/** What a task's code is given for one attempt. */
export interface TaskContext {
  /** Forked for this attempt. What it flushes is kept even if the attempt fails later. */
  em: EntityManager;
  taskId: number;
  runId: number;
  /** 1 for the first try. */
  attempt: number;
  /** Aborted when the run is cancelled, its time is over, or the process stops. */
  signal: AbortSignal;
  /** Adds a line to the run's log, and data that JSON can hold; lines and data have bounds, and what is cut says so. */
  log(message: string, data?: unknown): void;
  /** How far it has come: 0 to 1, or `done` of `total`. Told a few times a second at most; the last one always is. */
  progress(done: number, total?: number): void;
}

/** The code of a task, under the PHP-namespaced name that old callers use. */
export interface TaskClass<Schema extends z.ZodType = z.ZodType> {
  name: string;
  description: string;
  /** What `data` must look like; unknown keys are kept and ignored. Published as JSON Schema. */
  dataSchema: Schema;
  /** Returns the run's message. A thrown error fails the attempt with its message. */
  run(context: TaskContext, data: z.infer<Schema>): Promise<string>;
}

/** Lets a class infer its data's type from its schema. */
export function defineTaskClass<Schema extends z.ZodType>(taskClass: TaskClass<Schema>): TaskClass<Schema> {
  return taskClass;
}
