import type { EntityManager } from '@mikro-orm/postgresql';
import { withIdempotencyKey } from '../../database/idempotency.ts';
import { Fault } from '../../lib/faults.ts';
import { addTask } from '../../tasks/add-task.ts';
import { deleteTask } from '../../tasks/delete-task.ts';
import { pauseTask, resumeTask } from '../../tasks/pause-task.ts';
import { updateTask } from '../../tasks/update-task.ts';
import { builder } from '../builder.ts';
import type { Context } from '../context.ts';
import { TaskRef } from '../refs.ts';
import { readTaskBy } from './task-by.ts';
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
const DeleteTaskPayload = taskPayload('DeleteTaskPayload', 'The task that was deleted; its history and ids are kept.');
const PauseTaskPayload = taskPayload('PauseTaskPayload', 'The paused task.');
const ResumeTaskPayload = taskPayload('ResumeTaskPayload', 'The resumed task.');

/** Runs a change and notifies the other processes after the commit. */
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

/** Names an owner at fault as the inputs do. */
async function inWordsOfInput(work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Fault) || error.field[0] !== 'ownerId') throw error;
    throw new Fault(error.code, error.reason, 'ownerLegacyId');
  }
}

function add(context: Context, input: typeof AddTaskInput.$inferInput) {
  const { ownerLegacyId: ownerId, ...given } = input;
  return change(context, 'addTask', input, (em) => inWordsOfInput(() => addTask(context, em, { ...given, ownerId })));
}

function update(context: Context, input: typeof UpdateTaskInput.$inferInput) {
  const { task, ownerLegacyId: ownerId, ...changes } = input;
  return change(context, 'updateTask', input, (em) =>
    inWordsOfInput(() => updateTask(context, em, readTaskBy(task, 'task'), { ...changes, ownerId })),
  );
}

/** The common part of pauseTask, resumeTask and deleteTask: the task and its expected version. */
function changeOne(
  context: Context,
  mutation: string,
  input: typeof DeleteTaskInput.$inferInput,
  work: typeof deleteTask,
) {
  return change(context, mutation, input, (em) => work(context, em, readTaskBy(input.task, 'task'), input));
}

const operator = { operator: true };

builder.mutationFields((t) => ({
  addTask: t.field({
    type: AddTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Adds a task. Its slots are due from now on; earlier ones do not count as missed.',
    args: { input: t.arg({ type: AddTaskInput, required: true }) },
    resolve: (_root, { input }, context) => add(context, input),
  }),
  updateTask: t.field({
    type: UpdateTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Changes a task. Slots up to now are settled under the previous schedule.',
    args: { input: t.arg({ type: UpdateTaskInput, required: true }) },
    resolve: (_root, { input }, context) => update(context, input),
  }),
  deleteTask: t.field({
    type: DeleteTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Deletes a task. Its name, history and ids are kept. A running attempt finishes normally.',
    args: { input: t.arg({ type: DeleteTaskInput, required: true }) },
    resolve: (_root, { input }, context) => changeOne(context, 'deleteTask', input, deleteTask),
  }),
  pauseTask: t.field({
    type: PauseTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Pauses a task: it has no slots until it is resumed. Has no effect on a paused task.',
    args: { input: t.arg({ type: PauseTaskInput, required: true }) },
    resolve: (_root, { input }, context) => changeOne(context, 'pauseTask', input, pauseTask),
  }),
  resumeTask: t.field({
    type: ResumeTaskPayload,
    nullable: true,
    authScopes: operator,
    description: 'Resumes a paused task from now on. Has no effect on a task that is not paused.',
    args: { input: t.arg({ type: ResumeTaskInput, required: true }) },
    resolve: (_root, { input }, context) => changeOne(context, 'resumeTask', input, resumeTask),
  }),
}));
