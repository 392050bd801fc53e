import { z } from 'zod';
import type { TaskClass } from '../runner/tasks/task-class.ts';
import { builder } from './builder.ts';

const TaskClassRef = builder.objectRef<TaskClass>('TaskClass').implement({
  description: 'Code that a task can run.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'For `className` of a task.' }),
    title: t.exposeString('title', { description: 'A few words, for a list to choose from.' }),
    description: t.exposeString('description', { description: 'What it does.' }),
    dataSchema: t.field({
      type: 'JSON',
      description: 'The JSON Schema of `data`; unknown keys are kept and not looked at.',
      resolve: ({ data }) => toJsonSchema(data),
    }),
  }),
});

/** Of what a caller sends: a key with a default may be left out. */
function toJsonSchema(schema: z.ZodType): unknown {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}

builder.queryField('taskClasses', (t) =>
  t.field({
    type: [TaskClassRef],
    description: 'The classes that tasks can have.',
    resolve: (_root, _arguments, { taskClasses }) => [...taskClasses.all],
  }),
);
