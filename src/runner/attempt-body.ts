import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { z } from 'zod';
import { isConnectionLost } from '../database/connection-lost.ts';
import { inTransaction } from '../database/transaction.ts';
import type { TaskClasses } from '../task-classes/registry.ts';
import { PermanentError, type TaskClass } from '../task-classes/task-class.ts';
import type { Attempt, Outcome } from './attempt.ts';
import { type AttemptLog, storable, textOf } from './attempt-log.ts';

/** Why an attempt is to stop; the reason with which its signal aborts. */
export type StopReason = 'CANCELLED' | 'TIMEOUT' | 'LOST' | 'STOPPING';

/** Code that ignores its signal for this long is abandoned. */
export const ABANDON_MS = 5_000;
const MAX_MESSAGE_LENGTH = 8_192;
const MAX_CHECKPOINT_LENGTH = 65_536;

/** Runs the code of one attempt to its end, its time limit or its cancellation; never throws. */
export async function runBody(
  em: EntityManager,
  classes: TaskClasses,
  attempt: Attempt,
  log: AttemptLog,
  controller: AbortController,
): Promise<Outcome> {
  const timer = setTimeout(() => controller.abort('TIMEOUT' satisfies StopReason), attempt.timeoutSeconds * 1_000);
  const abandoned = Promise.withResolvers<null>();
  let abandon: NodeJS.Timeout | undefined;
  controller.signal.addEventListener('abort', () => {
    abandon = setTimeout(() => abandoned.resolve(null), ABANDON_MS);
  });
  try {
    const own = callClass(em, classes, attempt, log, controller.signal).then(succeeded, failed);
    return endOf(attempt, controller.signal, await Promise.race([own, abandoned.promise]));
  } finally {
    clearTimeout(timer);
    clearTimeout(abandon);
  }
}

function succeeded(message: string): Outcome {
  return { state: 'SUCCEEDED', message: bounded(textOf(message ?? '')) };
}

function failed(error: unknown): Outcome {
  const message = textOf(error instanceof Error ? error.message : error);
  return { state: 'FAILED', message: bounded(message), permanent: isPermanent(error) };
}

/** By its name, since a package may bring its own copy of the class. */
function isPermanent(error: unknown): boolean {
  return error instanceof PermanentError || (error instanceof Error && error.name === PermanentError.name);
}

/**
 * An attempt that was told to stop ends as stopped, whatever its code made of the signal; unless it was lost, see below.
 * `own` is null for code that was left behind.
 */
function endOf({ timeoutSeconds }: Attempt, signal: AbortSignal, own: Outcome | null): Outcome {
  if (!signal.aborted && own !== null) return own;
  switch (signal.reason as StopReason) {
    case 'TIMEOUT':
      return { state: 'FAILED', message: `The task took longer than its timeout of ${timeoutSeconds} seconds.` };
    case 'CANCELLED':
      return { state: 'CANCELLED', message: 'Cancelled on request.' };
    case 'LOST':
      return endOfLost(own);
    case 'STOPPING':
      return { state: 'HANDED_BACK', message: 'Handed back: its runner stopped.' };
  }
}

/**
 * If the database was away for longer than the lease, it is unknown whether another process took the attempt over.
 * Settling writes nothing unless the attempt is still ours (see Jobs.complete), so finished work counts and is not
 * repeated. An error that the code throws after the signal may be its reaction to it, and must not use up a try.
 */
function endOfLost(own: Outcome | null): Outcome {
  if (own?.state === 'SUCCEEDED' || own?.permanent) return own;
  const message = 'Handed back: its runner did not reach the database for longer than its lease.';
  return {
    state: 'HANDED_BACK',
    message: own === null ? message : bounded(`${message} Its code said: ${own.message}`),
  };
}

async function callClass(
  em: EntityManager,
  classes: TaskClasses,
  attempt: Attempt,
  log: AttemptLog,
  signal: AbortSignal,
): Promise<string> {
  const taskClass = classes.named(attempt.className);
  if (taskClass === undefined) throw new Error(`an attempt of an unsupported class was taken: ${attempt.className}`);
  return taskClass.run({
    data: parseData(taskClass, attempt.data, log),
    task: { id: attempt.taskId, name: attempt.taskName, className: attempt.className },
    run: {
      id: attempt.runId,
      trigger: attempt.trigger,
      slot: attempt.slot,
      attempt: attempt.attempt,
      checkpoint: attempt.checkpoint === null ? null : JSON.parse(attempt.checkpoint),
      ...(attempt.traceparent === undefined ? {} : { traceparent: attempt.traceparent }),
    },
    em: em.fork(),
    signal,
    log: (message, data) => log.line(message, data),
    progress: (done, total) => log.progress(done, total),
    checkpoint: (work) => checkpoint(em, attempt, work),
  });
}

/**
 * The run's row is locked for its commit alone: locked for longer, by code that hangs, it would hold up the settling, and
 * with that the heartbeats, of all attempts. Code may have lost a connection of its own, to whatever it calls; it is not for
 * the transaction to do that again.
 */
async function checkpoint<Value>(em: EntityManager, attempt: Attempt, work: (em: EntityManager) => Promise<Value>) {
  try {
    return await inTransaction(em, async (transaction) => {
      const value = await work(transaction).catch((error: unknown) => {
        throw isConnectionLost(error) ? new LostByCode('a connection was lost', { cause: error }) : error;
      });
      if (value !== undefined) await saveCheckpoint(transaction, attempt, value);
      return value;
    });
  } catch (error) {
    throw error instanceof LostByCode ? error.cause : error;
  }
}

class LostByCode extends Error {}

/** Fenced like the settling: the row is that of the job which this worker holds, or nothing is written. */
async function saveCheckpoint(em: EntityManager, { runId, job }: Attempt, value: unknown): Promise<void> {
  const text = JSON.stringify(value);
  if (text.length > MAX_CHECKPOINT_LENGTH) {
    throw new TypeError(`the checkpoint has ${text.length} characters, at most ${MAX_CHECKPOINT_LENGTH} can be kept`);
  }
  const { rows } = await sql`
    update run set checkpoint = ${text} where id = ${runId} and job_id = ${job.id} and state = 'RUNNING' returning id
  `.execute(em.getKysely());
  if (rows.length === 0) throw new Error('The attempt is no longer ours: another worker has taken it over.');
}

function parseData(taskClass: TaskClass, text: string | null, log: AttemptLog): unknown {
  const data: unknown = JSON.parse(text ?? '{}');
  const unknown = unknownKeys(taskClass, data);
  if (unknown.length > 0) log.line(`The class ignores these keys of the data: ${unknown.join(', ')}`);
  const parsed = taskClass.data.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new PermanentError(`The data does not fit the class: ${z.prettifyError(parsed.error)}`);
}

/** Data of old tasks may have keys that the class does not know; they are kept, ignored and logged. */
function unknownKeys({ data: schema }: TaskClass, data: unknown): string[] {
  if (!(schema instanceof z.ZodObject) || typeof data !== 'object' || data === null) return [];
  return Object.keys(data).filter((key) => !Object.hasOwn(schema.shape, key));
}

function bounded(message: string): string {
  const text = storable(message);
  return text.length > MAX_MESSAGE_LENGTH ? text.slice(0, MAX_MESSAGE_LENGTH).toWellFormed() : text;
}
