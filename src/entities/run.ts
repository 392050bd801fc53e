import { defineEntity, p } from '@mikro-orm/core';
import { Task } from './task.ts';
import { User } from './user.ts';

export const RUN_STATES = ['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** The states that a run never leaves. */
export const FINAL_STATES = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED'] as const satisfies readonly RunState[];

const TRIGGERS = ['SCHEDULE', 'MANUAL', 'RETRY', 'BACKFILL'] as const;
export type Trigger = (typeof TRIGGERS)[number];

/**
 * Why a slot did not run: an earlier run was not finished; it was not fired in time and the catch-up policy leaves it
 * out; it is past the catch-up age; no live runner has the task's class.
 */
export const SKIP_REASONS = ['OVERLAP', 'MISSED', 'TOO_OLD', 'NO_RUNNER'] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

const RunSchema = defineEntity({
  name: 'Run',
  tableName: 'run',
  properties: {
    id: p.bigint('number').primary().autoincrement(),
    task: () => p.manyToOne(Task).ref(),
    /** The instant it was due, UTC and a whole minute; null for a run by request. */
    slot: p.datetime().nullable(),
    trigger: p.enum(TRIGGERS),
    state: p.enum(RUN_STATES),
    skipReason: p.enum(SKIP_REASONS).nullable(),
    retryOf: () => p.manyToOne(Run).ref().nullable(),
    /** Who asked, or for a slot the task's owner at that time. No foreign key: users are never removed, and slots are fired by the thousand. */
    actor: () => p.manyToOne(User).ref().createForeignKeyConstraint(false),
    /** Data for this run alone instead of the task's; JSON text. */
    data: p.text().nullable(),
    /** The try that is under way or was the last; 0 before the first. */
    attempt: p.integer().default(0),
    /** The job of the present attempt; null for a run that waits for another of its task, and for a finished one. */
    jobId: p.uuid().nullable(),
    /** The process that took the attempt under way, or the last. No foreign key: a process signs off, what it did stays. */
    runnerId: p.uuid().nullable(),
    /** When the next attempt is to start, for a run that waits for its retry. */
    nextAttemptAt: p.datetime().nullable(),
    queuedAt: p.datetime(),
    startedAt: p.datetime().nullable(),
    finishedAt: p.datetime().nullable(),
    message: p.text().nullable(),
    /** 0 to 1. */
    progress: p.double().nullable(),
    /** The class, where it must not run twice at once; written when the first attempt is taken. */
    exclusiveClass: p.text().nullable(),
    /** What an attempt saved for the next one; JSON text, null once the run is finished. */
    checkpoint: p.text().nullable(),
    cancelRequestedAt: p.datetime().nullable(),
    /** Where traces are on: what its attempts continue, the request that asked for it or else its first attempt. */
    traceparent: p.text().nullable(),
  },
  checks: [
    { name: 'run_skip_reason', expression: "(state = 'SKIPPED') = (skip_reason is not null)" },
    {
      name: 'run_finished',
      expression: "(state in ('SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED')) = (finished_at is not null)",
    },
    { name: 'run_job', expression: "job_id is null or state in ('QUEUED', 'RUNNING')" },
    { name: 'run_delayed_queued', expression: "next_attempt_at is null or (state = 'QUEUED' and job_id is not null)" },
    { name: 'run_running', expression: "state <> 'RUNNING' or (job_id is not null and started_at is not null)" },
    { name: 'run_slot', expression: "(trigger in ('SCHEDULE', 'BACKFILL')) <= (slot is not null)" },
    { name: 'run_slot_minute', expression: "slot = date_trunc('minute', slot, 'UTC')" },
    { name: 'run_progress', expression: 'progress between 0 and 1' },
  ],
  uniques: [
    // The ledger: whatever races, a slot has one run.
    { name: 'run_ledger', properties: ['task', 'slot'], where: "trigger = 'SCHEDULE'" },
    { name: 'run_job_id', properties: ['jobId'], where: 'job_id is not null' },
    // Of an exclusive class one run is under way, whatever races.
    {
      name: 'run_exclusive',
      properties: ['exclusiveClass'],
      where: "state = 'RUNNING' and exclusive_class is not null",
    },
  ],
  indexes: [
    { name: 'run_by_task', properties: ['task', 'id'] },
    { name: 'run_by_state', properties: ['state', 'id'] },
    // The few among the many.
    { name: 'run_by_skip_reason', properties: ['skipReason', 'id'], where: 'skip_reason is not null' },
    { name: 'run_by_request', properties: ['trigger', 'id'], where: "trigger <> 'SCHEDULE'" },
    { name: 'run_without_slot', properties: ['slot', 'id'], where: 'slot is null' },
    // What became of the slots of a stretch of time. All that is counted is in it, so no row is read; equal keys are stored once.
    { name: 'run_by_slot', properties: ['slot', 'trigger', 'state'], where: 'slot is not null' },
    // When the executor's alarm is due.
    { name: 'run_delayed', properties: ['nextAttemptAt'], where: 'next_attempt_at is not null' },
    { name: 'run_by_retried', properties: ['retryOf', 'id'], where: 'retry_of_id is not null' },
    // The overlap policy's question: which runs of this task are not finished?
    { name: 'run_open', properties: ['task', 'id'], where: "state in ('QUEUED', 'RUNNING')" },
  ],
});

/** The record of one slot or one request. */
export class Run extends RunSchema.class {}
RunSchema.setClass(Run);

export { RunSchema };
