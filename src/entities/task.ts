import { defineEntity, p } from '@mikro-orm/core';
import { RepeatItem } from './repeat-item.ts';
import { User } from './user.ts';

/** What happens when a slot is due while an earlier run of the task is unfinished. */
export const OVERLAP_POLICIES = ['SKIP', 'QUEUE', 'ALLOW', 'CANCEL_RUNNING'] as const;
export type OverlapPolicy = (typeof OVERLAP_POLICIES)[number];

/** Which of the slots missed in an outage are run afterwards; the others are recorded as skipped. */
export const CATCH_UP_POLICIES = ['LATEST', 'ALL', 'NONE'] as const;
export type CatchUpPolicy = (typeof CATCH_UP_POLICIES)[number];

/** The bounds of a task's policy for users and classes. The check constraints of the table are the same. */
export const POLICY_BOUNDS = {
  queueLimit: [1, 10_000],
  misfireGraceSeconds: [1, 86_400],
  catchUpMaxAgeSeconds: [0, 2_147_483_647],
  retryAttempts: [1, 100],
  retryDelaySeconds: [0, 86_400],
  retryBackoff: [1, 10],
  retryJitter: [0, 1],
  timeoutSeconds: [1, 82_800],
} as const satisfies Record<string, readonly [number, number]>;

/** The policy of a new task, unless the user or the class sets another. */
export const POLICY_DEFAULTS = {
  overlap: 'SKIP',
  queueLimit: 100,
  catchUp: 'LATEST',
  misfireGraceSeconds: 60,
  catchUpMaxAgeSeconds: null,
  retryAttempts: 1,
  retryDelaySeconds: 30,
  retryBackoff: 2,
  retryJitter: 0,
  timeoutSeconds: 900,
} as const;

const TaskSchema = defineEntity({
  name: 'Task',
  tableName: 'task',
  properties: {
    /** The id that old callers know. */
    id: p.integer().primary().autoincrement(),
    name: p.text(),
    className: p.text(),
    active: p.boolean(),
    /** The JSON object passed to the task class, exactly as sent: old callers read back what they sent. */
    data: p.text().nullable(),
    owner: () => p.manyToOne(User).ref().index(),
    timeZone: p.text(),
    repeatItems: () => p.oneToMany(RepeatItem).mappedBy('task').orphanRemoval().orderBy({ id: 'asc' }),

    overlap: p.enum(OVERLAP_POLICIES).default(POLICY_DEFAULTS.overlap),
    /** How many runs may wait under the QUEUE policy. */
    queueLimit: p.integer().default(POLICY_DEFAULTS.queueLimit),
    catchUp: p.enum(CATCH_UP_POLICIES).default(POLICY_DEFAULTS.catchUp),
    /** A slot that is later than this is missed. */
    misfireGraceSeconds: p.integer().default(POLICY_DEFAULTS.misfireGraceSeconds),
    /** A missed slot older than this is never run; null for no bound. */
    catchUpMaxAgeSeconds: p.integer().nullable(),
    /** Tries of one run, the first included. */
    retryAttempts: p.integer().default(POLICY_DEFAULTS.retryAttempts),
    retryDelaySeconds: p.integer().default(POLICY_DEFAULTS.retryDelaySeconds),
    /** The factor by which each delay grows. */
    retryBackoff: p.double().default(POLICY_DEFAULTS.retryBackoff),
    /** Up to this part of a delay is added at random, so that runs that failed together are not retried together. */
    retryJitter: p.double().default(POLICY_DEFAULTS.retryJitter),
    timeoutSeconds: p.integer().default(POLICY_DEFAULTS.timeoutSeconds),

    /** The next slot, or null when the task expects none. */
    nextRunAt: p.datetime().nullable(),
    /** The slot after `followingOf`, computed in advance so that firing computes nothing; null for none. */
    followingRunAt: p.datetime().nullable(),
    /** The slot that `followingRunAt` follows; if it is not `nextRunAt`, the following slot is unknown. */
    followingOf: p.datetime().nullable(),
    lastRunAt: p.datetime().nullable(),

    /** Counts users' edits only. */
    version: p.integer().default(1),
    createdAt: p.datetime(),
    updatedAt: p.datetime(),
    /** Deleting is soft: the name, the history and the ids stay. */
    deletedAt: p.datetime().nullable(),
  },
  checks: [
    { name: 'task_name_length', expression: 'char_length(name) between 1 and 255' },
    { name: 'task_data_object', expression: "json_typeof(data::json) = 'object'" },
    { name: 'task_queue_limit', expression: 'queue_limit between 1 and 10000' },
    { name: 'task_misfire_grace', expression: 'misfire_grace_seconds between 1 and 86400' },
    { name: 'task_catch_up_max_age', expression: 'catch_up_max_age_seconds >= 0' },
    { name: 'task_retry', expression: 'retry_attempts between 1 and 100 and retry_delay_seconds between 0 and 86400' },
    { name: 'task_retry_backoff', expression: 'retry_backoff between 1 and 10' },
    { name: 'task_retry_jitter', expression: 'retry_jitter between 0 and 1' },
    { name: 'task_timeout', expression: 'timeout_seconds between 1 and 82800' },
    {
      name: 'task_expects_nothing',
      expression: '(active and deleted_at is null) or next_run_at is null',
    },
    { name: 'task_whole_minute', expression: "next_run_at = date_trunc('minute', next_run_at, 'UTC')" },
  ],
  indexes: [
    // The planner's only read: due tasks. With the id, it is also the order of a list.
    { name: 'task_due', properties: ['nextRunAt', 'id'], where: 'next_run_at is not null' },
    // The end of that list.
    {
      name: 'task_unplanned',
      properties: ['nextRunAt', 'id'],
      where: 'next_run_at is null and deleted_at is null',
    },
    // The same for lists that include deleted tasks, which may be the majority.
    { name: 'task_unplanned_or_deleted', properties: ['nextRunAt', 'id'], where: 'next_run_at is null' },
    // Paused tasks never fire, so this index costs firing nothing.
    { name: 'task_paused', properties: ['id'], where: 'not active and deleted_at is null' },
    { name: 'task_by_class', properties: ['className', 'id'], where: 'deleted_at is null' },
    // Tasks whose following slot is to be computed.
    {
      name: 'task_following',
      properties: ['id'],
      where: 'next_run_at is not null and following_of is distinct from next_run_at',
    },
    { name: 'task_live', properties: ['id'], where: 'deleted_at is null' },
    { name: 'task_by_name', properties: ['name', 'id'], where: 'deleted_at is null' },
    { name: 'task_by_last_run', properties: ['lastRunAt', 'id'], where: 'deleted_at is null' },
  ],
});

/** A scheduled task: what to run, for which owner and when. */
export class Task extends TaskSchema.class {}
TaskSchema.setClass(Task);

export { TaskSchema };
