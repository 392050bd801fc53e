import { countLiveRunners, type KnownClass } from '../../task-classes/known-classes.ts';
import type { TaskDefaults } from '../../task-classes/task-class.ts';
import { builder } from '../builder.ts';
import { OverlapPolicyEnum } from '../enums.ts';
import { TaskRef } from '../refs.ts';

const RetryDefaultsRef = builder.objectRef<NonNullable<TaskDefaults['retry']>>('RetryDefaults').implement({
  description: 'How a failed attempt of a new task is tried again; null where the class leaves it to the product.',
  fields: (t) => ({
    attempts: t.int({
      nullable: true,
      description: 'Tries of one run, the first included.',
      resolve: ({ attempts }) => attempts,
    }),
    delaySeconds: t.int({
      nullable: true,
      description: 'Seconds before the second try.',
      resolve: ({ delaySeconds }) => delaySeconds,
    }),
    backoff: t.float({
      nullable: true,
      description: 'Each further delay is this many times the one before.',
      resolve: ({ backoff }) => backoff,
    }),
    jitter: t.float({
      nullable: true,
      description: 'Up to this part of a delay is added to it at random.',
      resolve: ({ jitter }) => jitter,
    }),
  }),
});

const TaskDefaultsRef = builder.objectRef<TaskDefaults>('TaskDefaults').implement({
  description:
    'The policy of a new task where whoever adds it does not say; null where the class leaves it to the product.',
  fields: (t) => ({
    timeoutSeconds: t.int({
      nullable: true,
      description: 'Seconds that one attempt may take.',
      resolve: ({ timeoutSeconds }) => timeoutSeconds,
    }),
    overlap: t.field({
      type: OverlapPolicyEnum,
      nullable: true,
      description: 'What a slot does to an unfinished run.',
      resolve: ({ overlap }) => overlap,
    }),
    retry: t.field({
      type: RetryDefaultsRef,
      description: 'How a failed attempt is tried again.',
      resolve: ({ retry }) => retry ?? {},
    }),
  }),
});

const TaskClassRef = builder.objectRef<KnownClass>('TaskClass').implement({
  description: 'Code that a task can run.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'For `className` of a task.' }),
    title: t.exposeString('title', { description: 'A few words, for a list to choose from.' }),
    description: t.exposeString('description', { description: 'What it does.' }),
    dataSchema: t.expose('dataSchema', {
      type: 'JSON',
      description:
        'The JSON Schema of `data`. The class itself may be stricter: it looks at the data before each attempt.',
    }),
    defaults: t.expose('defaults', { type: TaskDefaultsRef, description: 'The policy of its new tasks.' }),
    exclusive: t.exposeBoolean('exclusive', {
      description: 'Whether no two runs of it are under way at once, whatever their tasks; the others wait.',
    }),
    liveRunners: t.loadable({
      type: 'Int',
      description: 'How many live runners have it. With none its slots are skipped as NO_RUNNER, and requests wait.',
      load: async (names: string[], { em }) => {
        const counts = await countLiveRunners(em);
        return names.map((name) => counts.get(name) ?? 0);
      },
      loaderOptions: { cache: false },
      resolve: ({ name }) => name,
    }),
  }),
});

builder.queryField('taskClasses', (t) =>
  t.field({
    type: [TaskClassRef],
    description: 'The classes that tasks can have: those of this gateway, and those that runners have told of.',
    resolve: (_root, _arguments, { taskClasses, em }) => taskClasses.all(em),
  }),
);

builder.objectField(TaskRef, 'hasRunner', (t) =>
  t.loadable({
    type: 'Boolean',
    description:
      'Whether a live runner has its class. Without one its slots are skipped as NO_RUNNER, and requests wait.',
    load: async (names: string[], { em }) => {
      const counts = await countLiveRunners(em);
      return names.map((name) => counts.has(name));
    },
    loaderOptions: { cache: false },
    resolve: ({ class_name }) => class_name,
  }),
);
