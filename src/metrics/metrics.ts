import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry, register } from 'prom-client';

/** By which API a request came. */
type Door = 'graphql' | 'legacy';

const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const LATENESS_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 10, 30, 60, 300, 3_600];
const DURATION_SECONDS = [0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400];

const PREFIX = 'slotkeeper_';

let isProcessMeasured = false;

/** The process metrics of prom-client, shared by all servers in the process. */
function processRegistry(): Registry {
  if (!isProcessMeasured) collectDefaultMetrics({ register });
  isProcessMeasured = true;
  return register;
}

/**
 * The metrics of one server. Labels hold names of the schema, of old actions, of task classes and of ours: never a text
 * that a caller chose, so their number is bounded and no secret gets into them.
 */
export class Metrics {
  readonly #own = new Registry();
  readonly #requests = new Histogram({
    name: `${PREFIX}request_duration_seconds`,
    help: 'Queries, mutations and old calls, by root field or action; subscriptions are not among them.',
    labelNames: ['door', 'operation', 'outcome'],
    buckets: REQUEST_SECONDS,
    registers: [this.#own],
  });
  readonly #refusals = new Counter({
    name: `${PREFIX}refused_credentials_total`,
    help: 'Calls with missing or wrong credentials, and those refused unread after too many of them.',
    registers: [this.#own],
  });

  /** `begin` is by performance.now(). */
  request(door: Door, operation: string, isError: boolean, begin: number): void {
    const outcome = isError ? 'error' : 'ok';
    this.#requests.observe({ door, operation, outcome }, (performance.now() - begin) / 1_000);
  }

  refused(): void {
    this.#refusals.inc();
  }

  /** A number that is read when it is asked for. */
  gauge(name: string, help: string, read: () => number): void {
    this.gaugeOf(name, help, [], (gauge) => gauge.set(read()));
  }

  /** The same for one that only grows. */
  counter(name: string, help: string, read: () => number): void {
    new Counter({
      name: PREFIX + name,
      help,
      registers: [this.#own],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  /** `read`, if given, sets it when it is asked for. */
  gaugeOf<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[] = [],
    read: (gauge: Gauge<Label>) => void = () => undefined,
  ): Gauge<Label> {
    return new Gauge({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [this.#own],
      collect() {
        read(this);
      },
    });
  }

  counterOf<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.#own] });
  }

  latenessOf(name: string, help: string): Histogram<'class'> {
    return this.#histogramOf(name, help, LATENESS_SECONDS);
  }

  durationOf(name: string, help: string): Histogram<'class'> {
    return this.#histogramOf(name, help, DURATION_SECONDS);
  }

  /** The text that Prometheus reads, and its type. */
  async print(): Promise<{ type: string; text: string }> {
    const all = Registry.merge([processRegistry(), this.#own]);
    return { type: all.contentType, text: await all.metrics() };
  }

  #histogramOf(name: string, help: string, buckets: number[]): Histogram<'class'> {
    return new Histogram({ name: PREFIX + name, help, labelNames: ['class'], buckets, registers: [this.#own] });
  }
}
