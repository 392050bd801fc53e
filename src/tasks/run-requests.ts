// Requests for runs: run now, retry, cancel.
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { RunState } from '../entities/run.ts';
import { conflict, notFound } from '../lib/faults.ts';
import { cancelRun as cancelLockedRun, requestRun } from '../scheduling/requests.ts';
import type { Span } from '../tracing/tracing.ts';
import type { Actor } from './actor.ts';
import { checkData, type GivenData, readData } from './data.ts';
import { lockForChange } from './lock-task.ts';

/** The user who requests runs, with the services that it needs. */
export interface Requester extends Actor {
  /** Of the request; null where traces are off. */
  span: Span | null;
}

/**
 * Creates a run of a task, also of a paused one, optionally with data of its own, and returns its id. If the overlap
 * policy allows one run at a time, it waits for its turn. A fault names `task`, `data` or `dataText`.
 */
export async function executeTask(
  requester: Requester,
  em: EntityManager,
  taskId: number,
  given: GivenData,
): Promise<number> {
  const { jobs, taskClasses, viewer, span } = requester;
  const { task } = await lockForChange(requester, em, taskId);
  const data = readData(given) ?? null;
  if (data !== null) checkData(await taskClasses.named(em, task.className), data.value);
  return requestRun(em, jobs, task, { trigger: 'MANUAL', actor: viewer, data: data?.text ?? null, span });
}

/** Retries a finished run with its data and its slot, and returns the id of the new run. A fault names `run`. */
export async function retryRun(requester: Requester, em: EntityManager, runId: number): Promise<number> {
  const { jobs, viewer, span } = requester;
  const { task_id } = await findRun(em, runId);
  const { task } = await lockForChange(requester, em, task_id);
  // The state of the run is known only under the lock.
  const { state, slot, data } = await findRun(em, runId);
  if (state === 'QUEUED' || state === 'RUNNING') throw conflict(`the run is ${state}`, 'run');
  return requestRun(em, jobs, task, { trigger: 'RETRY', actor: viewer, data, slot, retryOf: runId, span });
}

/** Cancels a run: at once while it is queued, by asking its runner while it is running. Returns its id. A fault names `run`. */
export async function cancelRun(actor: Actor, em: EntityManager, runId: number): Promise<number> {
  const { task_id } = await findRun(em, runId);
  // Runs of a deleted task can be cancelled too.
  const { task } = await lockForChange(actor, em, task_id, { orDeleted: true });
  await cancelLockedRun(em, actor.jobs, task, runId, actor.viewer);
  return runId;
}

interface StoredRun {
  task_id: number;
  slot: string | null;
  /** JSON text. */
  data: string | null;
  state: RunState;
}

async function findRun(em: EntityManager, id: number): Promise<StoredRun> {
  const { rows } = await sql<StoredRun>`
    select task_id, slot, data, state, skip_reason from run where id = ${id}
  `.execute(em.getKysely());
  const run = rows[0];
  if (run === undefined) throw notFound(`there is no run ${id}`, 'run');
  return run;
}
