import { defineEntity, p } from '@mikro-orm/core';
import { RUN_STATES, Run } from './run.ts';
import { Task } from './task.ts';
import { User } from './user.ts';

/** What happened to a run. */
const RUN_EVENT_TYPES = [
  'QUEUED',
  'STARTED',
  'LOG',
  'PROGRESS',
  'RETRYING',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'SKIPPED',
] as const;

/** A task's next slot moved without a run event: many slots in a row were skipped, or the slot was already recorded. */
const POINTER_EVENT_TYPES = ['TASK_RESCHEDULED'] as const;

/** What a user did to a task. */
export const TASK_EVENT_TYPES = ['TASK_ADDED', 'TASK_UPDATED', 'TASK_PAUSED', 'TASK_RESUMED', 'TASK_DELETED'] as const;

const EVENT_TYPES = [...RUN_EVENT_TYPES, ...TASK_EVENT_TYPES, ...POINTER_EVENT_TYPES] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What the history of the old API shows (see `src/legacy/reply.ts`); retention spares these events unless told otherwise. */
export const HISTORY_EVENT_TYPES = [
  ...TASK_EVENT_TYPES,
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
] as const satisfies readonly EventType[];

const SEQUENCED = 'seq is not null';

const EventSchema = defineEntity({
  name: 'Event',
  tableName: 'event',
  properties: {
    id: p.bigint('number').primary().autoincrement(),
    /**
     * The position in the log; null until the event is sequenced (see `src/events/log.ts`). Ids are not in commit
     * order, so nothing reads by id.
     */
    seq: p.bigint('number').nullable(),
    /** The time of the transaction, as in the other rows that it wrote. */
    at: p.datetime().defaultRaw('now()'),
    type: p.enum(EVENT_TYPES),
    message: p.text().nullable(),
    data: p.text().nullable(),
    /**
     * Neither the task, the run nor the actor is a foreign key: events are written in the transaction that has locked or made
     * what they tell of, tasks and users are never removed, and a check of each line would cost a third of writing it.
     */
    task: () => p.manyToOne(Task).ref().createForeignKeyConstraint(false),
    /** The task's name at that time. */
    taskName: p.text(),
    /** The run itself may have been removed. */
    run: () => p.manyToOne(Run).ref().nullable().createForeignKeyConstraint(false),
    /** The run's state and attempt at that time. */
    runState: p.enum(RUN_STATES).nullable(),
    attempt: p.integer().nullable(),
    /** The requesting user; for a scheduled run, the owner of the task at that time. */
    actor: () => p.manyToOne(User).ref().createForeignKeyConstraint(false),
  },
  checks: [
    { name: 'event_run_or_task', expression: "(run_id is null) = (type like 'TASK\\_%')" },
    { name: 'event_run_state', expression: '(run_id is null) = (run_state is null)' },
  ],
  // Events are read by position only, so an event enters these indexes once, when it is sequenced, not when it is
  // inserted.
  uniques: [{ name: 'event_seq', properties: ['seq'], where: SEQUENCED }],
  indexes: [
    { name: 'event_unsequenced', properties: ['id'], where: 'seq is null' },
    { name: 'event_by_task', properties: ['task', 'seq'], where: SEQUENCED },
    { name: 'event_by_run', properties: ['run', 'seq'], where: SEQUENCED },
    { name: 'event_by_type', properties: ['type', 'seq'], where: SEQUENCED },
    { name: 'event_by_actor', properties: ['actor', 'seq'], where: SEQUENCED },
  ],
});

/** One immutable event of the log. */
export class Event extends EventSchema.class {}
EventSchema.setClass(Event);

export { EventSchema };
