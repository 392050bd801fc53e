import { toGlobalId } from '../../lib/global-id.ts';
import type { TaskFeedItem } from '../../tasks/feed/changes.ts';
import { SNAPSHOT_PAGE } from '../../tasks/feed/task-feed.ts';
import { builder } from '../builder.ts';
import { TaskRef } from '../refs.ts';
import { readTaskFilter, TaskFilterInput } from './task-filter.ts';

type Of<Type extends TaskFeedItem['type']> = Extract<TaskFeedItem, { type: Type }>;
type Gone = Extract<TaskFeedItem, { type: 'LEFT_FILTER' | 'REMOVED' }>;

const CURSOR = 'The position after it, to go on from: for `after`.';

const Snapshot = builder.objectRef<Of<'SNAPSHOT'>>('TaskFeedSnapshot').implement({
  description: 'A page of the tasks that were there when the feed began, in id order.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: CURSOR }),
    tasks: t.field({
      type: [TaskRef],
      description: `The tasks of the page, ${SNAPSHOT_PAGE} at most.`,
      complexity: { field: 1, multiplier: SNAPSHOT_PAGE },
      resolve: ({ tasks }) => tasks,
    }),
    isLast: t.exposeBoolean('isLast', {
      description: 'Whether the list is complete with it; what follows are changes.',
    }),
  }),
});

const Changed = builder.objectRef<Of<'CHANGED'>>('TaskFeedChanged').implement({
  description: 'A task of the list was added or changed, or its next or last run moved.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: CURSOR }),
    task: t.field({ type: TaskRef, description: 'The task as it is now.', resolve: ({ task }) => task }),
    entered: t.exposeBoolean('entered', {
      nullable: true,
      description:
        'Whether it was not in the list before: it is new, or meets the filter only now. null for the first that a resumed feed tells of a task, where only the client knows.',
    }),
  }),
});

const LeftFilter = builder.objectRef<Gone>('TaskFeedLeftFilter').implement({
  description:
    'A task does not meet the filter any more. A resumed feed may tell it of a task that the client did not have; it tells so once.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: CURSOR }),
    task: t.field({ type: TaskRef, description: 'The task as it is now.', resolve: ({ task }) => task }),
  }),
});

const Removed = builder.objectRef<Gone>('TaskFeedRemoved').implement({
  description: 'A task of the list was deleted.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: CURSOR }),
    taskId: t.id({ description: 'Its id.', resolve: ({ task }) => toGlobalId('Task', task.id) }),
  }),
});

const TYPES = {
  SNAPSHOT: 'TaskFeedSnapshot',
  CHANGED: 'TaskFeedChanged',
  LEFT_FILTER: 'TaskFeedLeftFilter',
  REMOVED: 'TaskFeedRemoved',
} as const satisfies Record<TaskFeedItem['type'], string>;

const TaskFeedEvent = builder.unionType('TaskFeedEvent', {
  description: 'What a feed of tasks tells: first pages of a snapshot, then what changes.',
  types: [Snapshot, Changed, LeftFilter, Removed],
  resolveType: ({ type }) => TYPES[type],
});

builder.subscriptionField('taskFeed', (t) =>
  t.field({
    type: TaskFeedEvent,
    authScopes: { viewer: true },
    description:
      'The tasks that meet the filter, in pages, and then every change of them, as it happens. A change that was overtaken by a newer one of the same task may be left out: what is told is how the task is.',
    args: {
      filter: t.arg({ type: TaskFilterInput, description: 'Which ones; every live one unless given.' }),
      after: t.arg.string({
        description:
          'The cursor of the last thing told, with the same filter. CURSOR_EXPIRED where the log cannot go on from it without a gap: begin anew without a cursor.',
      }),
    },
    subscribe: (_root, { filter, after }, { taskFeed, lastEventId }) =>
      taskFeed.subscribe(readTaskFilter(filter), lastEventId ?? after ?? undefined),
    resolve: (item) => item,
  }),
);
