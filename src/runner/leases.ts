import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Notifications } from '../database/notifications.ts';
import { Coalesced } from '../lib/coalesced.ts';
import type { Jobs } from '../scheduling/jobs.ts';
import type { ActiveAttempt, ActiveAttempts } from './active-attempts.ts';
import { doneWithin } from './within.ts';

/** Less than a third of the shortest lease, so that one late heartbeat does not cost an attempt. */
const HEARTBEAT_MS = 3_000;
/** A heartbeat that takes longer has not got through. */
const HEARTBEAT_TIMEOUT_MS = 5_000;

interface LeaseOptions {
  em: EntityManager;
  jobs: Jobs;
  notifications: Notifications;
  log: Logger;
  /** For how long an attempt is held without a heartbeat. */
  leaseSeconds: number;
}

/**
 * Renews the leases of this process' attempts by heartbeats, and stops the code of attempts that it has lost or that
 * were cancelled. The executor starts and stops it.
 */
export class Leases {
  readonly #options: LeaseOptions;
  readonly #active: ActiveAttempts;
  readonly #beating: Coalesced;
  readonly #cancelling: Coalesced;
  #timer: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;

  constructor(options: LeaseOptions, active: ActiveAttempts) {
    this.#options = options;
    this.#active = active;
    this.#beating = new Coalesced('send heartbeats', options.log, () => this.#beat());
    this.#cancelling = new Coalesced('look for cancelled runs', options.log, () => this.#stopCancelled());
  }

  start(): void {
    this.#unlisten = this.#options.notifications.on('slotkeeper_cancel', () => this.#cancelling.request());
    this.#timer = setInterval(() => this.#beating.request(), HEARTBEAT_MS);
  }

  async stop(): Promise<void> {
    this.#unlisten?.();
    clearInterval(this.#timer);
    await Promise.all([this.#beating.stop(), this.#cancelling.stop()]);
  }

  async #beat(): Promise<void> {
    const active = this.#active.all;
    if (active.length === 0) return;
    const sentAt = performance.now();
    const held = await this.#touch(active);
    for (const each of active) {
      const { id } = each.attempt.job;
      if (held.has(id)) each.heldAt = sentAt;
      // An attempt that was settled during the heartbeat is no longer active, but not lost.
      else if (this.#active.has(id)) this.#active.stop(id, 'LOST');
    }
    await this.#stopCancelled();
  }

  /** Where no heartbeat gets through, not even late, the attempts that are past their lease are given up. */
  async #touch(active: readonly ActiveAttempt[]): Promise<Set<string>> {
    const touched = this.#options.jobs.touch(active.map(({ attempt }) => attempt.job));
    try {
      if (await doneWithin(touched, HEARTBEAT_TIMEOUT_MS)) return await touched;
    } catch (error) {
      this.#stopLapsed();
      throw error;
    }
    // It may hang for as long as the network does; its result is no longer needed.
    touched.catch(() => undefined);
    this.#stopLapsed();
    throw new Error(`no answer within ${HEARTBEAT_TIMEOUT_MS} ms`);
  }

  /** Others may have taken these over, and their code must not run beside that of others. */
  #stopLapsed(): void {
    const lapsed = performance.now() - this.#options.leaseSeconds * 1_000;
    for (const { heldAt, attempt } of this.#active.all) {
      if (heldAt < lapsed) this.#active.stop(attempt.job.id, 'LOST');
    }
  }

  async #stopCancelled(): Promise<void> {
    if (this.#active.size === 0) return;
    const { rows } = await sql<{ job_id: string }>`
      select job_id from run where job_id = any(${this.#active.jobIds}::uuid[]) and cancel_requested_at is not null
    `.execute(this.#options.em.fork().getKysely());
    for (const { job_id } of rows) this.#active.stop(job_id, 'CANCELLED');
  }
}
