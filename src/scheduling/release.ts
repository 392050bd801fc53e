import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Jobs } from './jobs.ts';

/**
 * Sends the job of the oldest waiting run of each task without a running one, or of all its waiting runs if the policy
 * allows overlap. The caller holds the row locks of the tasks, so one process at a time decides this. Returns how many
 * jobs were sent.
 */
export async function releaseWaiting(em: EntityManager, jobs: Jobs, taskIds: readonly number[]): Promise<number> {
  const { rows } = await sql<QueuedRun>`
    select run.id, run.attempt, task.timeout_seconds, task.class_name
    from run join task on task.id = run.task_id
    where run.task_id = any(${taskIds}) and run.state = 'QUEUED' and run.job_id is null
      and (task.overlap = 'ALLOW' or (
        not exists (
          select from run busy
          where busy.task_id = run.task_id and busy.state in ('QUEUED', 'RUNNING') and busy.job_id is not null)
        and not exists (
          select from run older
          where older.task_id = run.task_id and older.state = 'QUEUED' and older.job_id is null and older.id < run.id)))
  `.execute(em.getKysely());
  await sendNextAttempts(em, jobs, rows);
  return rows.length;
}

/** A queued run that the caller has locked, or whose task it has. */
export interface QueuedRun {
  id: number;
  /** The last attempt that began. */
  attempt: number;
  timeout_seconds: number;
  class_name: string;
}

/** Gives each run a job for its next attempt, in place of any former job. */
export async function sendNextAttempts(em: EntityManager, jobs: Jobs, runs: readonly QueuedRun[]): Promise<void> {
  if (runs.length === 0) return;
  const sent = runs.map((run) => ({
    id: randomUUID(),
    runId: run.id,
    attempt: run.attempt + 1,
    timeoutSeconds: run.timeout_seconds,
    className: run.class_name,
  }));
  await sql`
    update run set job_id = s.id, next_attempt_at = null
    from json_to_recordset(${JSON.stringify(sent)}::json) as s (id uuid, "runId" bigint)
    where run.id = s."runId"
  `.execute(em.getKysely());
  await jobs.send(em, sent);
}
