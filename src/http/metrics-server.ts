import Fastify, { type FastifyInstance } from 'fastify';
import { healthPlugin } from './health.ts';
import { type MetricsParts, metricsPlugin } from './metrics.ts';
import type { Parts } from './parts.ts';
import { createRefusals } from './refusals.ts';
import { requestIdOf } from './request-ids.ts';
import { securityHeaders } from './security-headers.ts';

/** A server that tells of the process and does nothing else: `/healthz`, `/readyz` and `/metrics`. */
export async function createMetricsServer(
  parts: Omit<MetricsParts, 'refusals'> & Pick<Parts, 'orm' | 'log' | 'keyUse'>,
): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true, genReqId: requestIdOf });
  const headers = securityHeaders();
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
  const refusals = await createRefusals(app, parts.metrics, parts.keyUse);
  await app.register((scope) => healthPlugin(scope, parts));
  await app.register((scope) => metricsPlugin(scope, { ...parts, refusals }));
  return app;
}
