import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Credentials } from '../credentials/credentials.ts';
import { FailureLog } from '../lib/failure-log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { type CredentialThrottle, ownAuthorization } from './credential-throttle.ts';
import { answerRequestIds } from './request-ids.ts';

export interface MetricsServices {
  credentials: Credentials;
  credentialThrottle: CredentialThrottle;
  metrics: Metrics;
  log: Logger;
  /** Updates the metrics that are read on demand rather than counted. */
  readMetrics(): Promise<void>;
}

/** `/metrics` for Prometheus, with the credentials of any user. */
export async function metricsPlugin(app: FastifyInstance, services: MetricsServices): Promise<void> {
  const { credentials, credentialThrottle, metrics } = services;
  answerRequestIds(app);
  const failures = new FailureLog('collect the metrics', services.log);
  app.setErrorHandler((error: { message: string; statusCode?: number }, request, reply) => {
    const { statusCode = 500, message } = error;
    if (statusCode < 500) return reply.code(statusCode).send(message);
    failures.failed(error, { requestId: request.id });
    return reply.code(503).send('The database does not answer.');
  });
  app.get('/metrics', async (request, reply) => {
    const identity = await credentialThrottle.checkHeader(request, credentials, ownAuthorization(request));
    if ('status' in identity) return reply.code(identity.status).headers(identity.headers).send(identity.message);
    await services.readMetrics();
    const { type, text } = await metrics.print();
    failures.worked();
    return reply.header('content-type', type).send(text);
  });
}
