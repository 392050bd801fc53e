import { type SelectQueryBuilder, sql } from 'kysely';
import type { ReadTables } from '../database/rows.ts';
import { toText } from '../database/timestamp.ts';
import { readGlobalId } from '../lib/global-id.ts';
import { containing, readList, readText } from '../lib/input.ts';
import { builder } from './builder.ts';
import { RunStateEnum } from './enums.ts';

export const TaskFilter = builder.inputType('TaskFilter', {
  description: 'Which tasks: those that meet every condition given.',
  fields: (t) => ({
    ids: t.idList({ description: 'One of these, 500 at most.' }),
    name: t.string({ description: 'The name holds this text, in capitals or not.' }),
    className: t.string({ description: 'The whole name of the class.' }),
    active: t.boolean({ description: 'Whether it is active rather than paused.' }),
    owner: t.id({ description: 'The user who owns it.' }),
    timeZone: t.string({ description: 'The zone of its clock, as it was given.' }),
    dueBefore: t.field({ type: 'DateTime', description: 'Its next slot is earlier.' }),
    lastRunState: t.field({ type: RunStateEnum, description: 'The state of its newest run.' }),
    includeDeleted: t.boolean({ defaultValue: false, description: 'Deleted tasks too.' }),
  }),
});

export type TaskFilterInput = typeof TaskFilter.$inferInput;

export type TaskQuery<Output> = SelectQueryBuilder<ReadTables, 'task', Output>;

/** The query's tasks that meet the filter; no filter is every live task. BAD_USER_INPUT names fields below `path`. */
export function whereTask<Output>(
  query: TaskQuery<Output>,
  filter: TaskFilterInput | null | undefined,
  path: string,
): TaskQuery<Output> {
  let found = query;
  if (filter?.includeDeleted !== true) found = found.where('task.deleted_at', 'is', null);
  if (filter == null) return found;
  if (filter.ids != null) found = found.where(isOneOf(filter.ids, `${path}.ids`));
  if (filter.active != null) found = found.where('task.active', '=', filter.active);
  if (filter.owner != null) {
    found = found.where('task.owner_id', '=', readGlobalId('User', filter.owner, `${path}.owner`));
  }
  if (filter.dueBefore != null) found = found.where('task.next_run_at', '<', toText(filter.dueBefore));
  if (filter.lastRunState != null) found = found.where(lastRunState(), '=', filter.lastRunState);
  return whereText(found, filter, path);
}

function whereText<Output>(query: TaskQuery<Output>, filter: TaskFilterInput, path: string): TaskQuery<Output> {
  let found = query;
  if (filter.name != null) found = found.where('task.name', 'ilike', containing(filter.name, `${path}.name`));
  if (filter.className != null) {
    found = found.where('task.class_name', '=', readText(filter.className, `${path}.className`));
  }
  if (filter.timeZone != null) {
    found = found.where('task.time_zone', '=', readText(filter.timeZone, `${path}.timeZone`));
  }
  return found;
}

function isOneOf(ids: readonly string[], path: string) {
  const wanted = readList(ids, path).map((id, index) => readGlobalId('Task', id, `${path}.${index}`));
  return sql<boolean>`task.id = any(${wanted}::bigint[])`;
}

function lastRunState() {
  return sql<string>`(select run.state from run where run.task_id = task.id order by run.id desc limit 1)`;
}
