import type { EntityManager } from '@mikro-orm/postgresql';
import { fromKysely, type Job, PgBoss } from 'pg-boss';
import type { Logger } from 'pino';
import { CONNECTION, DeadPeerClient } from '../database/dead-peer-client.ts';
import { FailureLog } from '../lib/failure-log.ts';

/** One job is one attempt of a run. */
export interface AttemptJob {
  runId: number;
  attempt: number;
}

/** What says that a worker holds a job: the id alone would name another worker's attempt too. */
export type HeldJob = Pick<Job, 'id' | 'retryCount'>;

export interface NewJob extends AttemptJob {
  /** Chosen by the caller and stored with the run, so that a lost or duplicate job is recognised by its id. */
  id: string;
  timeoutSeconds: number;
  /** Only executors that have the class take the job. */
  className: string;
  /** For a retry. */
  delaySeconds?: number;
}

/** The one queue. */
export const ATTEMPTS_QUEUE = 'attempt';

/** A worker without a heartbeat for this long is considered dead. pg-boss has no heartbeats below the minimum. */
export const LEASE_SECONDS = { least: 10, most: 3_600, default: 15 };
/** How often pg-boss looks for dead workers and expired jobs; it fails their jobs, and the runs are then recovered. */
const MONITOR_SECONDS = 5;
/** Our own time limit settles a run long before pg-boss would expire its job. */
const EXPIRY_MARGIN_SECONDS = 120;
const TEN_YEARS_SECONDS = 10 * 365 * 86_400;
const KEEP_FINISHED_SECONDS = 3_600;
const POOL_SIZE = 4;
/** It hands all to its pool, though its types do not say so. */
const WATCHED = { ...CONNECTION, Client: DeadPeerClient };

/**
 * The job engine: pg-boss, with the calls that take part in our own transactions. A job carries no state that the run
 * does not have; it is the right to make one attempt. The composition root starts and stops it.
 */
export class Jobs {
  readonly #boss: PgBoss;
  readonly #leaseSeconds: number;
  #isStopped = false;

  /** Only runners `supervise`, that is, look for dead workers. */
  constructor(url: string, log: Logger, supervise: boolean, leaseSeconds = LEASE_SECONDS.default) {
    this.#leaseSeconds = leaseSeconds;
    this.#boss = new PgBoss({
      connectionString: url,
      application_name: 'slotkeeper jobs',
      schema: 'pgboss',
      max: POOL_SIZE,
      ...WATCHED,
      schedule: false,
      supervise,
      superviseIntervalSeconds: MONITOR_SECONDS,
      monitorIntervalSeconds: MONITOR_SECONDS,
    });
    const failures = new FailureLog('reach the job engine', log);
    this.#boss.on('error', (error) => {
      // Its pool does not wait until its connections are closed; our own server, stopped next, may end them first.
      if (!this.#isStopped) failures.failed(error);
    });
    this.#boss.on('warning', (warning) => log.debug({ warning }, 'the job engine reports a warning'));
  }

  async start(): Promise<void> {
    await this.#boss.start();
    await this.#boss.createQueue(ATTEMPTS_QUEUE, {
      // Whether an attempt is tried again is the task's policy's to say (see recovery.ts), not the queue's.
      retryLimit: 0,
      retentionSeconds: TEN_YEARS_SECONDS,
      deleteAfterSeconds: KEEP_FINISHED_SECONDS,
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#boss.stop({ graceful: false, close: true });
  }

  /** Sends the jobs in the transaction of `em`. */
  async send(em: EntityManager, jobs: readonly NewJob[]): Promise<void> {
    if (jobs.length === 0) return;
    await this.#boss.insert(
      ATTEMPTS_QUEUE,
      jobs.map(({ id, runId, attempt, timeoutSeconds, className, delaySeconds }) => ({
        id,
        data: { runId, attempt } satisfies AttemptJob,
        group: { id: className },
        heartbeatSeconds: this.#leaseSeconds,
        expireInSeconds: timeoutSeconds + EXPIRY_MARGIN_SECONDS,
        ...(delaySeconds === undefined ? {} : { startAfter: delaySeconds }),
      })),
      { db: transactionOf(em) },
    );
  }

  /**
   * Takes up to `count` jobs, leaving out those of the classes named, in the transaction of `em`: they are taken if and
   * only if it commits.
   */
  fetch(em: EntityManager, count: number, withoutClasses: readonly string[]): Promise<Job<AttemptJob>[]> {
    return this.#boss.fetch<AttemptJob>(ATTEMPTS_QUEUE, {
      batchSize: count,
      ignoreGroups: [...withoutClasses],
      db: transactionOf(em),
    });
  }

  /**
   * Ends the jobs that this worker holds, in the transaction of `em`, and returns the ids of those that it still held:
   * the fence that keeps a worker which was taken for dead from writing. Given as jobs, never as ids, since an id would
   * settle another worker's attempt.
   */
  async complete(em: EntityManager, jobs: readonly HeldJob[]): Promise<Set<string>> {
    if (jobs.length === 0) return new Set();
    return settledIds(await this.#boss.complete(ATTEMPTS_QUEUE, [...jobs], null, { db: transactionOf(em) }));
  }

  /** Says that this worker is alive; returns the ids of the jobs that it still holds. */
  async touch(jobs: readonly HeldJob[]): Promise<Set<string>> {
    if (jobs.length === 0) return new Set();
    return settledIds(await this.#boss.touch(ATTEMPTS_QUEUE, [...jobs]));
  }

  /** Moves jobs that are not taken to another class, in the transaction of `em`. */
  async moveToClass(em: EntityManager, ids: readonly string[], className: string): Promise<void> {
    const db = transactionOf(em);
    for (const id of ids) {
      await this.#boss.update({ name: ATTEMPTS_QUEUE, options: { id, group: { id: className }, db } });
    }
  }

  /** Removes jobs that are not taken, or that the caller hands back, in the transaction of `em`. */
  async remove(em: EntityManager, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#boss.deleteJob(ATTEMPTS_QUEUE, [...ids], { db: transactionOf(em) });
  }
}

/** How long an attempt of the job may take, in seconds: the timeout that the task had when the job was sent. */
export function timeLimitOf(job: Job): number {
  return job.expireInSeconds - EXPIRY_MARGIN_SECONDS;
}

/** The class whose code the job is for; null for a job that an earlier version sent. */
export function classOf(job: Job): string | null {
  return job.groupId ?? null;
}

function transactionOf(em: EntityManager) {
  return fromKysely(em.getKysely());
}

/** pg-boss returns the ids it changed, though its types do not say so. */
function settledIds(response: unknown): Set<string> {
  const settled = (response as { settled?: string[] }).settled;
  if (!Array.isArray(settled)) throw new Error('pg-boss no longer says which jobs it settled');
  return new Set(settled);
}
