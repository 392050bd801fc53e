import type { EntityManager } from '@mikro-orm/postgresql';
import { cancelQueuedRuns } from '../scheduling/overlap.ts';
import { currentRules, switchSchedule } from '../scheduling/schedule-change.ts';
import type { Actor } from './actor.ts';
import { type Expected, lockForChange } from './lock-task.ts';
import { recordChange } from './record-change.ts';

const DELETED = 'Cancelled: the task was deleted.';

/**
 * Deletes a task and returns its id. Its row, history and ids remain. Running runs may end; runs that have not started
 * never do.
 */
export async function deleteTask(
  actor: Actor,
  em: EntityManager,
  taskId: number,
  { expectedVersion }: Expected = {},
): Promise<number> {
  const { task, now } = await lockForChange(actor, em, taskId, { expectedVersion });
  const rules = await currentRules(em, task);
  task.deletedAt = now;
  await switchSchedule(em, task, { rules, timeZone: task.timeZone, active: task.active }, now);
  await cancelQueuedRuns(em, [task.id], { message: DELETED, actorId: actor.viewer.id });
  return recordChange(em, actor.viewer, task, { type: 'TASK_DELETED', now });
}
