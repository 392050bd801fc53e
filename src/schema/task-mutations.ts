import type { EntityManager } from '@mikro-orm/postgresql';
import { withIdempotencyKey } from '../database/idempotency.ts';
import { addTask, deleteTask, setActive, updateTask } from '../tasks/update-task.ts';
import { builder } from './builder.ts';
import type { Context } from './context.ts';
import { TaskRef } from './refs.ts';
import {
  AddTaskInput,
  DeleteTaskInput,
  PauseTaskInput,
  ResumeTaskInput,
  UpdateTaskInput,
} from './task-change-inputs.ts';

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

/** Runs a change and tells the other processes of it after the commit. */
async function change(
  context: Context,
  mutation: string,
  input: { idempotencyKey?: string | null | undefined },
  work: (em: EntityManager) => Promise<number>,
): Promise<{ taskId: number }> {
  const taskId = await withIdempotencyKey(context, mutation, input, work);
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
