// How the door of the old API sends a reply.
import type { FastifyReply } from 'fastify';
import { errorReply } from '../../legacy/reply.ts';
import type { Refusal } from '../credential-throttle.ts';
import type { Services } from '../services.ts';

/** Keeps the status. Sends a buffer, so that the content type gets no charset and the content length is exact. */
export function sendReply(reply: FastifyReply, { settings }: Services, body: string) {
  return reply.header('content-type', settings.LEGACY_CONTENT_TYPE).send(Buffer.from(body));
}

/** Sends status 200: the old client library discards the body of any other status. */
export function sendError(reply: FastifyReply, services: Services, message: string) {
  return sendReply(reply.code(200), services, errorReply(message));
}

/** Sends status 401, the only one besides 200 that the old client library understands. */
export function sendUnauthenticated(reply: FastifyReply, services: Services, why: string) {
  return sendReply(reply.code(401), services, errorReply(`Authentication failed: ${why}`));
}

export function sendRefusal(reply: FastifyReply, services: Services, { status, headers, message }: Refusal) {
  const why = status === 429 ? message : 'apiKey and hash are missing or wrong.';
  return sendUnauthenticated(reply.headers(headers), services, why);
}
