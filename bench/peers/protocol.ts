// How the programs of the firing and draining comparisons speak with the subject: arguments in, one line of JSON out.
import { quantile } from '../support/report.ts';

/** What a program is asked for: `drain COUNT CONCURRENCY` or `fire COUNT CONCURRENCY MINUTE`, the minute in milliseconds since 1970. */
export interface Order {
  mode: 'drain' | 'fire';
  count: number;
  concurrency: number;
  minute: number;
}

/** Milliseconds after the minute. */
export interface Fired {
  fired: number;
  p50: number;
  p99: number;
  max: number;
}

export interface Drained {
  jobsPerSecond: number;
}

/** What is due is over after so long, done or not. */
export const FIRE_WITHIN_MS = 75_000;

export function readOrder(): Order {
  const [mode = '', count, concurrency, minute = 0] = process.argv.slice(2);
  if (mode !== 'drain' && mode !== 'fire') throw new Error(`no such mode: ${mode}`);
  return { mode, count: Number(count), concurrency: Number(concurrency), minute: Number(minute) };
}

export function tell(result: Fired | Drained): void {
  process.stdout.write(`result ${JSON.stringify(result)}\n`);
}

/** How late jobs begin, until all have or the time is over. */
export class Lateness {
  readonly #order: Order;
  readonly #lateness: number[] = [];
  readonly #all = Promise.withResolvers<void>();

  constructor(order: Order) {
    this.#order = order;
  }

  /** To be called as the first thing that a job does. */
  begun(): void {
    const now = Date.now();
    // What an hour-old pattern or a first run at once would add is not what is measured.
    if (now < this.#order.minute) return;
    this.#lateness.push(now - this.#order.minute);
    if (this.#lateness.length >= this.#order.count) this.#all.resolve();
  }

  async measured(): Promise<Fired> {
    const timer = setTimeout(() => this.#all.resolve(), this.#order.minute + FIRE_WITHIN_MS - Date.now());
    await this.#all.promise;
    clearTimeout(timer);
    const sorted = this.#lateness.slice(0, this.#order.count).sort((left, right) => left - right);
    return { fired: sorted.length, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: quantile(sorted, 1) };
  }
}

/** How fast jobs end, from the first one's beginning to the last one's end. */
export class Throughput {
  readonly #count: number;
  readonly #all = Promise.withResolvers<void>();
  #begun = 0;
  #done = 0;

  constructor(count: number) {
    this.#count = count;
  }

  begun(): void {
    this.#begun ||= performance.now();
  }

  done(jobs = 1): void {
    this.#done += jobs;
    if (this.#done >= this.#count) this.#all.resolve();
  }

  async measured(): Promise<Drained> {
    await this.#all.promise;
    return { jobsPerSecond: (this.#count * 1_000) / (performance.now() - this.#begun) };
  }
}

/** An hourly pattern that is due at the minute. */
export function patternOf({ minute }: Order): string {
  return `${new Date(minute).getUTCMinutes()} * * * *`;
}
