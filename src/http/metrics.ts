import type { FastifyInstance } from 'fastify';
import { Counter, Gauge, Registry } from 'prom-client';
import type { Parts } from './parts.ts';

/** `/metrics` for Prometheus, with the credentials of any user. Every number is read when it is asked for. */
export async function metricsPlugin(app: FastifyInstance, parts: Parts): Promise<void> {
  const registry = makeRegistry(parts);
  app.get('/metrics', async (request, reply) => {
    const identity = await parts.credentials.ofHeader(request.headers.authorization);
    if (identity === null) {
      const wait = await parts.countRefusal(request);
      if (wait !== null) reply.header('retry-after', wait);
      return reply.code(401).send('Credentials are missing or wrong.');
    }
    return reply.header('content-type', registry.contentType).send(await registry.metrics());
  });
}

function makeRegistry({ tail, taskFeed, guard }: Parts): Registry {
  const registry = new Registry();
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  gauge('slotkeeper_streams', 'Open subscriptions and WebSockets.', () => guard.count);
  gauge('slotkeeper_live_subscribers', 'Readers of the event log that are up to date.', () => tail.subscriberCount);
  gauge('slotkeeper_live_task_feeds', 'Feeds of tasks that are up to date.', () => taskFeed.subscriberCount);
  counter(
    'slotkeeper_slow_subscribers_total',
    'How often a subscriber was too slow for the live stream and was sent back to the log.',
    () => tail.fellBehindCount + taskFeed.fellBehindCount,
  );
  counter('slotkeeper_event_reads_total', 'Pages read from the event log.', () => tail.readCount);
  return registry;
}
