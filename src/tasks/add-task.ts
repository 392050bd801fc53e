import type { EntityManager } from '@mikro-orm/postgresql';
import { readClock } from '../database/clock.ts';
import { appendEvents } from '../events/log.ts';
import type { Actor } from './actor.ts';
import { checkData, type GivenData, readData } from './data.ts';
import { readClass, readName, readOwner, readTimeZone } from './fields.ts';
import { insertTask, type KnownTask } from './insert-task.ts';
import { type PolicyChange, policyOfClass, readPolicy } from './policy.ts';
import { type GivenRule, readRepeatItems } from './repeat-items.ts';

/** A task as a user gives it. */
export interface NewTask extends GivenData {
  name: string;
  className: string;
  /** false adds it paused. */
  active: boolean;
  /** Without rules the task runs on request only. */
  repeatItems: readonly GivenRule[];
  /** The actor's unless given. */
  timeZone?: string | null | undefined;
  /** The viewer unless given; only an admin may name another. */
  ownerId?: number | null | undefined;
  /** Fields left out come from the class. */
  policy?: PolicyChange | null | undefined;
}

/** Adds a task, due from now on, and returns its id. BAD_USER_INPUT and FORBIDDEN name a field of `given`. */
export async function addTask(
  actor: Actor,
  em: EntityManager,
  given: NewTask,
  known: Omit<KnownTask, 'itemIds'> = {},
): Promise<number> {
  const { viewer } = actor;
  const timeZone = readTimeZone(given.timeZone ?? actor.timeZone);
  const taskClass = await readClass(em, actor.taskClasses, given.className);
  const data = readData(given) ?? null;
  checkData(taskClass, data?.value ?? {});
  const rules = readRepeatItems(given.repeatItems, timeZone);
  const ownerId = given.ownerId ?? viewer.id;
  // The viewer exists: users are never removed.
  if (ownerId !== viewer.id) await readOwner(em, viewer, ownerId);
  const name = readName(given.name);
  const policy = { ...policyOfClass(taskClass.defaults), ...readPolicy(given.policy ?? {}) };
  const { active } = given;
  const task = { name, className: taskClass.name, data: data?.text ?? null, active, ownerId, timeZone, rules, policy };
  const id = await insertTask(em, task, await readClock(em), known);
  await appendEvents(em, [{ type: 'TASK_ADDED', taskId: id, taskName: name, actorId: viewer.id }]);
  return id;
}
