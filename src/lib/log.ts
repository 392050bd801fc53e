// The log: pino, one line of JSON each, which names the request or the attempt on whose behalf it was written.
import { AsyncLocalStorage } from 'node:async_hooks';
import { type DestinationStream, type LevelWithSilent, type Logger, pino } from 'pino';
import { toGlobalId } from './global-id.ts';

/** An attempt of a run; the ids are the database's. */
interface LoggedAttempt {
  runId: number;
  taskId: number;
  attempt: number;
}

const attempts = new AsyncLocalStorage<{ attempt: LoggedAttempt; traceId: string | undefined }>();

/** What lines of an attempt carry: ids as `run(id:)` and `node(id:)` take them. */
export function labelsOf({ runId, taskId, attempt }: LoggedAttempt) {
  return { runId: toGlobalId('Run', runId), taskId: toGlobalId('Task', taskId), attempt };
}

/** Whatever `work` logs, however late, carries the labels of its attempt. */
export function withinAttempt<Result>(attempt: LoggedAttempt, traceId: string | undefined, work: () => Result): Result {
  return attempts.run({ attempt, traceId }, work);
}

export function createLog(level: LevelWithSilent, destination?: DestinationStream): Logger {
  const options = { name: 'slotkeeper', level, mixin: currentLabels };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** A new object each time: pino adds to it. */
function currentLabels(): object {
  const current = attempts.getStore();
  if (current === undefined) return {};
  const { attempt, traceId } = current;
  return traceId === undefined ? labelsOf(attempt) : { ...labelsOf(attempt), traceId };
}
