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
  description: 'An immutable entry of the log.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description: 'The position in the log; pass it as `after` to continue from here.',
    }),
    logId: t.string({
      description:
        'An increasing number, the `log_id` of the old API. The log is ordered by cursor, not by this number.',
      resolve: ({ row }) => String(row.id),
    }),
    at: t.field({ type: 'DateTime', description: 'When the event happened.', resolve: ({ row }) => row.at }),
    type: t.field({ type: EventTypeEnum, description: 'What happened.', resolve: ({ row }) => row.type }),
    message: t.string({ nullable: true, description: 'The message, as text.', resolve: ({ row }) => row.message }),
    data: t.field({
      type: 'JSON',
      nullable: true,
      description: 'Further details of the event.',
      resolve: ({ row }): unknown => (row.data === null ? null : JSON.parse(row.data)),
    }),
    task: t.field({ type: TaskRef, description: 'The task, in its current state.', resolve: ({ row }) => row.task_id }),
    taskName: t.string({
      description: 'The name of the task at the time of the event.',
      resolve: ({ row }) => row.task_name,
    }),
    run: t.field({
      type: RunRef,
      nullable: true,
      description:
        "The run, in its current state; null for a user's change of a task, and after retention has removed the run.",
      resolve: ({ row }) => row.run_id,
    }),
    state: t.field({
      type: RunStateEnum,
      nullable: true,
      description: 'The state of the run at the time of the event.',
      resolve: ({ row }) => row.run_state,
    }),
    attempt: t.int({
      nullable: true,
      description: 'The attempt of the run at the time of the event.',
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
  description: 'Selects the events that match every given condition.',
  fields: (t) => ({
    task: t.field({ type: TaskByInput, description: 'Events of this task.' }),
    run: t.id({ description: 'Events of this run.' }),
    types: t.field({ type: [EventTypeEnum], description: 'Events of these types.' }),
    actor: t.id({ description: 'Events requested by this user.' }),
    from: t.field({ type: 'DateTime', description: 'Events at this instant or later.' }),
    to: t.field({ type: 'DateTime', description: 'Events before this instant.' }),
  }),
});

export const EventConnection = builder.connectionObject(
  {
    type: EventRef,
    name: 'EventConnection',
    description: 'A page of the log. Subscriptions can start from its end cursor, which an empty last page has too.',
  },
  { name: 'EventEdge', description: 'An event in a page.' },
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
      description: 'The log, in order; use `last` to read its end. It includes everything done before the query.',
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
