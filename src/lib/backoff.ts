const LEAST_MS = 100;
const MOST_MS = 5_000;

/**
 * Exponential backoff: each pause doubles, up to five seconds, plus up to half of it at random, so that processes do
 * not return all at once.
 */
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
