// The inputs of the mutations that change tasks.

import { builder } from '../builder.ts';
import { IDEMPOTENCY_KEY } from '../idempotency-key.ts';
import { RepeatItemInput } from './repeat-item.ts';
import { TaskByInput } from './task-by.ts';
import { TaskPolicyInput } from './task-policy-inputs.ts';

const FIELDS = {
  name: 'The name of the task: 1 to 255 characters, without NUL.',
  className: 'The name of one of `taskClasses`.',
  data: 'Data for the task class, a JSON object; null for none.',
  dataText: '`data` as JSON text, stored exactly as sent. Use instead of `data`.',
  policy: 'Overlap, catch-up, retry and timeout.',
  expectedVersion: 'Fails with CONFLICT if the `version` of the task is not this one.',
};

export const AddTaskInput = builder.inputType('AddTaskInput', {
  description: 'The task to add.',
  fields: (t) => ({
    name: t.string({ required: true, description: FIELDS.name }),
    className: t.string({ required: true, description: FIELDS.className }),
    data: t.field({ type: 'JSON', description: FIELDS.data }),
    dataText: t.string({ description: FIELDS.dataText }),
    active: t.boolean({
      required: true,
      defaultValue: true,
      description: 'false adds the task paused; true by default.',
    }),
    repeatItems: t.field({
      type: [RepeatItemInput],
      required: true,
      defaultValue: [],
      description: 'The rules for when the task is due, at most 100. Without rules, it runs only on request.',
    }),
    timeZone: t.string({ description: 'The IANA time zone of the task; by default that of the server.' }),
    ownerLegacyId: t.int({
      description: 'The owner, by id in the old API; the caller by default. Only an admin may name another user.',
    }),
    policy: t.field({ type: TaskPolicyInput, description: FIELDS.policy }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

export const UpdateTaskInput = builder.inputType('UpdateTaskInput', {
  description: 'Changes to a task. A field left out keeps its value.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, required: true, description: 'The task.' }),
    name: t.string({ description: FIELDS.name }),
    className: t.string({ description: FIELDS.className }),
    data: t.field({ type: 'JSON', description: FIELDS.data }),
    dataText: t.string({ description: FIELDS.dataText }),
    active: t.boolean({ description: 'false pauses the task, true resumes it.' }),
    repeatItems: t.field({
      type: [RepeatItemInput],
      description: 'Replaces all rules, at most 100; the new ones get new ids.',
    }),
    timeZone: t.string({ description: 'The IANA time zone of the task.' }),
    ownerLegacyId: t.int({ description: 'The new owner, by id in the old API. Only an admin may name another user.' }),
    policy: t.field({ type: TaskPolicyInput, description: FIELDS.policy }),
    expectedVersion: t.int({ description: FIELDS.expectedVersion }),
    idempotencyKey: t.string(IDEMPOTENCY_KEY),
  }),
});

function taskInput(name: string, description: string) {
  return builder.inputType(name, {
    description,
    fields: (t) => ({
      task: t.field({ type: TaskByInput, required: true, description: 'The task.' }),
      expectedVersion: t.int({ description: FIELDS.expectedVersion }),
      idempotencyKey: t.string(IDEMPOTENCY_KEY),
    }),
  });
}

export const DeleteTaskInput = taskInput('DeleteTaskInput', 'The task to delete.');
export const PauseTaskInput = taskInput('PauseTaskInput', 'The task to pause.');
export const ResumeTaskInput = taskInput('ResumeTaskInput', 'The task to resume.');
