import Fastify, { type FastifyInstance } from 'fastify';
import { createCredentialThrottle } from './credential-throttle.ts';
import { healthPlugin } from './health.ts';
import { type MetricsServices, metricsPlugin } from './metrics.ts';
import { requestIdOf } from './request-ids.ts';
import { securityHeaders } from './security-headers.ts';
import type { Services } from './services.ts';

/** A server for monitoring alone: `/healthz`, `/readyz` and `/metrics`. */
export async function createMetricsServer(
  services: Omit<MetricsServices, 'credentialThrottle'> & Pick<Services, 'orm' | 'log' | 'keyUse'>,
): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true, genReqId: requestIdOf });
  const headers = securityHeaders();
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
  const credentialThrottle = await createCredentialThrottle(app, services.metrics, services.keyUse);
  await app.register((scope) => healthPlugin(scope, services));
  await app.register((scope) => metricsPlugin(scope, { ...services, credentialThrottle }));
  return app;
}
