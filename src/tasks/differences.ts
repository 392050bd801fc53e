// The changes of a task for the log: each changed field, by its name in the API, with its old and new value.
import { isDeepStrictEqual } from 'node:util';
import type { Task } from '../entities/index.ts';

/** Longer data (in characters of its JSON text) is not repeated in the log. */
const MOST_DATA = 10_000;

type TaskDescription = Record<string, unknown>;

/** What users may change of a task; its repeat items must be loaded. */
export function describeTask(task: Task): TaskDescription {
  return {
    name: task.name,
    className: task.className,
    active: task.active,
    data: task.data,
    owner: task.owner.id,
    timeZone: task.timeZone,
    repeatItems: task.repeatItems.getItems().map((item) => ({
      start: item.startDate,
      end: item.endDate,
      intervalDays: item.intervalDays,
      year: item.year,
      month: item.month,
      dayOfMonth: item.dayOfMonth,
      weekOfMonth: item.weekOfMonth,
      dayOfWeek: item.dayOfWeek,
      hour: item.hour,
      minute: item.minute,
    })),
    overlap: task.overlap,
    queueLimit: task.queueLimit,
    catchUp: task.catchUp,
    catchUpMaxAgeSeconds: task.catchUpMaxAgeSeconds,
    misfireGraceSeconds: task.misfireGraceSeconds,
    retryAttempts: task.retryAttempts,
    retryDelaySeconds: task.retryDelaySeconds,
    retryBackoff: task.retryBackoff,
    retryJitter: task.retryJitter,
    timeoutSeconds: task.timeoutSeconds,
  };
}

/** JSON text of `{ field: { from, to } }`; null if nothing differs. */
export function differencesOf(before: TaskDescription, after: TaskDescription): string | null {
  const changed = Object.keys(after).filter((field) => !isDeepStrictEqual(before[field], after[field]));
  if (changed.length === 0) return null;
  const told = changed.map((field) => [field, { from: said(before[field], field), to: said(after[field], field) }]);
  return JSON.stringify(Object.fromEntries(told));
}

function said(value: unknown, field: string): unknown {
  if (field !== 'data' || typeof value !== 'string') return value ?? null;
  return value.length > MOST_DATA ? `${value.length} characters` : (JSON.parse(value) as unknown);
}
