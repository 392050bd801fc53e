const LEAST_MS = 100;
const MOST_MS = 5_000;

/** Pauses between tries: each twice the one before, up to five seconds, and at random up to half as long again, so that many processes do not come back at once. */
export class Backoff {
  #next = LEAST_MS;

  /** Milliseconds until the next try. */
  next(): number {
    const pause = this.#next * (1 + Math.random() / 2);
    this.#next = Math.min(2 * this.#next, MOST_MS);
    return pause;
  }

  reset(): void {
    this.#next = LEAST_MS;
  }
}
