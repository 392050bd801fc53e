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
    /** Data for this run only, in place of the task's; JSON text. */
    data: p.text().nullable(),
    /** The current or last attempt; 0 before the first. */
    attempt: p.integer().default(0),
    /**
     * The job of the current attempt; null while the run waits for another run of its task, and when it is finished.
     */
    jobId: p.uuid().nullable(),
    /** The process that took the current or last attempt. No foreign key: processes sign off, their runs remain. */
    runnerId: p.uuid().nullable(),
    /** When the next attempt starts, while the run waits for a retry. */
    nextAttemptAt: p.datetime().nullable(),
    queuedAt: p.datetime(),
    startedAt: p.datetime().nullable(),
    finishedAt: p.datetime().nullable(),
    message: p.text().nullable(),
    /** 0 to 1. */
    progress: p.double().nullable(),
    /** The class, if it is exclusive (one run at a time); written when the first attempt is taken. */
    exclusiveClass: p.text().nullable(),
    /** State that an attempt saved for the next one; JSON text, null once the run is finished. */
    checkpoint: p.text().nullable(),
    cancelRequestedAt: p.datetime().nullable(),
    /** With tracing on, the parent of its attempts' spans: the request for the run, or else its first attempt. */
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
    // The ledger: a slot has one run, also under concurrent writes.
    { name: 'run_ledger', properties: ['task', 'slot'], where: "trigger = 'SCHEDULE'" },
    { name: 'run_job_id', properties: ['jobId'], where: 'job_id is not null' },
    // At most one run of an exclusive class is running, also under concurrent writes.
    {
      name: 'run_exclusive',
      properties: ['exclusiveClass'],
      where: "state = 'RUNNING' and exclusive_class is not null",
    },
  ],
  indexes: [
    { name: 'run_by_task', properties: ['task', 'id'] },
    { name: 'run_by_state', properties: ['state', 'id'] },
    // Partial: only the few skipped slots.
    { name: 'run_by_skip_reason', properties: ['skipReason', 'id'], where: 'skip_reason is not null' },
    { name: 'run_by_request', properties: ['trigger', 'id'], where: "trigger <> 'SCHEDULE'" },
    { name: 'run_without_slot', properties: ['slot', 'id'], where: 'slot is null' },
    // The outcomes of the slots in a range. Covers everything that is counted, so no row is read; equal keys are stored
    // once.
    { name: 'run_by_slot', properties: ['slot', 'trigger', 'state'], where: 'slot is not null' },
    // When the executor's alarm is due.
    { name: 'run_delayed', properties: ['nextAttemptAt'], where: 'next_attempt_at is not null' },
    { name: 'run_by_retried', properties: ['retryOf', 'id'], where: 'retry_of_id is not null' },
    // For the overlap policy: the unfinished runs of a task.
    { name: 'run_open', properties: ['task', 'id'], where: "state in ('QUEUED', 'RUNNING')" },
  ],
});

/** The record of one slot or one request. */
export class Run extends RunSchema.class {}
RunSchema.setClass(Run);

export { RunSchema };
