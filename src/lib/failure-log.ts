import type { Logger } from 'pino';

const AGAIN_MS = 60_000;

/** Logs work that fails repeatedly: the first failure in a row, then once a minute, then the recovery. */
export class FailureLog {
  readonly #what: string;
  readonly #log: Logger;
  #since: number | undefined;
  #toldAt = 0;

  /** `what` as in "could not WHAT". */
  constructor(what: string, log: Logger) {
    this.#what = what;
    this.#log = log;
  }

  /** `labels` name the run or request that it was tried for. */
  failed(error: unknown, labels: object = {}): void {
    const now = performance.now();
    this.#since ??= now;
    const isTold = this.#toldAt > 0 && now - this.#toldAt < AGAIN_MS;
    if (!isTold) this.#toldAt = now;
    this.#log[isTold ? 'debug' : 'warn']({ ...labels, err: error }, `could not ${this.#what}; trying again`);
  }

  worked(): void {
    if (this.#since === undefined) return;
    const seconds = Math.round((performance.now() - this.#since) / 100) / 10;
    this.#since = undefined;
    this.#toldAt = 0;
    this.#log.info({ seconds }, `could ${this.#what} again`);
  }
}
