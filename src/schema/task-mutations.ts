import type { EntityManager } from '@mikro-orm/postgresql';
import type { EventType } from '../entities/event.ts';
import { RepeatItem, Task, User } from '../entities/index.ts';
import { columnsOfRule } from '../entities/repeat-item.ts';
import { badInput, conflict, forbidden, notFound } from '../errors.ts';
import { appendEvents } from '../events/log.ts';
import type { RepeatRule } from '../runner/calendar.ts';
import { lockAndSettle } from '../runner/planner.ts';
import { releaseWaiting } from '../runner/release.ts';
import { currentRules, switchSchedule } from '../runner/schedule-change.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { IDEMPOTENCY_KEY, once } from './idempotency.ts';
import { TaskRef } from './refs.ts';
import { RepeatItemInput, readRepeatItems } from './repeat-item.ts';
import { readTaskBy, type TaskBy, TaskByInput } from './task-by.ts';
import {
  checkData,
  readClassName,
  readData,
  readName,
  readPolicy,
  readTimeZone,
  TaskPolicyInput,
} from './task-input.ts';

const FIELDS = {
  name: 'What users call it: 1 to 255 characters, any but NUL.',
  className: 'One of `taskClasses`.',
  data: 'The object handed to the task class; null for none.',
  dataText: '`data` as JSON text, kept as it is written; instead of `data`.',
  timeZone: "The IANA zone of its clock; the server's unless given.",
  owner: 'Whose task it is, by id in the old API; the caller unless given. Only an admin may name another.',
  policy: 'What happens when things do not go to plan.',
  expectedVersion: 'Refuse with CONFLICT unless the task has this `version`.',
};

const AddTaskInput = builder.inputType('AddTaskInput', {
  description: 'A new task.',
  fields: (t) => ({
    name: t.string({ required: true, description: FIELDS.name }),
    className: t.string({ required: true, description: FIELDS.className }),
    data: t.field({ type: 'JSON', description: FIELDS.data }),
    dataText: t.string({ description: FIELDS.dataText }),
    active: t.boolean({ required: true, defaultValue: true, description: 'false adds it paused.' }),
    repeatItems: t.field({
      type: [RepeatItemInput],
      required: true,
      defaultValue: [],
      description: 'When it is due, 100 rules at most; without any it runs on request alone.',
    }),
    timeZone: t.string({ description: FIELDS.timeZone }),
    ownerLegacyId: t.int({ description: FIELDS.owner }),
    policy: t.field({ type: TaskPolicyInput, description: FIELDS.policy }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

const UpdateTaskInput = builder.inputType('UpdateTaskInput', {
  description: 'Changes of a task. A field left out stays as it is.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, required: true, description: 'Which task.' }),
    name: t.string({ description: FIELDS.name }),
    className: t.string({ description: FIELDS.className }),
    data: t.field({ type: 'JSON', description: FIELDS.data }),
    dataText: t.string({ description: FIELDS.dataText }),
    active: t.boolean({ description: 'false pauses it, true resumes it.' }),
    repeatItems: t.field({
      type: [RepeatItemInput],
      description: 'Replaces all the rules; the new ones get new ids.',
    }),
    timeZone: t.string({ description: FIELDS.timeZone }),
    ownerLegacyId: t.int({ description: FIELDS.owner }),
    policy: t.field({ type: TaskPolicyInput, description: FIELDS.policy }),
    expectedVersion: t.int({ description: FIELDS.expectedVersion }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

function taskInput(name: string, description: string) {
  return builder.inputType(name, {
    description,
    fields: (t) => ({
      task: t.field({ type: TaskByInput, required: true, description: 'Which task.' }),
      expectedVersion: t.int({ description: FIELDS.expectedVersion }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  });
}

const DeleteTaskInput = taskInput('DeleteTaskInput', 'Which task to delete.');
const PauseTaskInput = taskInput('PauseTaskInput', 'Which task to pause.');
const ResumeTaskInput = taskInput('ResumeTaskInput', 'Which task to resume.');

function taskPayload(name: string, description: string) {
  return builder.objectRef<{ taskId: number }>(name).implement({
    description,
    fields: (t) => ({
      task: t.field({ type: TaskRef, nullable: true, description: 'The task.', resolve: ({ taskId }) => taskId }),
    }),
  });
}

const AddTaskPayload = taskPayload('AddTaskPayload', 'The task that was added.');
const UpdateTaskPayload = taskPayload('UpdateTaskPayload', 'The task after the change.');
const DeleteTaskPayload = taskPayload('DeleteTaskPayload', 'The task that was deleted; its history and ids stay.');
const PauseTaskPayload = taskPayload('PauseTaskPayload', 'The paused task.');
const ResumeTaskPayload = taskPayload('ResumeTaskPayload', 'The resumed task.');

/** The owner that a call names: an existing user, and another than the caller only for an admin. */
async function readOwner(em: EntityManager, viewer: User, legacyId: number, path: string): Promise<User> {
  if (legacyId !== viewer.id && viewer.role !== 'ADMIN') {
    throw forbidden(`${path}: it is ${legacyId}; only an admin may name another user than themselves (${viewer.id})`);
  }
  const owner = await em.findOne(User, { id: legacyId });
  if (owner === null) throw badInput(path, `there is no user ${legacyId}; accepted is the id of an existing user`);
  return owner;
}

/**
 * The task, locked and with its slots settled up to the returned instant, for a change by the viewer. A deleted task is
 * not found.
 */
export async function lockForChange(
  { jobs, viewer }: Context,
  em: EntityManager,
  by: TaskBy,
  expectedVersion?: number | null,
): Promise<{ task: Task; now: Date }> {
  const id = readTaskBy(by, 'input.task');
  const now = await lockAndSettle(em, jobs, id);
  const task = await em.findOne(Task, { id, deletedAt: null }, { populate: ['repeatItems'] });
  if (task === null) throw notFound(`there is no task ${id}`, 'input.task');
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

async function recordChange(em: EntityManager, viewer: User, task: Task, type: EventType, now: Date): Promise<number> {
  if (type !== 'TASK_ADDED') {
    task.version += 1;
    task.updatedAt = now;
  }
  await em.flush();
  await appendEvents(em, [{ type, taskId: task.id, taskName: task.name, actorId: viewer.id }]);
  return task.id;
}

function addItems(em: EntityManager, task: Task, rules: readonly RepeatRule[]): void {
  for (const rule of rules) em.create(RepeatItem, { task, ...columnsOfRule(rule) });
}

async function addTask(context: Context, em: EntityManager, input: typeof AddTaskInput.$inferInput): Promise<number> {
  const timeZone = readTimeZone(input.timeZone ?? context.timeZone, 'input.timeZone');
  const className = readClassName(context.taskClasses, input.className, 'input.className');
  const data = readData(input, 'input') ?? null;
  checkData(context.taskClasses, className, data, 'input');
  const rules = readRepeatItems(input.repeatItems, timeZone, 'input.repeatItems');
  const owner = await readOwner(em, context.viewer, input.ownerLegacyId ?? context.viewer.id, 'input.ownerLegacyId');
  const now = await databaseClock(em);
  const task = em.create(Task, {
    name: readName(input.name, 'input.name'),
    className,
    data,
    active: input.active,
    owner,
    timeZone,
    createdAt: now,
    updatedAt: now,
    ...readPolicy(input.policy ?? {}, 'input.policy'),
  });
  addItems(em, task, rules);
  await em.flush();
  await switchSchedule(em, task, { rules, timeZone, active: input.active }, now);
  return recordChange(em, context.viewer, task, 'TASK_ADDED', now);
}

async function databaseClock(em: EntityManager): Promise<Date> {
  const [row] = await em.execute<{ now: string }[]>('select clock_timestamp() as now');
  return new Date(row?.now ?? Number.NaN);
}

async function updateTask(
  context: Context,
  em: EntityManager,
  input: typeof UpdateTaskInput.$inferInput,
): Promise<number> {
  const { task, now } = await lockForChange(context, em, input.task, input.expectedVersion);
  if (input.name !== undefined && input.name !== null) task.name = readName(input.name, 'input.name');
  if (input.className !== undefined && input.className !== null) {
    task.className = readClassName(context.taskClasses, input.className, 'input.className');
  }
  const data = readData(input, 'input');
  if (data !== undefined) task.data = data;
  if (data !== undefined || input.className) checkData(context.taskClasses, task.className, task.data ?? null, 'input');
  if (input.ownerLegacyId !== undefined && input.ownerLegacyId !== null) {
    const owner = await readOwner(em, context.viewer, input.ownerLegacyId, 'input.ownerLegacyId');
    task.owner = task.owner.id === owner.id ? task.owner : em.getReference(User, owner.id, { wrapped: true });
  }
  Object.assign(task, readPolicy(input.policy ?? {}, 'input.policy'));
  await updateSchedule(em, task, input, now);
  const id = await recordChange(em, context.viewer, task, 'TASK_UPDATED', now);
  // A policy that now allows overlap lets the waiting runs go.
  await releaseWaiting(em, context.jobs, [id]);
  return id;
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

async function setActive(context: Context, em: EntityManager, by: TaskBy, active: boolean, version?: number | null) {
  const { task, now } = await lockForChange(context, em, by, version);
  if (task.active === active) return task.id;
  const rules = await currentRules(em, task);
  await switchSchedule(em, task, { rules, timeZone: task.timeZone, active }, now);
  return recordChange(em, context.viewer, task, active ? 'TASK_RESUMED' : 'TASK_PAUSED', now);
}

async function deleteTask(context: Context, em: EntityManager, by: TaskBy, version?: number | null): Promise<number> {
  const { task, now } = await lockForChange(context, em, by, version);
  const rules = await currentRules(em, task);
  task.deletedAt = now;
  await switchSchedule(em, task, { rules, timeZone: task.timeZone, active: task.active }, now);
  return recordChange(em, context.viewer, task, 'TASK_DELETED', now);
}

/** Runs a change and tells the other processes of it after the commit. */
async function change(
  context: Context,
  mutation: string,
  input: { idempotencyKey?: string | null | undefined },
  work: (em: EntityManager) => Promise<number>,
): Promise<{ taskId: number }> {
  const taskId = await once(context, mutation, input, work);
  context.notifications.notify('slotkeeper_schedule', 'slotkeeper_events', 'slotkeeper_jobs');
  return { taskId };
}

const operator = { operator: true };
const argument = { required: true, description: 'All of it.' } as const;

builder.mutationFields((t) => ({
  addTask: t.field({
    type: AddTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Adds a task. It is due from now on; slots before are not missed ones.',
    args: { input: t.arg({ type: AddTaskInput, ...argument }) },
    resolve: (_root, { input }, context) => change(context, 'addTask', input, (em) => addTask(context, em, input)),
  }),
  updateTask: t.field({
    type: UpdateTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Changes a task. Slots up to now are settled under the schedule that it had.',
    args: { input: t.arg({ type: UpdateTaskInput, ...argument }) },
    resolve: (_root, { input }, context) =>
      change(context, 'updateTask', input, (em) => updateTask(context, em, input)),
  }),
  deleteTask: t.field({
    type: DeleteTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Deletes a task. Its name, its history and its ids stay; a run that is under way ends as it would.',
    args: { input: t.arg({ type: DeleteTaskInput, ...argument }) },
    resolve: (_root, { input }, context) =>
      change(context, 'deleteTask', input, (em) => deleteTask(context, em, input.task, input.expectedVersion)),
  }),
  pauseTask: t.field({
    type: PauseTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Pauses a task: it expects no slot until it is resumed. No change for a paused one.',
    args: { input: t.arg({ type: PauseTaskInput, ...argument }) },
    resolve: (_root, { input }, context) =>
      change(context, 'pauseTask', input, (em) => setActive(context, em, input.task, false, input.expectedVersion)),
  }),
  resumeTask: t.field({
    type: ResumeTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Resumes a paused task from now on. No change for one that is not paused.',
    args: { input: t.arg({ type: ResumeTaskInput, ...argument }) },
    resolve: (_root, { input }, context) =>
      change(context, 'resumeTask', input, (em) => setActive(context, em, input.task, true, input.expectedVersion)),
  }),
}));
