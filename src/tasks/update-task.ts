import type { EntityManager } from '@mikro-orm/postgresql';
import { RepeatItem, type Task, User } from '../entities/index.ts';
import { columnsOfRule } from '../entities/repeat-item.ts';
import { releaseWaiting } from '../scheduling/release.ts';
import { currentRules, switchSchedule } from '../scheduling/schedule-change.ts';
import type { Actor } from './actor.ts';
import type { NewTask } from './add-task.ts';
import { checkData, readData } from './data.ts';
import { describeTask, differencesOf } from './differences.ts';
import { readClass, readName, readOwner, readTimeZone } from './fields.ts';
import { type Expected, lockForChange } from './lock-task.ts';
import { readPolicy } from './policy.ts';
import { recordChange } from './record-change.ts';
import { readRepeatItems } from './repeat-items.ts';

/** Changes of a task. A field that is left out or null keeps its value, except that null removes the data. */
export type TaskChanges = { [Field in keyof NewTask]?: NewTask[Field] | null | undefined };

/**
 * Changes a task and returns its id. Slots up to now are settled under the schedule that it had; the rules, where any are
 * given, replace all that it has. A fault names a field of `changes`, or `task` or `expectedVersion`.
 */
export async function updateTask(
  actor: Actor,
  em: EntityManager,
  taskId: number,
  changes: TaskChanges & Expected,
): Promise<number> {
  const { task, now } = await lockForChange(actor, em, taskId, changes);
  await em.populate(task, ['repeatItems']);
  const before = describeTask(task);
  if (changes.name !== undefined && changes.name !== null) task.name = readName(changes.name);
  await updateWork(actor, em, task, changes);
  await updateOwner(actor, em, task, changes);
  Object.assign(task, readPolicy(changes.policy ?? {}));
  await updateSchedule(em, task, changes, now);
  const data = differencesOf(before, describeTask(task));
  const id = await recordChange(em, actor.viewer, task, { type: 'TASK_UPDATED', now, data });
  // If the policy now allows overlap, waiting runs are released.
  await releaseWaiting(em, actor.jobs, [id]);
  return id;
}

/** Updates the class and the data, which must fit each other if either changes. */
async function updateWork(
  { jobs, taskClasses }: Actor,
  em: EntityManager,
  task: Task,
  { className, ...given }: TaskChanges,
): Promise<void> {
  if (className !== undefined && className !== null) {
    const { name } = await readClass(em, taskClasses, className);
    if (name !== task.className) await moveQueuedRuns(jobs, em, task.id, name);
    task.className = name;
  }
  const data = readData(given);
  if (data === undefined && !className) return;
  const value = data === undefined ? JSON.parse(task.data ?? '{}') : (data?.value ?? {});
  if (data !== undefined) task.data = data?.text ?? null;
  checkData(await taskClasses.named(em, task.className), value);
}

/** Queued runs run with the class that the task has when they start; the former class may have no runner. */
async function moveQueuedRuns(
  jobs: Actor['jobs'],
  em: EntityManager,
  taskId: number,
  className: string,
): Promise<void> {
  const queued = await em.execute<{ job_id: string }[]>(
    `select job_id from run where task_id = ? and state = 'QUEUED' and job_id is not null`,
    [taskId],
  );
  await jobs.moveToClass(
    em,
    queued.map(({ job_id }) => job_id),
    className,
  );
}

async function updateOwner({ viewer }: Actor, em: EntityManager, task: Task, { ownerId }: TaskChanges): Promise<void> {
  if (ownerId === undefined || ownerId === null) return;
  const owner = await readOwner(em, viewer, ownerId);
  if (task.owner.id !== owner.id) task.owner = em.getReference(User, owner.id, { wrapped: true });
}

async function updateSchedule(em: EntityManager, task: Task, changes: TaskChanges, now: Date): Promise<void> {
  const timeZone = changes.timeZone ? readTimeZone(changes.timeZone) : task.timeZone;
  const active = changes.active ?? task.active;
  const items = changes.repeatItems ?? undefined;
  if (items === undefined && timeZone === task.timeZone && active === task.active) return;
  const rules = items ? readRepeatItems(items, timeZone) : await currentRules(em, task);
  if (items) {
    task.repeatItems.removeAll();
    for (const rule of rules) em.create(RepeatItem, { task, ...columnsOfRule(rule) });
  }
  await switchSchedule(em, task, { rules, timeZone, active }, now);
}
