import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import nodeSchedule from 'node-schedule';
import type { Logger } from 'pino';
import type { Notifications } from '../database/notifications.ts';
import { Coalesced } from '../lib/coalesced.ts';
import { FailureLog } from '../lib/failure-log.ts';
import { labelsOf, withinAttempt } from '../lib/log.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { ABANDON_MS, runBody, type StopReason } from './attempt-body.ts';
import { AttemptLog } from './attempt-log.ts';
import { type Attempt, type EndedAttempt, type Taker, takeAttempts } from './attempts.ts';
import { ExclusiveClasses } from './exclusive-classes.ts';
import { ForeignClasses } from './foreign-classes.ts';
import type { Jobs } from './jobs.ts';
import { recoverLostAttempts } from './recovery.ts';
import { type Settled, settleAttempts } from './settle-attempts.ts';
import type { TaskClasses } from './tasks/index.ts';
import { beginAttempt, endAttempt } from './traced-attempt.ts';

export interface ExecutorOptions {
  /** As it is registered. */
  runnerId: string;
  em: EntityManager;
  jobs: Jobs;
  notifications: Notifications;
  log: Logger;
  taskClasses: TaskClasses;
  /** Null where traces are off. */
  tracing: Tracing | null;
  /** Attempts under way at once. */
  concurrency: number;
  /** For so long an attempt is ours without a heartbeat. */
  leaseSeconds: number;
}

/** Less than a third of the shortest lease, so that one late beat does not cost an attempt. */
const HEARTBEAT_MS = 3_000;
/** A heartbeat that takes longer has not got through. */
const BEAT_TIMEOUT_MS = 5_000;
/** Makes up for wake-ups that were lost. */
const POLL_MS = 2_000;
const RECOVER_MS = 5_000;
const RETRY_SETTLE_MS = 1_000;
const SETTLE_BATCH = 100;
/** Attempts whose code has ended and that are not settled yet; where there are so many, no more are taken. */
const MAX_ENDED = 500;
/** What cannot be settled so long after the last code was stopped is left to the other runners to recover. */
const LAST_SETTLE_MS = 4_000;
/** The same for other work that is under way then. */
const LAST_WORK_MS = 1_000;

interface Active {
  attempt: Attempt;
  controller: AbortController;
  /** When it was last known to be ours, by performance.now(). */
  heldAt: number;
}

/**
 * Makes attempts: pulls as many jobs as it has free places, runs their code, and settles what ends together in one
 * transaction. The composition root starts and drains it.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #active = new Map<string, Active>();
  /** Attempts whose code is under way. */
  #busy = 0;
  readonly #running = new Set<Promise<void>>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #unlisten: (() => void)[] = [];
  #ended: EndedAttempt[] = [];
  #settling: Promise<void> | undefined;
  readonly #pulling: Coalesced;
  readonly #beating: Coalesced;
  readonly #stopping: Coalesced;
  readonly #recovering: Coalesced;
  readonly #settleFailures: FailureLog;
  readonly #taker: Taker;
  #alarm: nodeSchedule.Job | undefined;
  /** Takes no more attempts. */
  #draining = false;
  /** Stops the code of its attempts. */
  #handingBack = false;
  /** Writes nothing any more. */
  #stopped = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    const { em, jobs, log, taskClasses } = options;
    this.#taker = {
      runnerId: options.runnerId,
      foreign: new ForeignClasses((name) => taskClasses.named(name) !== undefined),
      exclusive: new ExclusiveClasses(taskClasses.all.filter(({ exclusive }) => exclusive).map(({ name }) => name)),
    };
    this.#settleFailures = new FailureLog('settle attempts', log);
    this.#pulling = new Coalesced('pull jobs', log, () => this.#pullWhileFree());
    this.#beating = new Coalesced('send heartbeats', log, () => this.#beat());
    this.#stopping = new Coalesced('look for cancelled runs', log, () => this.#stopCancelled());
    this.#recovering = new Coalesced('recover lost attempts', log, async () => {
      if ((await recoverLostAttempts(em, jobs)) > 0) this.#announce();
    });
  }

  get activeCount(): number {
    return this.#active.size;
  }

  start(): void {
    const { notifications } = this.#options;
    this.#unlisten.push(
      notifications.on('slotkeeper_jobs', () => this.#pull()),
      notifications.on('slotkeeper_cancel', () => this.#stopping.request()),
    );
    this.#timers.push(
      setInterval(() => this.#pull(), POLL_MS),
      setInterval(() => this.#beating.request(), HEARTBEAT_MS),
      setInterval(() => this.#recovering.request(), RECOVER_MS),
    );
    this.#pull();
  }

  /**
   * Stops pulling, gives what runs `graceMs` to end, stops and hands back the rest, and returns when nothing is under
   * way. The heartbeats go on until then, so nobody takes over what still runs here.
   */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    this.#alarm?.cancel();
    if (await this.#idleWithin(graceMs)) return this.#stop();
    this.#handingBack = true;
    for (const { controller } of this.#active.values()) controller.abort('STOPPING' satisfies StopReason);
    if (!(await this.#idleWithin(ABANDON_MS + LAST_SETTLE_MS))) {
      this.#options.log.warn(
        { attempts: this.activeCount },
        'could not hand back attempts; another runner recovers them',
      );
    }
    await this.#stop();
  }

  async #stop(): Promise<void> {
    this.#stopped = true;
    for (const unlisten of this.#unlisten) unlisten();
    for (const timer of this.#timers) clearInterval(timer);
    this.#alarm?.cancel();
    const work = [this.#pulling, this.#beating, this.#stopping, this.#recovering];
    await settledWithin(Promise.all(work.map((each) => each.stop())), LAST_WORK_MS);
  }

  #idleWithin(milliseconds: number): Promise<boolean> {
    return settledWithin(this.#idle(), milliseconds);
  }

  async #idle(): Promise<void> {
    await this.#pulling.idle();
    while (this.#running.size > 0) await Promise.allSettled([...this.#running]);
  }

  #announce(): void {
    this.#options.notifications.notify('slotkeeper_events', 'slotkeeper_jobs');
  }

  /** Jobs can be taken now that could not before: new ones, or those of a class of which one runs at a time. */
  #announceSettled(batch: readonly EndedAttempt[], { sent }: Settled): void {
    const { taskClasses, notifications } = this.#options;
    const freed = batch.some(({ attempt }) => taskClasses.named(attempt.className)?.exclusive);
    if (sent || freed) this.#announce();
    else notifications.notify('slotkeeper_events');
  }

  #pull(): void {
    if (!this.#draining) this.#pulling.request();
  }

  async #pullWhileFree(): Promise<void> {
    const { em, jobs, concurrency, notifications } = this.#options;
    for (;;) {
      // Places that become free in the same turn are filled together.
      await nextTurn();
      // An attempt has its place until its code ends; that its end is written takes none.
      const free = Math.min(concurrency - this.#busy, concurrency + MAX_ENDED - this.#active.size);
      if (free <= 0 || this.#draining) return;
      const { attempts, more } = await takeAttempts(em, jobs, free, this.#taker);
      for (const attempt of attempts) this.#begin(attempt);
      if (attempts.length > 0) notifications.notify('slotkeeper_events');
      if (!more) return this.#armAlarm();
    }
  }

  /** Delayed attempts announce nothing when their time comes. */
  async #armAlarm(): Promise<void> {
    const { rows } = await sql<{ delay: number | null }>`
      select extract(epoch from min(next_attempt_at) - clock_timestamp())::float8 * 1000 as delay
      from run where next_attempt_at > clock_timestamp()
    `.execute(this.#options.em.fork().getKysely());
    const delay = rows[0]?.delay ?? null;
    this.#alarm?.cancel();
    // What is due already and was not taken is another runner's, or waits for a free place here.
    if (delay === null || this.#draining) return;
    this.#alarm = nodeSchedule.scheduleJob(new Date(Date.now() + Math.ceil(delay)), () => this.#pull());
  }

  #begin(attempt: Attempt): void {
    const controller = new AbortController();
    this.#active.set(attempt.job.id, { attempt, controller, heldAt: performance.now() });
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
    this.#ended.push({ attempt, outcome, log: await log.close() });
    this.#settling ??= this.#settle();
    await this.#settling;
  }

  async #settle(): Promise<void> {
    const { em, jobs, log, concurrency } = this.#options;
    // What ends in the same turn is settled together.
    await nextTurn();
    while (this.#ended.length > 0 && !this.#stopped) {
      const batch = this.#ended.slice(0, SETTLE_BATCH);
      let settled: Settled;
      try {
        settled = await settleAttempts(em, jobs, batch);
        this.#settleFailures.worked();
      } catch (error) {
        // The attempts stay ours as long as the heartbeats get through; the database will come back.
        this.#settleFailures.failed(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_SETTLE_MS));
        continue;
      }
      for (const lost of settled.lost) {
        log.warn(labelsOf(lost), 'the attempt was no longer ours; its outcome is dropped');
      }
      this.#ended = this.#ended.slice(batch.length);
      const wasFull = this.#active.size >= concurrency + MAX_ENDED;
      for (const { attempt } of batch) this.#active.delete(attempt.job.id);
      this.#announceSettled(batch, settled);
      if (wasFull) this.#pull();
    }
    // In the same turn as the last look at #ended: no outcome falls between.
    this.#settling = undefined;
  }

  async #beat(): Promise<void> {
    const active = [...this.#active.values()];
    if (active.length === 0) return;
    const sentAt = performance.now();
    const held = await this.#touch(active);
    for (const each of active) {
      const { id } = each.attempt.job;
      if (held.has(id)) each.heldAt = sentAt;
      // One that was settled while the heartbeat was under way is no longer active, and not lost.
      else if (this.#active.has(id)) each.controller.abort('LOST' satisfies StopReason);
    }
    await this.#stopCancelled();
  }

  /** Where no heartbeat gets through, not even late, the attempts that are past their lease are given up. */
  async #touch(active: readonly Active[]): Promise<Set<string>> {
    const touched = this.#options.jobs.touch(active.map(({ attempt }) => attempt.job));
    try {
      if (await settledWithin(touched, BEAT_TIMEOUT_MS)) return await touched;
    } catch (error) {
      this.#stopLapsed();
      throw error;
    }
    // It may hang for as long as the network likes; what becomes of it is of no use any more.
    touched.catch(() => undefined);
    this.#stopLapsed();
    throw new Error(`no answer within ${BEAT_TIMEOUT_MS} ms`);
  }

  /** Others may have taken these over, and their code must not run beside that of others. */
  #stopLapsed(): void {
    const lapsed = performance.now() - this.#options.leaseSeconds * 1_000;
    for (const { heldAt, controller } of this.#active.values()) {
      if (heldAt < lapsed) controller.abort('LOST' satisfies StopReason);
    }
  }

  async #stopCancelled(): Promise<void> {
    if (this.#active.size === 0) return;
    const ids = [...this.#active.keys()];
    const { rows } = await sql<{ job_id: string }>`
      select job_id from run where job_id = any(${ids}::uuid[]) and cancel_requested_at is not null
    `.execute(this.#options.em.fork().getKysely());
    for (const { job_id } of rows) this.#active.get(job_id)?.controller.abort('CANCELLED' satisfies StopReason);
  }
}

/** Whether the work was done before the time was over. */
async function settledWithin(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  return Promise.race([work.then(() => true), timeout]).finally(() => clearTimeout(timer));
}
