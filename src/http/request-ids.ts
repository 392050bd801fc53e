// What a request is called in the log, in replies and by whoever asks an operator about it.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';

/** What is taken over from a caller or a proxy in front: it can break no log line and fills none. */
const ACCEPTED = /^[\w.-]{1,64}$/;

/** The `X-Request-Id` that the request came with, where it is an acceptable one, else a new id. */
export function requestIdOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && ACCEPTED.test(given) ? given : randomUUID();
}

/** Replies of this scope tell the id. Those of the old API do not: they are what the old server sent. */
export function answerRequestIds(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
}
