// What becomes of attempts whose worker died, and of runs whose job was lost.

import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { inTransaction } from '../database/transaction.ts';
import type { RunState } from '../entities/run.ts';
import { ATTEMPTS_QUEUE, type Jobs } from '../scheduling/jobs.ts';
import { sendNextAttempts } from '../scheduling/release.ts';
import { attemptOf, type EndedAttempt, type TakenRow } from './attempt.ts';
import { lockTasks, writeSettlements } from './settle-attempts.ts';

const LOST = 'The runner of this attempt was lost.';
const RECOVER_BATCH = 100;

/**
 * Runs that should have a job which somebody may take or holds, and have none. A run and its job change in one
 * transaction everywhere, so what one statement sees is never a step in between: the job was failed by pg-boss because
 * its worker's heartbeats stopped, it expired, or the queue was cleared or restored from another moment than the runs.
 */
const WITHOUT_JOB = sql`
  run.state in ('QUEUED', 'RUNNING') and run.job_id is not null and not exists (
    select from pgboss.job where job.name = ${ATTEMPTS_QUEUE} and job.id = run.job_id and job.state < 'completed')`;

/**
 * Settles attempts whose worker died as failed, so that the task's retry policy says whether they are tried again, and
 * sends the job of a queued run again. Any number of processes may do this at once: it is decided under the tasks' row
 * locks. Returns how many runs there were.
 */
export function recoverLostAttempts(em: EntityManager, jobs: Jobs): Promise<number> {
  return inTransaction(em, async (transaction) => {
    const database = transaction.getKysely();
    const { rows: found } = await sql<{ id: number; task_id: number }>`
      select id, task_id from run where ${WITHOUT_JOB} order by id limit ${RECOVER_BATCH}
    `.execute(database);
    if (found.length === 0) return 0;
    const policies = await lockTasks(
      transaction,
      found.map(({ task_id }) => task_id),
    );
    const { rows } = await sql<TakenRow & { state: RunState }>`
      select run.job_id, run.id as run_id, run.task_id, task.name as task_name, task.class_name, run.data,
        run.actor_id, run.attempt, run.trigger, run.slot, run.checkpoint, task.timeout_seconds, run.traceparent,
        run.state
      from run join task on task.id = run.task_id
      where run.id = any(${found.map(({ id }) => id)}) and ${WITHOUT_JOB}
      for no key update of run
    `.execute(database);
    const running = rows.filter(({ state }) => state === 'RUNNING').map(lostAttempt);
    const queued = rows.filter(({ state }) => state === 'QUEUED').map((row) => ({ ...row, id: row.run_id }));
    await writeSettlements(transaction, jobs, running, policies);
    await sendNextAttempts(transaction, jobs, queued);
    return rows.length;
  });
}

function lostAttempt(row: TakenRow): EndedAttempt {
  return {
    attempt: attemptOf({ id: row.job_id }, row),
    outcome: { state: 'FAILED', message: LOST },
    log: { events: [], progress: null },
  };
}
