import { EventTail } from '../events/tail.ts';
import type { Releasers } from '../lib/releasers.ts';
import { GatewayMetrics } from '../metrics/gateway-metrics.ts';
import { TaskFeed } from '../tasks/feed/task-feed.ts';
import { createServer, listen } from './server.ts';
import type { HttpSettings, Services } from './services.ts';
import { StreamGuard } from './stream-guard.ts';

/** The settings of a gateway; `docs/settings.md` describes them. */
interface GatewaySettings extends HttpSettings {
  HOST: string;
  PORT: number;
  STREAMS_PER_KEY: number;
}

/** The services that a gateway is given; it creates the others that its doors share. */
type GivenServices = Omit<Services, 'settings' | 'tail' | 'taskFeed' | 'guard' | 'readMetrics' | 'credentialThrottle'>;

/** Starts the event tail and the task feed for live streams, then the server that uses them. */
export async function startGateway(
  settings: GatewaySettings,
  services: GivenServices,
  releasers: Releasers,
): Promise<{ address: string; readMetrics: () => Promise<void> }> {
  const { orm, notifications, metrics, log } = services;
  const tail = new EventTail(orm.em, notifications, log);
  const taskFeed = new TaskFeed(orm.em, tail, log);
  const guard = new StreamGuard(orm.em, notifications, log, settings.STREAMS_PER_KEY);
  const gatewayMetrics = new GatewayMetrics({ em: orm.em, tail, taskFeed, guard, log }, metrics);
  releasers.push(() => gatewayMetrics.stop());
  await gatewayMetrics.start();
  const readMetrics = () => gatewayMetrics.read();
  const server = await createServer({ ...services, tail, taskFeed, guard, readMetrics, settings });
  releasers.push(() => server.close());
  return { address: await listen(server, settings.HOST, settings.PORT), readMetrics };
}
