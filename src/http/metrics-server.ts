import Fastify, { type FastifyInstance } from 'fastify';
import { createCredentialThrottle } from './credential-throttle.ts';
import { healthPlugin } from './health.ts';
import { type MetricsParts, metricsPlugin } from './metrics.ts';
import type { Parts } from './parts.ts';
import { requestIdOf } from './request-ids.ts';
import { securityHeaders } from './security-headers.ts';

/** A server that tells of the process and does nothing else: `/healthz`, `/readyz` and `/metrics`. */
export async function createMetricsServer(
  parts: Omit<MetricsParts, 'credentialThrottle'> & Pick<Parts, 'orm' | 'log' | 'keyUse'>,
): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true, genReqId: requestIdOf });
  const headers = securityHeaders();
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
  const credentialThrottle = await createCredentialThrottle(app, parts.metrics, parts.keyUse);
  await app.register((scope) => healthPlugin(scope, parts));
  await app.register((scope) => metricsPlugin(scope, { ...parts, credentialThrottle }));
  return app;
}
