import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { OldTask } from './old-task.ts';
import type { ImportPlan, PlannedTask } from './plan.ts';

interface HistoryChoice {
  /** Tasks whose history belongs to the task of that id here. */
  wanted: OldTask[];
  /** Why that of the others is left there, by their ids. */
  left: Map<number, string>;
}

/**
 * Whose history is taken: of the tasks that are to be added, and of those that are here as they were there, paused or not:
 * `--paused` adds them so, and of another task that has the id by chance more would differ. One that is here otherwise may
 * be such a task, unless some of its history came in before.
 */
export async function chooseHistory(em: EntityManager, { tasks }: ImportPlan): Promise<HistoryChoice> {
  const doubtful = tasks.filter(isDoubtful).map(({ task }) => task.id);
  const { rows } = await sql<{ id: number }>`
    select id from unnest(${doubtful}::int[]) as doubtful (id)
    where exists (select from imported_log where task_id = doubtful.id)
  `.execute(em.getKysely());
  const known = new Set(rows.map(({ id }) => id));
  const choice: HistoryChoice = { wanted: [], left: new Map() };
  for (const each of tasks) {
    const { task, verdict } = each;
    if (verdict === 'TAKEN') choice.left.set(task.id, 'that task may have been another one');
    else if (isDoubtful(each) && !known.has(task.id)) choice.left.set(task.id, 'the task here may be another one');
    else choice.wanted.push(task);
  }
  return choice;
}

function isDoubtful({ verdict, differences }: PlannedTask): boolean {
  return verdict === 'DIFFERS' && differences.some((field) => field !== 'active');
}
