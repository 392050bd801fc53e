import { type SelectQueryBuilder, sql } from 'kysely';
import type { ReadTables } from '../database/rows.ts';
import { toText } from '../database/timestamp.ts';
import type { RunState } from '../entities/run.ts';
import { containing, readText } from '../lib/input.ts';

/** Which tasks: those that meet every condition that is neither left out nor null. */
export interface TaskFilter {
  ids?: readonly number[] | null | undefined;
  /** The name holds this text, in capitals or not. */
  name?: string | null | undefined;
  /** The whole name of the class. */
  className?: string | null | undefined;
  active?: boolean | null | undefined;
  ownerId?: number | null | undefined;
  /** The time zone as the task has it. */
  timeZone?: string | null | undefined;
  /** Its next slot is earlier. */
  dueBefore?: Date | null | undefined;
  /** The state of its newest run. */
  lastRunState?: RunState | null | undefined;
  /** Deleted tasks too. */
  includeDeleted?: boolean | null | undefined;
}

export type TaskQuery<Output> = SelectQueryBuilder<ReadTables, 'task', Output>;

/** The query's tasks that meet the filter; no filter is every live task. BAD_USER_INPUT names a field of the filter. */
export function whereTask<Output>(query: TaskQuery<Output>, filter: TaskFilter | null): TaskQuery<Output> {
  let found = query;
  if (filter?.includeDeleted !== true) found = found.where('task.deleted_at', 'is', null);
  if (filter === null) return found;
  if (filter.ids != null) found = found.where(isOneOf(filter.ids));
  if (filter.active != null) found = found.where('task.active', '=', filter.active);
  if (filter.ownerId != null) found = found.where('task.owner_id', '=', filter.ownerId);
  if (filter.dueBefore != null) found = found.where('task.next_run_at', '<', toText(filter.dueBefore));
  if (filter.lastRunState != null) found = found.where(lastRunState(), '=', filter.lastRunState);
  return whereText(found, filter);
}

function whereText<Output>(query: TaskQuery<Output>, { name, className, timeZone }: TaskFilter): TaskQuery<Output> {
  let found = query;
  if (name != null) found = found.where('task.name', 'ilike', containing(name, 'name'));
  if (className != null) found = found.where('task.class_name', '=', readText(className, 'className'));
  if (timeZone != null) found = found.where('task.time_zone', '=', readText(timeZone, 'timeZone'));
  return found;
}

function isOneOf(ids: readonly number[]) {
  return sql<boolean>`task.id = any(${ids}::bigint[])`;
}

function lastRunState() {
  return sql<string>`(select run.state from run where run.task_id = task.id order by run.id desc limit 1)`;
}
