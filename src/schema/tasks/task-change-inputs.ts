// The inputs of the mutations that change tasks.

import { builder } from '../builder.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { RepeatItemInput } from './repeat-item.ts';
import { TaskByInput } from './task-by.ts';
import { TaskPolicyInput } from './task-policy-inputs.ts';

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

export const AddTaskInput = builder.inputType('AddTaskInput', {
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

export const UpdateTaskInput = builder.inputType('UpdateTaskInput', {
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

export const DeleteTaskInput = taskInput('DeleteTaskInput', 'Which task to delete.');
export const PauseTaskInput = taskInput('PauseTaskInput', 'Which task to pause.');
export const ResumeTaskInput = taskInput('ResumeTaskInput', 'Which task to resume.');
