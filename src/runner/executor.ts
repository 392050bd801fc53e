import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import type { Notifications } from '../database/notifications.ts';
import { Coalesced } from '../lib/coalesced.ts';
import { withinAttempt } from '../lib/log.ts';
import type { Jobs } from '../scheduling/jobs.ts';
import type { TaskClasses } from '../task-classes/registry.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { ActiveAttempts } from './active-attempts.ts';
import type { Attempt, EndedAttempt } from './attempt.ts';
import { ABANDON_MS, runBody, type StopReason } from './attempt-body.ts';
import { AttemptLog } from './attempt-log.ts';
import { ExclusiveClasses } from './exclusive-classes.ts';
import { Leases } from './leases.ts';
import { recoverLostAttempts } from './recovery.ts';
import { RetryAlarm } from './retry-alarm.ts';
import type { Settled } from './settle-attempts.ts';
import { Settler } from './settler.ts';
import { type Taker, takeAttempts } from './take-attempts.ts';
import { beginAttempt, endAttempt } from './traced-attempt.ts';
import { UnsupportedClasses } from './unsupported-classes.ts';
import { doneWithin } from './within.ts';

interface ExecutorOptions {
  /** The id of this runner's registration. */
  runnerId: string;
  em: EntityManager;
  jobs: Jobs;
  notifications: Notifications;
  log: Logger;
  taskClasses: TaskClasses;
  /** Null if tracing is off. */
  tracing: Tracing | null;
  /** The most attempts that run at once. */
  concurrency: number;
  /** For how long an attempt is held without a heartbeat. */
  leaseSeconds: number;
}

/** Makes up for wake-ups that were lost. */
const POLL_MS = 2_000;
const RECOVER_MS = 5_000;
/** The most attempts that have ended but are not settled; at this limit no more are taken. */
const MAX_ENDED = 500;
/** How long settling continues after the last code was stopped; the rest is left to other runners to recover. */
const LAST_SETTLE_MS = 4_000;
/** The same for other work in progress. */
const LAST_WORK_MS = 1_000;

/**
 * Makes attempts: pulls as many jobs as it has free places, runs their code, and has what ended settled. The composition
 * root starts and drains it.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #active = new ActiveAttempts();
  /** Attempts whose code is running. */
  #busy = 0;
  readonly #running = new Set<Promise<void>>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #pulling: Coalesced;
  readonly #recovering: Coalesced;
  readonly #leases: Leases;
  readonly #settler: Settler;
  readonly #retryAlarm: RetryAlarm;
  readonly #taker: Taker;
  #unlisten: (() => void) | undefined;
  /** Whether no more attempts are taken. */
  #draining = false;
  /** Whether the code of running attempts is being stopped. */
  #handingBack = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    const { em, jobs, log, taskClasses } = options;
    this.#taker = {
      runnerId: options.runnerId,
      unsupported: new UnsupportedClasses((name) => taskClasses.named(name) !== undefined),
      exclusive: new ExclusiveClasses(taskClasses.all.filter(({ exclusive }) => exclusive).map(({ name }) => name)),
    };
    this.#leases = new Leases(options, this.#active);
    this.#settler = new Settler(options, (batch, settled) => this.#settled(batch, settled));
    this.#retryAlarm = new RetryAlarm(em, () => this.#pull());
    this.#pulling = new Coalesced('pull jobs', log, () => this.#pullWhileFree());
    this.#recovering = new Coalesced('recover lost attempts', log, async () => {
      if ((await recoverLostAttempts(em, jobs)) > 0) this.#announce();
    });
  }

  start(): void {
    this.#unlisten = this.#options.notifications.on('slotkeeper_jobs', () => this.#pull());
    this.#timers.push(
      setInterval(() => this.#pull(), POLL_MS),
      setInterval(() => this.#recovering.request(), RECOVER_MS),
    );
    this.#leases.start();
    this.#pull();
  }

  /**
   * Stops pulling, gives running attempts `graceMs` to end, stops and hands back the rest, and returns when nothing is
   * running. Heartbeats continue until then, so no other process takes over an attempt that still runs here.
   */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    this.#retryAlarm.stop();
    if (await doneWithin(this.#idle(), graceMs)) return this.#stop();
    this.#handingBack = true;
    this.#active.stopAll('STOPPING');
    if (!(await doneWithin(this.#idle(), ABANDON_MS + LAST_SETTLE_MS))) {
      this.#options.log.warn(
        { attempts: this.#active.size },
        'could not hand back attempts; another runner recovers them',
      );
    }
    await this.#stop();
  }

  async #stop(): Promise<void> {
    this.#settler.stop();
    this.#unlisten?.();
    for (const timer of this.#timers) clearInterval(timer);
    const work = [this.#pulling, this.#leases, this.#recovering];
    await doneWithin(Promise.all(work.map((each) => each.stop())), LAST_WORK_MS);
  }

  async #idle(): Promise<void> {
    await this.#pulling.idle();
    while (this.#running.size > 0) await Promise.allSettled([...this.#running]);
  }

  #announce(): void {
    this.#options.notifications.notify('slotkeeper_events', 'slotkeeper_jobs');
  }

  #pull(): void {
    if (!this.#draining) this.#pulling.request();
  }

  async #pullWhileFree(): Promise<void> {
    const { em, jobs, concurrency, notifications } = this.#options;
    for (;;) {
      // Places that become free in the same turn are filled together.
      await nextTurn();
      // An attempt holds its place until its code ends; settling takes no place.
      const free = Math.min(concurrency - this.#busy, concurrency + MAX_ENDED - this.#active.size);
      if (free <= 0 || this.#draining) return;
      const { attempts, more } = await takeAttempts(em, jobs, free, this.#taker);
      for (const attempt of attempts) this.#begin(attempt);
      if (attempts.length > 0) notifications.notify('slotkeeper_events');
      if (!more) return this.#retryAlarm.arm();
    }
  }

  #begin(attempt: Attempt): void {
    const controller = new AbortController();
    this.#active.add(attempt, controller);
    this.#busy += 1;
    const running = this.#run(attempt, controller).finally(() => this.#running.delete(running));
    this.#running.add(running);
    // It was being taken when the others were stopped.
    if (this.#handingBack) controller.abort('STOPPING' satisfies StopReason);
  }

  async #run(attempt: Attempt, controller: AbortController): Promise<void> {
    const { em, notifications, taskClasses, tracing } = this.#options;
    const span = tracing === null ? null : beginAttempt(tracing, attempt);
    const log = new AttemptLog(em, attempt, () => notifications.notify('slotkeeper_events'));
    const outcome = await withinAttempt(attempt, span?.traceId, async () => {
      this.#options.log.debug('an attempt begins');
      const ended = await runBody(em, taskClasses, attempt, log, controller);
      this.#options.log.debug({ state: ended.state }, 'an attempt has ended');
      return ended;
    });
    if (span !== null) endAttempt(span, outcome);
    this.#busy -= 1;
    this.#pull();
    await this.#settler.settle({ attempt, outcome, log: await log.close() });
  }

  #settled(batch: readonly EndedAttempt[], { sent }: Settled): void {
    const { taskClasses, notifications, concurrency } = this.#options;
    const wasFull = this.#active.size >= concurrency + MAX_ENDED;
    for (const { attempt } of batch) this.#active.delete(attempt);
    // More jobs may be available: new ones, or those of an exclusive class that became free.
    const freed = batch.some(({ attempt }) => taskClasses.named(attempt.className)?.exclusive);
    if (sent || freed) this.#announce();
    else notifications.notify('slotkeeper_events');
    if (wasFull) this.#pull();
  }
}
