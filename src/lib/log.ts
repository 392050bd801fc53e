// The log: pino, one JSON object a line, labelled with the request or the attempt that it belongs to.
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

/** The labels of an attempt's lines: ids as `run(id:)` and `node(id:)` take them. */
export function labelsOf({ runId, taskId, attempt }: LoggedAttempt) {
  return { runId: toGlobalId('Run', runId), taskId: toGlobalId('Task', taskId), attempt };
}

/** Everything that `work` logs, even after it returned, has the labels of its attempt. */
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
