import type { EntityManager } from '@mikro-orm/postgresql';
import { currentRules, switchSchedule } from '../scheduling/schedule-change.ts';
import type { Actor } from './actor.ts';
import { type Expected, lockForChange } from './lock-task.ts';
import { recordChange } from './record-change.ts';

/** Stops a task from expecting slots until it is resumed. No change for a paused one. Returns its id. */
export function pauseTask(actor: Actor, em: EntityManager, taskId: number, expected: Expected = {}): Promise<number> {
  return setActive(actor, em, taskId, false, expected);
}

/** Lets a paused task expect slots from now on. No change for one that is not paused. Returns its id. */
export function resumeTask(actor: Actor, em: EntityManager, taskId: number, expected: Expected = {}): Promise<number> {
  return setActive(actor, em, taskId, true, expected);
}

async function setActive(
  actor: Actor,
  em: EntityManager,
  taskId: number,
  active: boolean,
  { expectedVersion }: Expected,
): Promise<number> {
  const { task, now } = await lockForChange(actor, em, taskId, { expectedVersion });
  if (task.active === active) return task.id;
  const rules = await currentRules(em, task);
  await switchSchedule(em, task, { rules, timeZone: task.timeZone, active }, now);
  return recordChange(em, actor.viewer, task, { type: active ? 'TASK_RESUMED' : 'TASK_PAUSED', now });
}
