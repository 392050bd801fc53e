import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import { FailureLog } from '../lib/failure-log.ts';
import { labelsOf } from '../lib/log.ts';
import type { Jobs } from '../scheduling/jobs.ts';
import type { EndedAttempt } from './attempt.ts';
import { type Settled, settleAttempts } from './settle-attempts.ts';

const BATCH = 100;
const RETRY_MS = 1_000;

/**
 * Writes how attempts ended: those that end together in one transaction, one transaction at a time, and again and again
 * while the database is away. The attempts stay ours as long as the heartbeats get through.
 */
export class Settler {
  readonly #em: EntityManager;
  readonly #jobs: Jobs;
  readonly #log: Logger;
  readonly #failures: FailureLog;
  readonly #onSettled: (batch: readonly EndedAttempt[], settled: Settled) => void;
  #ended: EndedAttempt[] = [];
  #settling: Promise<void> | undefined;
  #stopped = false;

  /** `onSettled` is called after each commit. */
  constructor(
    { em, jobs, log }: { em: EntityManager; jobs: Jobs; log: Logger },
    onSettled: (batch: readonly EndedAttempt[], settled: Settled) => void,
  ) {
    this.#em = em;
    this.#jobs = jobs;
    this.#log = log;
    this.#failures = new FailureLog('settle attempts', log);
    this.#onSettled = onSettled;
  }

  /** Resolves when the attempt, and those that ended with it, are settled, or given up after `stop`. */
  async settle(ended: EndedAttempt): Promise<void> {
    this.#ended.push(ended);
    this.#settling ??= this.#settleAll();
    await this.#settling;
  }

  /** Stops writing; unsettled attempts are left to other runners to recover. */
  stop(): void {
    this.#stopped = true;
  }

  async #settleAll(): Promise<void> {
    // What ends in the same turn is settled together.
    await nextTurn();
    while (this.#ended.length > 0 && !this.#stopped) {
      const batch = this.#ended.slice(0, BATCH);
      const settled = await this.#try(batch);
      if (settled === null) {
        await pause(RETRY_MS);
        continue;
      }
      for (const lost of settled.lost) {
        this.#log.warn(labelsOf(lost), 'the attempt was no longer ours; its outcome is dropped');
      }
      this.#ended = this.#ended.slice(batch.length);
      this.#onSettled(batch, settled);
    }
    // In the same turn as the last look at #ended: no outcome falls between.
    this.#settling = undefined;
  }

  /** Null if it failed because the database is away. */
  async #try(batch: readonly EndedAttempt[]): Promise<Settled | null> {
    try {
      const settled = await settleAttempts(this.#em, this.#jobs, batch);
      this.#failures.worked();
      return settled;
    } catch (error) {
      this.#failures.failed(error);
      return null;
    }
  }
}
