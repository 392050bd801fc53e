import { sql } from 'kysely';
import { toText } from '../../database/timestamp.ts';
import { type EventType, HISTORY_EVENT_TYPES } from '../../entities/event.ts';
import { readGlobalId } from '../../lib/global-id.ts';
import { readList } from '../../lib/input.ts';
import { builder } from '../builder.ts';
import { connectionComplexity } from '../complexity.ts';
import { EventTypeEnum, RunStateEnum } from '../enums.ts';
import { EventRef, RunRef, TaskRef, UserRef } from '../refs.ts';
import { readTaskBy, TaskByInput } from '../tasks/task-by.ts';
import { type EventSelector, readEvents, readEventsOfEach } from './event-pages.ts';

EventRef.implement({
  description: 'One immutable line of the log.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: 'Its position in the log, to go on from: for `after`.' }),
    logId: t.string({
      description: 'Its ever-growing number, the `log_id` of the old API; the log is in the order of cursors.',
      resolve: ({ row }) => String(row.id),
    }),
    at: t.field({ type: 'DateTime', description: 'When it happened.', resolve: ({ row }) => row.at }),
    type: t.field({ type: EventTypeEnum, description: 'What happened.', resolve: ({ row }) => row.type }),
    message: t.string({ nullable: true, description: 'In words.', resolve: ({ row }) => row.message }),
    data: t.field({
      type: 'JSON',
      nullable: true,
      description: 'What is known beside the message.',
      resolve: ({ row }): unknown => (row.data === null ? null : JSON.parse(row.data)),
    }),
    task: t.field({ type: TaskRef, description: 'Which task, as it is now.', resolve: ({ row }) => row.task_id }),
    taskName: t.string({ description: 'The name of the task at that time.', resolve: ({ row }) => row.task_name }),
    run: t.field({
      type: RunRef,
      nullable: true,
      description:
        'Which run, as it is now; null for what a user did to a task, and once retention has removed the run.',
      resolve: ({ row }) => row.run_id,
    }),
    state: t.field({
      type: RunStateEnum,
      nullable: true,
      description: 'The state of the run at that time.',
      resolve: ({ row }) => row.run_state,
    }),
    attempt: t.int({
      nullable: true,
      description: 'The attempt of the run at that time.',
      resolve: ({ row }) => row.attempt,
    }),
    actor: t.field({
      type: UserRef,
      description: 'The user who requested it; for a slot, the owner of the task at that time.',
      resolve: ({ row }) => row.actor_id,
    }),
  }),
});

const EventFilter = builder.inputType('EventFilter', {
  description: 'Which events: those that meet every condition given.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, description: 'Of this task.' }),
    run: t.id({ description: 'Of this run.' }),
    types: t.field({ type: [EventTypeEnum], description: 'Of one of these types.' }),
    actor: t.id({ description: 'Asked for by this user.' }),
    from: t.field({ type: 'DateTime', description: 'At this instant or later.' }),
    to: t.field({ type: 'DateTime', description: 'Before this instant.' }),
  }),
});

export const EventConnection = builder.connectionObject(
  {
    type: EventRef,
    name: 'EventConnection',
    description: 'A page of the log. Its end cursor, there on an empty last page too, is one to subscribe from.',
  },
  { name: 'EventEdge', description: 'An event of a page.' },
);

type EventFilterInput = typeof EventFilter.$inferInput;

/** The conditions of a filter, checked now rather than when the query is made. */
function selectorOf(filter: EventFilterInput | null | undefined): EventSelector {
  const taskId = filter?.task == null ? null : readTaskBy(filter.task, 'filter.task');
  const runId = filter?.run == null ? null : readGlobalId('Run', filter.run, 'filter.run');
  const actorId = filter?.actor == null ? null : readGlobalId('User', filter.actor, 'filter.actor');
  const types = filter?.types == null ? null : readList(filter.types, 'filter.types');
  const onlyHistory = types?.every((type) => (HISTORY_EVENT_TYPES as readonly EventType[]).includes(type)) ?? false;
  const where: EventSelector['where'] = (query) => {
    let found = query;
    if (taskId !== null) found = found.where('event.task_id', '=', taskId);
    if (runId !== null) found = found.where('event.run_id', '=', runId);
    if (actorId !== null) found = found.where('event.actor_id', '=', actorId);
    if (types !== null) found = found.where(sql<boolean>`event.type = any(${types}::text[])`);
    if (filter?.from != null) found = found.where(sql<boolean>`event.at >= ${toText(filter.from)}::timestamptz`);
    if (filter?.to != null) found = found.where(sql<boolean>`event.at < ${toText(filter.to)}::timestamptz`);
    return found;
  };
  return { where, onlyHistory };
}

builder.queryField('events', (t) =>
  t.connection(
    {
      type: EventRef,
      description: 'The log, in its order; `last` for its end. What was done before the query is in it.',
      args: { filter: t.arg({ type: EventFilter, description: 'The filter; all by default.' }) },
      resolve: (_root, { filter, ...args }, { em }) => readEvents(em, args, selectorOf(filter)),
    },
    EventConnection,
  ),
);

builder.objectField(TaskRef, 'events', (t) =>
  t.loadable({
    type: EventConnection,
    description: 'Its events, in log order.',
    complexity: connectionComplexity,
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: EventFilter, description: 'The filter; all by default.' }),
    },
    byPath: true,
    load: (ids: number[], { em }, { filter, ...args }) =>
      readEventsOfEach(em, 'task_id', ids, args, selectorOf(filter)),
    loaderOptions: { cache: false },
    resolve: ({ id }) => id,
  }),
);

builder.objectField(RunRef, 'events', (t) =>
  t.loadable({
    type: EventConnection,
    description: 'Its events, in log order.',
    complexity: connectionComplexity,
    args: {
      ...t.arg.connectionArgs(),
      filter: t.arg({ type: EventFilter, description: 'The filter; all by default.' }),
    },
    byPath: true,
    load: (ids: number[], { em }, { filter, ...args }) => readEventsOfEach(em, 'run_id', ids, args, selectorOf(filter)),
    loaderOptions: { cache: false },
    resolve: ({ id }) => id,
  }),
);
