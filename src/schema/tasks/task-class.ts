import { countLiveRunners, type KnownClass } from '../../task-classes/known-classes.ts';
import type { TaskDefaults } from '../../task-classes/task-class.ts';
import { builder } from '../builder.ts';
import { OverlapPolicyEnum } from '../enums.ts';
import { TaskRef } from '../refs.ts';

const RetryDefaultsRef = builder.objectRef<NonNullable<TaskDefaults['retry']>>('RetryDefaults').implement({
  description: 'Retry defaults of a task class; null where the class has none and the general default applies.',
  fields: (t) => ({
    attempts: t.int({
      nullable: true,
      description: 'Attempts a run may take, including the first.',
      resolve: ({ attempts }) => attempts,
    }),
    delaySeconds: t.int({
      nullable: true,
      description: 'Seconds before the second attempt.',
      resolve: ({ delaySeconds }) => delaySeconds,
    }),
    backoff: t.float({
      nullable: true,
      description: 'Factor by which each further delay grows.',
      resolve: ({ backoff }) => backoff,
    }),
    jitter: t.float({
      nullable: true,
      description: 'Up to this fraction of each delay is added to it at random.',
      resolve: ({ jitter }) => jitter,
    }),
  }),
});

const TaskDefaultsRef = builder.objectRef<TaskDefaults>('TaskDefaults').implement({
  description:
    'Policy defaults for new tasks of a class; null where the class has none and the general default applies.',
  fields: (t) => ({
    timeoutSeconds: t.int({
      nullable: true,
      description: 'Seconds an attempt may take.',
      resolve: ({ timeoutSeconds }) => timeoutSeconds,
    }),
    overlap: t.field({
      type: OverlapPolicyEnum,
      nullable: true,
      description: 'What happens when a slot is due while a run is unfinished.',
      resolve: ({ overlap }) => overlap,
    }),
    retry: t.field({
      type: RetryDefaultsRef,
      description: 'How failed attempts are retried.',
      resolve: ({ retry }) => retry ?? {},
    }),
  }),
});

const TaskClassRef = builder.objectRef<KnownClass>('TaskClass').implement({
  description: 'A task class: code that a task can run.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name; used as `className` of a task.' }),
    title: t.exposeString('title', { description: 'A short title, for lists.' }),
    description: t.exposeString('description', { description: 'What the class does.' }),
    dataSchema: t.expose('dataSchema', {
      type: 'JSON',
      description: 'The JSON Schema of `data`. The class may be stricter: it checks the data before each attempt.',
    }),
    defaults: t.expose('defaults', {
      type: TaskDefaultsRef,
      description: 'Policy defaults for new tasks of the class.',
    }),
    exclusive: t.exposeBoolean('exclusive', {
      description: 'Whether only one run of the class may run at a time, across all tasks; the others wait.',
    }),
    liveRunners: t.loadable({
      type: 'Int',
      description:
        'Number of live runners that have the class. If 0, its slots are skipped as NO_RUNNER and requests wait.',
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
    description: 'The available task classes: those of this gateway and those that runners have registered.',
    resolve: (_root, _arguments, { taskClasses, em }) => taskClasses.all(em),
  }),
);

builder.objectField(TaskRef, 'hasRunner', (t) =>
  t.loadable({
    type: 'Boolean',
    description: 'Whether a live runner has the task class. If not, slots are skipped as NO_RUNNER and requests wait.',
    load: async (names: string[], { em }) => {
      const counts = await countLiveRunners(em);
      return names.map((name) => counts.has(name));
    },
    loaderOptions: { cache: false },
    resolve: ({ class_name }) => class_name,
  }),
);
