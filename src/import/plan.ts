// The plan of an import: the old tasks compared with those that are here.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { RepeatRule } from '../calendar/schedule.ts';
import { phpRecode } from '../legacy/php/json-encode.ts';
import type { OldTask } from './old-task.ts';

/**
 * ADD: the task is not here yet. SAME: it is here, unchanged. DIFFERS: it is here and was changed on either side; it
 * stays as it is. TAKEN: its id belongs to a task that was deleted here.
 */
export type Verdict = 'ADD' | 'SAME' | 'DIFFERS' | 'TAKEN';

export interface PlannedTask {
  task: OldTask;
  verdict: Verdict;
  /** The fields that differ. */
  differences: string[];
}

export interface ImportPlan {
  tasks: PlannedTask[];
  /** The ids of owners that are not here yet. */
  newUsers: number[];
}

interface HereRow {
  id: number;
  name: string;
  class_name: string;
  active: boolean;
  data: string | null;
  owner_id: number;
  deleted: boolean;
  rules: RepeatRule[];
}

/** All of it is read by two statements; nothing is changed. */
export async function planImport(em: EntityManager, tasks: readonly OldTask[]): Promise<ImportPlan> {
  const database = em.getKysely();
  const { rows } = await sql<HereRow>`
    select task.id, name, class_name, task.active, data, owner_id, deleted_at is not null as deleted,
      coalesce(current.rules, '[]'::jsonb) as rules
    from task left join lateral (
      select rules from schedule_version where task_id = task.id and valid_to is null limit 1) as current on true
    where task.id = any(${tasks.map(({ id }) => id)}::int[])
  `.execute(database);
  const here = new Map(rows.map((row) => [row.id, row]));
  const ownerIds = [...new Set(tasks.map(({ ownerId }) => ownerId))];
  const { rows: missing } = await sql<{ id: number }>`
    select wanted.id from unnest(${ownerIds}::int[]) as wanted (id)
    where not exists (select from app_user where app_user.id = wanted.id) order by 1
  `.execute(database);
  return {
    tasks: tasks.map((task) => compare(task, here.get(task.id))),
    newUsers: missing.map(({ id }) => id),
  };
}

function compare(task: OldTask, here: HereRow | undefined): PlannedTask {
  if (here === undefined) return { task, verdict: 'ADD', differences: [] };
  if (here.deleted) return { task, verdict: 'TAKEN', differences: [] };
  const pairs: Record<string, [unknown, unknown]> = {
    name: [task.name, here.name],
    class_name: [task.className, here.class_name],
    active: [task.active, here.active],
    user_id: [task.ownerId, here.owner_id],
    data: [recoded(task.data), recoded(here.data)],
    repeat_items: [keysOf(task.rules), keysOf(here.rules)],
  };
  const differences = Object.entries(pairs)
    .filter(([, [there, now]]) => there !== now)
    .map(([field]) => field);
  return { task, verdict: differences.length === 0 ? 'SAME' : 'DIFFERS', differences };
}

const recoded = (data: string | null) => (data === null ? null : phpRecode(data));

/** The rules whatever their order and that of their fields. */
function keysOf(rules: readonly RepeatRule[]): string {
  const keys = rules.map((rule) =>
    JSON.stringify(Object.entries(rule).toSorted(([left], [right]) => (left < right ? -1 : 1))),
  );
  return keys.toSorted().join();
}
