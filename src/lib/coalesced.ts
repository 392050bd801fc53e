import type { Logger } from 'pino';
import { Backoff } from './backoff.ts';
import { FailureLog } from './failure-log.ts';

/**
 * Work that is requested by many and runs once at a time: a request while it runs makes it run once more. If it fails,
 * for
 * example because the database is away, it is retried with backoff. The creator stops it.
 */
export class Coalesced {
  readonly #work: () => Promise<void>;
  readonly #failures: FailureLog;
  readonly #backoff = new Backoff();
  #retry: NodeJS.Timeout | undefined;
  #again = false;
  #stopped = false;
  #running: Promise<void> | undefined;

  /** `what` as in "could not WHAT". */
  constructor(what: string, log: Logger, work: () => Promise<void>) {
    this.#failures = new FailureLog(what, log);
    this.#work = work;
  }

  request(): void {
    if (this.#stopped) return;
    this.#again = true;
    this.#running ??= this.#loop();
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Runs what was requested, until it is done or fails for the first time, without a retry. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    await this.idle();
  }

  async #loop(): Promise<void> {
    clearTimeout(this.#retry);
    try {
      while (this.#again) {
        this.#again = false;
        await this.#work();
        this.#failures.worked();
        this.#backoff.reset();
      }
    } catch (error) {
      this.#failures.failed(error);
      if (!this.#stopped) this.#retry = setTimeout(() => this.request(), this.#backoff.next());
    } finally {
      // In the same turn as the last check of #again, so that no request is lost.
      this.#running = undefined;
    }
  }
}
