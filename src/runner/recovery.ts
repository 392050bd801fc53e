// What becomes of attempts that their worker did not settle: handed back by one that stops, recovered from one that died.
import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { inTransaction } from '../database/transaction.ts';
import { appendEvents } from '../events/log.ts';
import {
  type Attempt,
  attemptOf,
  eventOf,
  lockTasks,
  type TakenRow,
  updateRuns,
  writeSettlements,
} from './attempts.ts';
import type { Jobs } from './jobs.ts';

const HANDED_BACK = 'Handed back: its runner stopped.';

/** Gives up attempts that this process cannot finish: another one makes the same attempt again, at once. */
export function handBackAttempts(em: EntityManager, jobs: Jobs, attempts: readonly Attempt[]): Promise<void> {
  return inTransaction(em, async (transaction) => {
    await lockTasks(
      transaction,
      attempts.map(({ taskId }) => taskId),
    );
    const held = await jobs.complete(
      transaction,
      attempts.map(({ job }) => job),
    );
    const ours = attempts.filter(({ job }) => held.has(job.id)).map((attempt) => ({ attempt, jobId: randomUUID() }));
    await updateRuns(
      transaction,
      ours.map(({ attempt, jobId }) => ({
        runId: attempt.runId,
        heldJobId: attempt.job.id,
        state: 'QUEUED',
        message: HANDED_BACK,
        nextJobId: jobId,
        delaySeconds: 0,
        progress: null,
      })),
    );
    await jobs.send(
      transaction,
      ours.map(({ attempt, jobId }) => ({
        id: jobId,
        runId: attempt.runId,
        attempt: attempt.attempt,
        timeoutSeconds: attempt.timeoutSeconds,
      })),
    );
    await appendEvents(
      transaction,
      ours.map(({ attempt }) => ({ ...eventOf(attempt, 'QUEUED'), type: 'RETRYING', message: HANDED_BACK })),
    );
  });
}

const LOST = 'The runner of this attempt was lost.';
const RECOVER_BATCH = 100;

/**
 * Settles, as failed, attempts whose worker died: pg-boss noticed and put their jobs aside. Whether they are tried
 * again is the task's retry policy's to say. A run that somebody settled meanwhile is left alone. Returns how many
 * jobs there were.
 */
export function recoverLostAttempts(em: EntityManager, jobs: Jobs): Promise<number> {
  return inTransaction(em, async (transaction) => {
    const lost = await jobs.fetchLost(transaction, RECOVER_BATCH);
    if (lost.length === 0) return 0;
    const wanted = lost.map(({ data }) => ({ run: data.runId, attempt: data.attempt }));
    const { rows } = await sql<{ task_id: number }>`
      select run.task_id from run
      join json_to_recordset(${JSON.stringify(wanted)}::json) as j (run bigint, attempt int)
        on run.id = j.run and run.attempt = j.attempt
      where run.state = 'RUNNING'
    `.execute(transaction.getKysely());
    const policies = await lockTasks(
      transaction,
      rows.map(({ task_id }) => task_id),
    );
    const { rows: stillLost } = await sql<TakenRow>`
      select run.job_id, run.id as run_id, run.task_id, task.name as task_name, task.class_name, run.data,
        run.actor_id, run.attempt, task.timeout_seconds
      from run join task on task.id = run.task_id
      join json_to_recordset(${JSON.stringify(wanted)}::json) as j (run bigint, attempt int)
        on run.id = j.run and run.attempt = j.attempt
      where run.state = 'RUNNING' and run.task_id = any(${[...policies.keys()]})
      for no key update of run
    `.execute(transaction.getKysely());
    const template = lost[0];
    if (template === undefined) return 0;
    const ended = stillLost.map((row) => ({
      attempt: attemptOf({ ...template, id: row.job_id }, row),
      outcome: { state: 'FAILED' as const, message: LOST },
      log: { events: [], progress: null },
    }));
    await writeSettlements(transaction, jobs, ended, policies);
    await jobs.completeLost(transaction, lost);
    return lost.length;
  });
}

/** A job is looked for only after it had the time to be taken and settled in the ordinary way. */
const MISSING_AFTER_SECONDS = 60;

/**
 * Sends again the job of each unfinished run that should have one and has none. No path of ours loses a job; this is
 * for a queue that was cleared, or restored from another moment than the runs. Returns how many there were.
 */
export function resendMissingJobs(em: EntityManager, jobs: Jobs): Promise<number> {
  return inTransaction(em, async (transaction) => {
    const { rows } = await sql<{ id: number; task_id: number; attempt: number; timeout_seconds: number }>`
      select run.id, run.task_id, run.attempt, task.timeout_seconds
      from run join task on task.id = run.task_id
      where run.state = 'QUEUED' and run.job_id is not null
        and greatest(run.queued_at, run.next_attempt_at) < now() - make_interval(secs => ${MISSING_AFTER_SECONDS})
        and not exists (select from pgboss.job where job.id = run.job_id and job.state < 'completed')
      order by run.id limit ${RECOVER_BATCH}
      for no key update of run skip locked
    `.execute(transaction.getKysely());
    const sent = rows.map((row) => ({
      id: randomUUID(),
      runId: row.id,
      attempt: row.attempt + 1,
      timeoutSeconds: row.timeout_seconds,
    }));
    await sql`
      update run set job_id = s.id from json_to_recordset(${JSON.stringify(sent)}::json) as s (id uuid, "runId" bigint)
      where run.id = s."runId"
    `.execute(transaction.getKysely());
    await jobs.send(transaction, sent);
    return rows.length;
  });
}
