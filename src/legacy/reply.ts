// How results are spelled in the old API. Every scalar of a row is a string or null, `active` alone a boolean.

import type { RepeatRule } from '../calendar/repeat-rule.ts';
import { MS_PER_MINUTE } from '../calendar/repeat-rule.ts';
import { zoneClock } from '../calendar/zone-clock.ts';
import { phpJsonEncode, phpRecode, RawJson } from './php/json-encode.ts';
import { REPEAT_FIELDS } from './repeat-items.ts';

export interface TaskName {
  legacyId: number;
  name: string;
}

export interface TaskRow extends TaskName {
  className: string;
  active: boolean;
  dataText: string | null;
  owner: { legacyId: number } | null;
  /** ISO 8601. */
  lastRunAt: string | null;
  repeatItems: readonly (RepeatRule & { legacyId: number })[];
}

export interface EventRow {
  logId: string | number;
  /** ISO 8601. */
  at: string;
  /** An EventType of the schema. */
  type: string;
  message: string | null;
  actor: { legacyId: number; name: string } | null;
  taskName: string;
}

/** A row that an old server told, as it told it. */
export interface ImportedRow {
  logId: string;
  /** ISO 8601. */
  at: string;
  level: string | null;
  category: string | null;
  message: string;
  userLegacyId: number | null;
  username: string | null;
  ip: string | null;
}

export function successReply(parts: { message?: string; data?: unknown }): string {
  return phpJsonEncode({ success: 1, ...parts });
}

/** `rows` are texts that taskRow and historyRow made, so that a long list is held once only. */
export function listReply(rows: readonly string[]): string {
  return successReply({ data: new RawJson(`[${rows.join(',')}]`) });
}

export function errorReply(message: string): string {
  return phpJsonEncode({ success: 0, message });
}

/** Whether a reply that successReply or errorReply wrote is of a success. */
export function isSuccessReply(body: string): boolean {
  return body.startsWith('{"success":1');
}

export type Deed = 'added' | 'updated' | 'deleted';

/** The old page: `Task "New Task" (2) deleted`, in replies and in the history alike. */
export function taskMessage({ name, legacyId }: TaskName, deed: Deed): string {
  return `Task "${name}" (${legacyId}) ${deed}`;
}

export function taskRow(task: TaskRow, timeZone: string): string {
  return phpJsonEncode({
    id: String(task.legacyId),
    user_id: textOrNull(task.owner?.legacyId),
    name: task.name,
    class_name: task.className,
    active: task.active,
    data: dataOf(task.dataText),
    last_run: task.lastRunAt === null ? null : localTime(task.lastRunAt, timeZone),
    repeat_items: task.repeatItems.map((item) => itemRow(item, task.legacyId)),
  });
}

/** Null for what json_encode refuses, which is not stored any more: one such task must not take the list from everybody. */
function dataOf(text: string | null): RawJson | null {
  if (text === null) return null;
  try {
    return new RawJson(phpRecode(text));
  } catch {
    return null;
  }
}

function itemRow(item: TaskRow['repeatItems'][number], taskId: number): Record<string, string | null> {
  const fields = REPEAT_FIELDS.map(({ name, field, isCalendar }) => {
    return [name, textOrNull(item[field]) ?? (isCalendar ? '*' : null)];
  });
  return { id: String(item.legacyId), task_id: String(taskId), ...Object.fromEntries(fields) };
}

/** The events that the old history shows; what happens to a run in between it does not. */
const DEEDS: Readonly<Record<string, Deed>> = {
  TASK_ADDED: 'added',
  TASK_UPDATED: 'updated',
  TASK_PAUSED: 'updated',
  TASK_RESUMED: 'updated',
  TASK_DELETED: 'deleted',
};
const RUN_ENDINGS: Readonly<Record<string, string>> = {
  SUCCEEDED: 'finished',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
};
export const HISTORY_TYPES = [...Object.keys(DEEDS), ...Object.keys(RUN_ENDINGS)];

/** Syslog's numbers. */
const INFO = '6';
const ERROR = '3';

/** `taskId` is the id that was asked for; the task itself may be gone. */
export function historyRow(event: EventRow, taskId: number, timeZone: string): string {
  return phpJsonEncode({
    log_id: String(event.logId),
    time: localTime(event.at, timeZone),
    log_level: event.type === 'FAILED' ? ERROR : INFO,
    user_id: textOrNull(event.actor?.legacyId),
    username: event.actor?.name ?? null,
    log_category: 'System',
    message: historyMessage(event, taskId),
    ip: null,
  });
}

export function importedRow(entry: ImportedRow, timeZone: string): string {
  return phpJsonEncode({
    log_id: entry.logId,
    time: localTime(entry.at, timeZone),
    log_level: entry.level,
    user_id: textOrNull(entry.userLegacyId),
    username: entry.username,
    log_category: entry.category,
    message: entry.message,
    ip: entry.ip,
  });
}

/** The old page: the copy of a run's message has no blank at its end, which executeTask's reply has. */
function historyMessage({ type, taskName, message }: EventRow, taskId: number): string {
  const deed = DEEDS[type];
  if (deed !== undefined) return taskMessage({ name: taskName, legacyId: taskId }, deed);
  return `task_id=${taskId} task=${taskName} action=${RUN_ENDINGS[type]} message=${(message ?? '').trimEnd()}`;
}

function textOrNull(value: string | number | null | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

/** `YYYY-MM-DD HH:MM:SS` on the clock of the zone. */
function localTime(at: string, timeZone: string): string {
  const instant = new Date(at).getTime();
  const { offset } = zoneClock(timeZone).stretchAt(Math.floor(instant / MS_PER_MINUTE));
  return new Date(instant + offset * MS_PER_MINUTE).toISOString().slice(0, 19).replace('T', ' ');
}
