// What users do to tasks. Each works in the caller's transaction, under the task's row lock.
import type { EntityManager } from '@mikro-orm/postgresql';
import type { EventType } from '../entities/event.ts';
import { RepeatItem, ScheduleVersion, Task, User } from '../entities/index.ts';
import { columnsOfRule } from '../entities/repeat-item.ts';
import { appendEvents } from '../events/log.ts';
import { badInput, conflict, forbidden, notFound } from '../lib/faults.ts';
import type { RepeatRule } from '../runner/calendar.ts';
import { cancelQueuedRuns } from '../runner/overlap.ts';
import { lockAndSettle } from '../runner/planner.ts';
import { releaseWaiting } from '../runner/release.ts';
import { currentRules, pointersAt, switchSchedule } from '../runner/schedule-change.ts';
import type { Context } from './context.ts';
import { readRepeatItems } from './repeat-item.ts';
import { readTaskBy, type TaskBy } from './task-by.ts';
import type { AddTaskInput, UpdateTaskInput } from './task-change-inputs.ts';
import { describeTask, differencesOf } from './task-differences.ts';
import { checkData, policyOfClass, readClass, readData, readName, readPolicy, readTimeZone } from './task-input.ts';

/** What a change takes of an operation, or of a command. */
export type ChangeContext = Pick<Context, 'em' | 'viewer' | 'jobs' | 'taskClasses' | 'timeZone'>;

/** The owner that a call names: an existing user, and another than the caller only for an admin. */
async function readOwner(em: EntityManager, viewer: User, legacyId: number, path: string): Promise<User> {
  if (legacyId !== viewer.id && viewer.role !== 'ADMIN') {
    const reason = `it is ${legacyId}; only an admin may name another user than themselves (${viewer.id})`;
    throw forbidden(`${path}: ${reason}`, path);
  }
  const owner = await em.findOne(User, { id: legacyId });
  if (owner === null) throw badInput(path, `there is no user ${legacyId}; accepted is the id of an existing user`);
  return owner;
}

/**
 * The task, locked and with its slots settled up to the returned instant, for a change by the viewer. A deleted task is
 * not found, unless `orDeleted`.
 */
export async function lockForChange(
  { jobs, viewer }: Pick<ChangeContext, 'jobs' | 'viewer'>,
  em: EntityManager,
  by: TaskBy,
  { expectedVersion, orDeleted = false }: { expectedVersion?: number | null | undefined; orDeleted?: boolean } = {},
): Promise<{ task: Task; now: Date }> {
  const id = readTaskBy(by, 'input.task');
  const now = await lockAndSettle(em, jobs, id);
  const task = await em.findOne(Task, { id });
  if (task === null || (task.deletedAt && !orDeleted)) throw notFound(`there is no task ${id}`, 'input.task');
  if (viewer.role !== 'ADMIN' && task.owner.id !== viewer.id) {
    throw forbidden(`task ${id} belongs to another user; an operator may change their own tasks`);
  }
  if (expectedVersion !== null && expectedVersion !== undefined && expectedVersion !== task.version) {
    throw conflict(
      `the task has version ${task.version}, not ${expectedVersion}: somebody changed it`,
      'input.expectedVersion',
    );
  }
  return { task, now };
}

async function recordChange(
  em: EntityManager,
  viewer: User,
  task: Task,
  type: EventType,
  now: Date,
  data: string | null = null,
): Promise<number> {
  task.version += 1;
  task.updatedAt = now;
  await em.flush();
  await appendEvents(em, [{ type, taskId: task.id, taskName: task.name, actorId: viewer.id, data }]);
  return task.id;
}

function addItems(em: EntityManager, task: Task, rules: readonly RepeatRule[]): void {
  for (const rule of rules) em.create(RepeatItem, { task, ...columnsOfRule(rule) });
}

/** `known` is what the task has already where it comes from: an id that was never used here, and a version. */
export async function addTask(
  context: ChangeContext,
  em: EntityManager,
  input: typeof AddTaskInput.$inferInput,
  known: { id?: number; version?: number } = {},
): Promise<number> {
  const timeZone = readTimeZone(input.timeZone ?? context.timeZone, 'input.timeZone');
  const taskClass = await readClass(context, input.className, 'input.className');
  const data = readData(input, 'input') ?? null;
  checkData(taskClass, data, 'input');
  const rules = readRepeatItems(input.repeatItems, timeZone, 'input.repeatItems');
  const ownerId = input.ownerLegacyId ?? context.viewer.id;
  // The caller exists: users are never removed.
  if (ownerId !== context.viewer.id) await readOwner(em, context.viewer, ownerId, 'input.ownerLegacyId');
  const name = readName(input.name, 'input.name');
  const { active } = input;
  const policy = { ...policyOfClass(taskClass.defaults), ...readPolicy(input.policy ?? {}, 'input.policy') };
  const now = await databaseClock(em);
  // Each a statement of its own, without a unit of work: nothing of it is read again.
  const task = await em.insert(Task, {
    ...known,
    name,
    className: taskClass.name,
    data,
    active,
    owner: ownerId,
    timeZone,
    createdAt: now,
    updatedAt: now,
    ...policy,
    ...pointersAt({ rules, timeZone, active }, now),
  });
  if (rules.length > 0) {
    await em.insertMany(
      RepeatItem,
      rules.map((rule) => ({ task, ...columnsOfRule(rule) })),
    );
  }
  await em.insert(ScheduleVersion, { task, rules, timeZone, active, validFrom: now });
  await appendEvents(em, [{ type: 'TASK_ADDED', taskId: task, taskName: name, actorId: context.viewer.id }]);
  return task;
}

async function databaseClock(em: EntityManager): Promise<Date> {
  const [row] = await em.execute<{ now: string }[]>('select clock_timestamp() as now');
  return new Date(row?.now ?? Number.NaN);
}

export async function updateTask(
  context: ChangeContext,
  em: EntityManager,
  input: typeof UpdateTaskInput.$inferInput,
): Promise<number> {
  const { task, now } = await lockForChange(context, em, input.task, input);
  await em.populate(task, ['repeatItems']);
  const before = describeTask(task);
  if (input.name !== undefined && input.name !== null) task.name = readName(input.name, 'input.name');
  if (input.className !== undefined && input.className !== null) {
    const { name } = await readClass(context, input.className, 'input.className');
    if (name !== task.className) await moveQueuedRuns(context, em, task.id, name);
    task.className = name;
  }
  const data = readData(input, 'input');
  if (data !== undefined) task.data = data;
  if (data !== undefined || input.className) {
    checkData(await context.taskClasses.named(em, task.className), task.data ?? null, 'input');
  }
  if (input.ownerLegacyId !== undefined && input.ownerLegacyId !== null) {
    const owner = await readOwner(em, context.viewer, input.ownerLegacyId, 'input.ownerLegacyId');
    task.owner = task.owner.id === owner.id ? task.owner : em.getReference(User, owner.id, { wrapped: true });
  }
  Object.assign(task, readPolicy(input.policy ?? {}, 'input.policy'));
  await updateSchedule(em, task, input, now);
  const id = await recordChange(
    em,
    context.viewer,
    task,
    'TASK_UPDATED',
    now,
    differencesOf(before, describeTask(task)),
  );
  // A policy that now allows overlap lets the waiting runs go.
  await releaseWaiting(em, context.jobs, [id]);
  return id;
}

/** Runs that are queued are for the class that the task has when they begin; those of the former one may have no runner. */
async function moveQueuedRuns(
  { jobs }: ChangeContext,
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

async function updateSchedule(
  em: EntityManager,
  task: Task,
  input: typeof UpdateTaskInput.$inferInput,
  now: Date,
): Promise<void> {
  const timeZone = input.timeZone ? readTimeZone(input.timeZone, 'input.timeZone') : task.timeZone;
  const active = input.active ?? task.active;
  const items = input.repeatItems ?? undefined;
  if (items === undefined && timeZone === task.timeZone && active === task.active) return;
  const rules = items ? readRepeatItems(items, timeZone, 'input.repeatItems') : await currentRules(em, task);
  if (items) {
    task.repeatItems.removeAll();
    addItems(em, task, rules);
  }
  await switchSchedule(em, task, { rules, timeZone, active }, now);
}

export async function setActive(
  context: Context,
  em: EntityManager,
  by: TaskBy,
  active: boolean,
  expectedVersion?: number | null,
) {
  const { task, now } = await lockForChange(context, em, by, { expectedVersion });
  if (task.active === active) return task.id;
  const rules = await currentRules(em, task);
  await switchSchedule(em, task, { rules, timeZone: task.timeZone, active }, now);
  return recordChange(em, context.viewer, task, active ? 'TASK_RESUMED' : 'TASK_PAUSED', now);
}

const DELETED = 'Cancelled: the task was deleted.';

export async function deleteTask(
  context: ChangeContext,
  em: EntityManager,
  by: TaskBy,
  expectedVersion?: number | null,
): Promise<number> {
  const { task, now } = await lockForChange(context, em, by, { expectedVersion });
  const rules = await currentRules(em, task);
  task.deletedAt = now;
  await switchSchedule(em, task, { rules, timeZone: task.timeZone, active: task.active }, now);
  // What runs may end; what has not begun never will.
  await cancelQueuedRuns(em, [task.id], { message: DELETED, actorId: context.viewer.id });
  return recordChange(em, context.viewer, task, 'TASK_DELETED', now);
}
