import type { EntityManager } from '@mikro-orm/postgresql';
import { z } from 'zod';
import { type AttemptLog, storable } from './attempt-log.ts';
import type { Attempt, Outcome } from './attempts.ts';
import type { TaskClasses } from './tasks/index.ts';
import type { TaskClass } from './tasks/task-class.ts';

/** Why an attempt is to stop; the reason with which its signal aborts. */
export type StopReason = 'CANCELLED' | 'TIMEOUT' | 'LOST' | 'STOPPING';

/** Code that ignores its signal for so long is left behind. */
export const ABANDON_MS = 5_000;
const MAX_MESSAGE_LENGTH = 8_192;

/** The task has got another class since its job was sent; a job for that one goes to a runner that has it. */
class NoClass extends Error {}

/** Runs the code of one attempt to its end, its time limit or its cancellation; never throws. */
export async function runBody(
  em: EntityManager,
  classes: TaskClasses,
  attempt: Attempt,
  log: AttemptLog,
  controller: AbortController,
): Promise<Outcome> {
  const timer = setTimeout(() => controller.abort('TIMEOUT' satisfies StopReason), attempt.timeoutSeconds * 1_000);
  const abandoned = Promise.withResolvers<string>();
  let abandon: NodeJS.Timeout | undefined;
  controller.signal.addEventListener('abort', () => {
    abandon = setTimeout(() => abandoned.resolve('abandoned'), ABANDON_MS);
  });
  try {
    const message = await Promise.race([callClass(em, classes, attempt, log, controller.signal), abandoned.promise]);
    return stopped(attempt, controller.signal) ?? { state: 'SUCCEEDED', message: bounded(message) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const state = error instanceof NoClass ? 'HANDED_BACK' : 'FAILED';
    return stopped(attempt, controller.signal) ?? { state, message: bounded(message) };
  } finally {
    clearTimeout(timer);
    clearTimeout(abandon);
  }
}

/** An attempt that was told to stop ends as stopped, whatever its code made of the signal. */
function stopped({ timeoutSeconds }: Attempt, signal: AbortSignal): Outcome | undefined {
  if (!signal.aborted) return undefined;
  switch (signal.reason as StopReason) {
    case 'TIMEOUT':
      return { state: 'FAILED', message: `The task took longer than its timeout of ${timeoutSeconds} seconds.` };
    case 'CANCELLED':
      return { state: 'CANCELLED', message: 'Cancelled on request.' };
    // Settling a lost attempt writes nothing: another worker has its run.
    case 'LOST':
    case 'STOPPING':
      return { state: 'HANDED_BACK', message: 'Handed back: its runner stopped.' };
  }
}

async function callClass(
  em: EntityManager,
  classes: TaskClasses,
  attempt: Attempt,
  log: AttemptLog,
  signal: AbortSignal,
): Promise<string> {
  const taskClass = classes.named(attempt.className);
  if (taskClass === undefined) throw new NoClass(`Handed back: this runner has no class ${attempt.className}.`);
  const data = parseData(taskClass, attempt.data, log);
  return taskClass.run(
    {
      em: em.fork(),
      taskId: attempt.taskId,
      runId: attempt.runId,
      attempt: attempt.attempt,
      signal,
      log: (message, data) => log.line(message, data),
      progress: (done, total) => log.progress(done, total),
    },
    data,
  );
}

function parseData(taskClass: TaskClass, text: string | null, log: AttemptLog): unknown {
  const data: unknown = JSON.parse(text ?? '{}');
  const unknown = unknownKeys(taskClass, data);
  if (unknown.length > 0) log.line(`The class ignores these keys of the data: ${unknown.join(', ')}`);
  const parsed = taskClass.dataSchema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new Error(`The data does not fit the class: ${z.prettifyError(parsed.error)}`);
}

/** Old tasks may carry keys that a class does not know; they are kept and ignored, and the log says so. */
function unknownKeys({ dataSchema }: TaskClass, data: unknown): string[] {
  if (!(dataSchema instanceof z.ZodObject) || typeof data !== 'object' || data === null) return [];
  return Object.keys(data).filter((key) => !Object.hasOwn(dataSchema.shape, key));
}

function bounded(message: string): string {
  const text = storable(message);
  return text.length > MAX_MESSAGE_LENGTH ? text.slice(0, MAX_MESSAGE_LENGTH).toWellFormed() : text;
}
