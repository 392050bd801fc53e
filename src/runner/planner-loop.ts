import { setTimeout as pause } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import nodeSchedule from 'node-schedule';
import type { Logger } from 'pino';
import type { Notifications } from '../database/notifications.ts';
import { Coalesced } from '../lib/coalesced.ts';
import type { Jobs } from '../scheduling/jobs.ts';
import { anyDue, computeFollowing, fireDue, type Planner, skipUnserved } from '../scheduling/planner.ts';
import { ScheduleFaults } from '../scheduling/schedule-faults.ts';

/** Alarms are armed for the due minutes within so long; the sweep arms later ones in time. */
const HORIZON_SECONDS = 300;
/** More alarms than there are minutes in the horizon are never needed. */
const MAX_ALARMS = 10;
/** Makes up for alarms that a clock change or a sleeping machine upset, and for lost wake-ups. */
const SWEEP_MS = 15_000;
/** Batches that are fired in parallel if the first, small one did not cover all due tasks. */
const LANES = 2;
const FIRST_BATCH = 100;
const FOLLOWING_PAUSE_MS = 50;
/** When due tasks that another process has locked are checked again. */
export const LOCKED_RETRY_MS = 50;

/**
 * Wakes the planner: at each due minute, when a schedule changed, and now and then. Which slots are due is the
 * database's clock's to say; this process' clock only sets alarms, by the delay that the database returns. Any number
 * of processes may run it at once. The composition root starts and stops it.
 */
export class PlannerLoop {
  readonly #em: EntityManager;
  readonly #jobs: Jobs;
  readonly #notifications: Notifications;
  readonly #planner: Planner;
  readonly #firing: Coalesced;
  readonly #following: Coalesced;
  #alarms: nodeSchedule.Job[] = [];
  #sweep: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;
  #sweepDue = false;
  #stopped = false;

  constructor(em: EntityManager, jobs: Jobs, notifications: Notifications, log: Logger, ownClasses: readonly string[]) {
    this.#em = em;
    this.#jobs = jobs;
    this.#notifications = notifications;
    this.#planner = { ownClasses, faults: new ScheduleFaults(log) };
    this.#firing = new Coalesced('fire what is due', log, () => this.#fire());
    this.#following = new Coalesced('compute the slots after the next', log, () => this.#computeFollowing());
  }

  start(): void {
    this.#unlisten = this.#notifications.on('slotkeeper_schedule', () => this.#firing.request());
    this.#sweep = setInterval(() => {
      this.#planner.faults.forget();
      this.#sweepDue = true;
      this.#firing.request();
    }, SWEEP_MS);
    this.#firing.request();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unlisten?.();
    clearInterval(this.#sweep);
    clearTimeout(this.#retry);
    await this.#firing.stop();
    await this.#following.stop();
    this.#disarm();
    clearTimeout(this.#retry);
  }

  /**
   * The first tasks are most often all. Where many are due, batches side by side use the database's other processors, and
   * the executors, which would compete for them, are woken when all is planned.
   */
  async #fireAll(): Promise<void> {
    const first = await fireDue(this.#em, this.#jobs, this.#planner, { limit: FIRST_BATCH });
    if (first === 0) return;
    if (first === FIRST_BATCH) await Promise.all(Array.from({ length: LANES }, () => this.#fireBatches()));
    this.#notifications.notify('slotkeeper_jobs', 'slotkeeper_events', 'slotkeeper_cancel');
  }

  async #fireBatches(): Promise<void> {
    while (!this.#stopped && (await fireDue(this.#em, this.#jobs, this.#planner)) > 0);
  }

  async #fire(): Promise<void> {
    await this.#fireAll();
    if (this.#stopped) return;
    if (await anyDue(this.#em.fork(), this.#planner)) {
      // One at a time: each that is forgotten would fire and set the next, beside all the others.
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#firing.request(), LOCKED_RETRY_MS);
    }
    await this.#arm();
    this.#following.request();
    if (this.#sweepDue) {
      this.#sweepDue = false;
      await skipUnserved(this.#em, this.#jobs, this.#planner);
    }
  }

  /** Beside the firing, and little by little: it is in no hurry, and the runs that were just fired are. */
  async #computeFollowing(): Promise<void> {
    while (!this.#stopped && (await computeFollowing(this.#em.fork(), this.#planner.faults)) > 0) {
      await pause(FOLLOWING_PAUSE_MS);
    }
  }

  /** One alarm per distinct due minute, found by one index look-up each, for any number of due tasks. */
  async #arm(): Promise<void> {
    const { rows } = await sql<{ delay: number }>`
      with recursive due as (
        select min(next_run_at) as at, 1 as n from task where next_run_at > now()
        union all
        select (select min(next_run_at) from task where next_run_at > due.at), n + 1 from due
        where due.at < now() + make_interval(secs => ${HORIZON_SECONDS}) and n < ${MAX_ALARMS}
      )
      select extract(epoch from at - clock_timestamp())::float8 * 1000 as delay from due
      where at < now() + make_interval(secs => ${HORIZON_SECONDS})
    `.execute(this.#em.fork().getKysely());
    this.#disarm();
    if (this.#stopped) return;
    for (const { delay } of rows) {
      const alarm = nodeSchedule.scheduleJob(new Date(Date.now() + Math.ceil(delay)), () => this.#firing.request());
      // Not armed: the minute came while the answer was on its way.
      if (alarm === null) this.#firing.request();
      else this.#alarms.push(alarm);
    }
  }

  #disarm(): void {
    for (const alarm of this.#alarms) alarm.cancel();
    this.#alarms = [];
  }
}
