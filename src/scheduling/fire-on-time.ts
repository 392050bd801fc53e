// The common case of firing, for which no slot is computed and nothing but ids goes to the database: tasks of which one
// slot is due, in time, and may run at once, and whose following slot is known.

import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { appendEvents, type NewEvent } from '../events/log.ts';
import type { DueTask } from './due-task.ts';
import type { Jobs } from './jobs.ts';
import { releaseWaiting } from './release.ts';

/** The task's next slot moved without a run event. */
export function rescheduled(task: DueTask, message: string, data?: object): NewEvent {
  const { id: taskId, name: taskName, owner_id: actorId } = task;
  const event: NewEvent = { type: 'TASK_RESCHEDULED', taskId, taskName, actorId, message };
  return data === undefined ? event : { ...event, data: JSON.stringify(data) };
}

export function onRecord(task: DueTask): NewEvent {
  return rescheduled(task, 'The slot was on record already; the next one is to come.');
}

interface FiredRun {
  id: number;
  task_id: number;
  job_id: string;
}

/**
 * Whether the next slot is the task's only due slot, is in time, and the slot after it is known. `now` and the slots
 * are from the row, which the caller has locked.
 */
export function isOnTime(task: DueTask): boolean {
  const { now, next_run_at, following_of, following_run_at, misfire_grace_seconds } = task;
  if (following_of !== next_run_at) return false;
  const isAlone = following_run_at === null || following_run_at > now;
  return isAlone && now - next_run_at < misfire_grace_seconds * 1_000;
}

/**
 * Fires the next slot of each task and moves its pointer to the following one. The caller's transaction holds the row
 * locks and has found that the overlap policy lets them run at once. All parts of the statement see the rows as they
 * were before it, and only runs that the ledger's unique index let in get an event and a job.
 */
export async function fireOnTime(em: EntityManager, jobs: Jobs, tasks: readonly DueTask[]): Promise<void> {
  if (tasks.length === 0) return;
  const ids = tasks.map(({ id }) => id);
  const { rows } = await sql<FiredRun>`
    with fired as (
      insert into run (task_id, slot, trigger, state, job_id, actor_id, queued_at)
      select id, next_run_at, 'SCHEDULE', 'QUEUED', gen_random_uuid(), owner_id, now()
      from task where id = any(${ids}) order by id
      on conflict (task_id, slot) where trigger = 'SCHEDULE' do nothing
      returning id, task_id, job_id
    ), told as (
      insert into event (type, task_id, task_name, actor_id, run_id, run_state, attempt)
      select 'QUEUED', task.id, task.name, task.owner_id, fired.id, 'QUEUED', 0
      from fired join task on task.id = fired.task_id order by fired.id
    ), moved as (
      update task set next_run_at = following_run_at where id = any(${ids})
    )
    select id, task_id, job_id from fired
  `.execute(em.getKysely());
  const byId = new Map(tasks.map((task) => [task.id, task]));
  if (rows.length < tasks.length) {
    // A slot that is on the ledger already (the database's clock went back) was to run first, and others would wait for it.
    await releaseWaiting(em, jobs, ids);
    const fired = new Set(rows.map(({ task_id }) => task_id));
    await appendEvents(em, tasks.filter(({ id }) => !fired.has(id)).map(onRecord));
  }
  await jobs.send(
    em,
    rows.flatMap(({ id, task_id, job_id }) => {
      const task = byId.get(task_id);
      if (task === undefined) return [];
      return [{ id: job_id, runId: id, attempt: 1, timeoutSeconds: task.timeout_seconds, className: task.class_name }];
    }),
  );
}
