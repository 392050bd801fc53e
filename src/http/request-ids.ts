// The id of a request: in its log lines and in its reply, so that a user can quote it to an operator.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';

/** The ids that are accepted from a client or a proxy: short, and safe to write to a log line. */
const ACCEPTED = /^[\w.-]{1,64}$/;

/** The `X-Request-Id` of the request if it is acceptable, else a new id. */
export function requestIdOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && ACCEPTED.test(given) ? given : randomUUID();
}

/**
 * Adds the id to the replies of this scope. Those of the old API do without: they are exactly what the old server sent.
 */
export function answerRequestIds(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
}
