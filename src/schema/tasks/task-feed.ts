import { toGlobalId } from '../../lib/global-id.ts';
import type { TaskFeedItem } from '../../tasks/feed/changes.ts';
import { SNAPSHOT_PAGE } from '../../tasks/feed/task-feed.ts';
import { builder } from '../builder.ts';
import { TaskRef } from '../refs.ts';
import { readTaskFilter, TaskFilterInput } from './task-filter.ts';

type Of<Type extends TaskFeedItem['type']> = Extract<TaskFeedItem, { type: Type }>;
type Gone = Extract<TaskFeedItem, { type: 'LEFT_FILTER' | 'REMOVED' }>;

const CURSOR = 'The position after this event; pass it as `after` to resume.';

const Snapshot = builder.objectRef<Of<'SNAPSHOT'>>('TaskFeedSnapshot').implement({
  description: 'A page of the tasks that existed when the feed began, in id order.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: CURSOR }),
    tasks: t.field({
      type: [TaskRef],
      description: `The tasks of the page, at most ${SNAPSHOT_PAGE}.`,
      complexity: { field: 1, multiplier: SNAPSHOT_PAGE },
      resolve: ({ tasks }) => tasks,
    }),
    isLast: t.exposeBoolean('isLast', {
      description: 'Whether this is the last page; only changes follow.',
    }),
  }),
});

const Changed = builder.objectRef<Of<'CHANGED'>>('TaskFeedChanged').implement({
  description: 'A task in the list was added or changed, or its next or last run moved.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: CURSOR }),
    task: t.field({ type: TaskRef, description: 'The current state of the task.', resolve: ({ task }) => task }),
    entered: t.exposeBoolean('entered', {
      nullable: true,
      description:
        'Whether the task entered the list: it is new, or started to match the filter. null for the first change of a task after a resume, when only the client knows.',
    }),
  }),
});

const LeftFilter = builder.objectRef<Gone>('TaskFeedLeftFilter').implement({
  description:
    'A task no longer matches the filter. A resumed feed may report this, once, for a task that the client did not have.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: CURSOR }),
    task: t.field({ type: TaskRef, description: 'The current state of the task.', resolve: ({ task }) => task }),
  }),
});

const Removed = builder.objectRef<Gone>('TaskFeedRemoved').implement({
  description: 'A task in the list was deleted.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: CURSOR }),
    taskId: t.id({ description: 'The id of the task.', resolve: ({ task }) => toGlobalId('Task', task.id) }),
  }),
});

const TYPES = {
  SNAPSHOT: 'TaskFeedSnapshot',
  CHANGED: 'TaskFeedChanged',
  LEFT_FILTER: 'TaskFeedLeftFilter',
  REMOVED: 'TaskFeedRemoved',
} as const satisfies Record<TaskFeedItem['type'], string>;

const TaskFeedEvent = builder.unionType('TaskFeedEvent', {
  description: 'An event of the task feed: first the pages of a snapshot, then changes.',
  types: [Snapshot, Changed, LeftFilter, Removed],
  resolveType: ({ type }) => TYPES[type],
});

builder.subscriptionField('taskFeed', (t) =>
  t.field({
    type: TaskFeedEvent,
    authScopes: { viewer: true },
    description:
      'The tasks that match the filter, in pages, then their changes, live. A change may be left out if a newer one of the same task replaces it; each event has the current state of the task.',
    args: {
      filter: t.arg({ type: TaskFilterInput, description: 'The filter; all tasks that are not deleted by default.' }),
      after: t.arg.string({
        description:
          'The cursor of the last event received with the same filter. CURSOR_EXPIRED if the log cannot continue from it without a gap: start again without a cursor.',
      }),
    },
    subscribe: (_root, { filter, after }, { taskFeed, lastEventId }) =>
      taskFeed.subscribe(readTaskFilter(filter), lastEventId ?? after ?? undefined),
    resolve: (item) => item,
  }),
);
