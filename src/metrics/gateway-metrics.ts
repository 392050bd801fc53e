import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import type { EventTail } from '../events/tail.ts';
import type { TaskFeed } from '../tasks/feed/task-feed.ts';
import { InstallationGauges } from './installation-gauges.ts';
import { LogCounters } from './log-counters.ts';
import type { Metrics } from './metrics.ts';

interface GatewayParts {
  em: EntityManager;
  tail: EventTail;
  taskFeed: TaskFeed;
  /** Counts the streams and sockets that are open. */
  guard: { readonly count: number };
  log: Logger;
}

/** The metrics of a gateway and of the installation. The composition root stops it. */
export class GatewayMetrics {
  readonly #counters: LogCounters;
  readonly #gauges: InstallationGauges;
  #reading: Promise<unknown> | undefined;

  constructor({ em, tail, taskFeed, guard, log }: GatewayParts, metrics: Metrics) {
    metrics.gauge('streams', 'Open subscriptions and WebSockets.', () => guard.count);
    metrics.gauge('live_subscribers', 'Readers of the event log that are up to date.', () => tail.subscriberCount);
    metrics.gauge('live_task_feeds', 'Feeds of tasks that are up to date.', () => taskFeed.subscriberCount);
    metrics.counter(
      'slow_subscribers_total',
      'How often a subscriber was too slow for the live stream and was sent back to the log.',
      () => tail.fellBehindCount + taskFeed.fellBehindCount,
    );
    metrics.counter('event_reads_total', 'Pages read from the event log.', () => tail.readCount);
    this.#counters = new LogCounters(em, tail, metrics);
    this.#gauges = new InstallationGauges(em, metrics, log);
  }

  async start(): Promise<void> {
    await this.#counters.start();
  }

  /** Call before printing. Concurrent scrapes, by any port, share one read: two reads would count twice. */
  async read(): Promise<void> {
    this.#reading ??= Promise.all([this.#counters.read(), this.#gauges.read()]).finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async stop(): Promise<void> {
    await this.#gauges.stop();
  }
}
