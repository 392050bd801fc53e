import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { authenticate, authenticateSigned } from '../credentials/authenticate.ts';
import type { User } from '../entities/index.ts';
import { UNEXPECTED } from '../http/errors.ts';
import type { Gateway } from '../http/graphql.ts';
import type { Parts } from '../http/parts.ts';
import { handleLegacyCall, type LegacyRequest, readLegacyCredentials } from './adapter.ts';
import type { GraphQLErrorLike } from './failures.ts';
import { errorReply } from './reply.ts';

const PATH = '/api/v1/api.php';
/** PHP's post_max_size on the old server. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** The old endpoint, under its path and every prefix of LEGACY_PREFIX. It never redirects: the old client does not follow. */
export async function legacyPlugin(app: FastifyInstance, parts: Parts & { gateway: Gateway }): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (_request, body, done) =>
    done(null, body),
  );
  // What Fastify refuses by itself (a body that is too large) is an envelope and a 200 as well.
  app.setErrorHandler((error: { message: string; statusCode?: number }, _request, reply) => {
    const known = error.statusCode !== undefined && error.statusCode < 500;
    if (!known) parts.log.error({ err: error }, 'an old call failed unexpectedly');
    return send(reply, parts, known ? error.message : UNEXPECTED);
  });
  for (const prefix of ['', ...parts.settings.LEGACY_PREFIX]) {
    for (const url of [`${prefix}${PATH}`, `${prefix}${PATH}/`, `/${prefix}${PATH}`, `/${prefix}${PATH}/`]) {
      app.route({
        method: ['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'],
        url,
        handler: (request, reply) => answer(parts, request, reply),
      });
    }
  }
}

async function answer(parts: Parts & { gateway: Gateway }, request: FastifyRequest, reply: FastifyReply) {
  // A page of another site can make a browser send this request; a script or an old client sends no such header.
  if (request.headers['sec-fetch-site'] === 'cross-site') {
    return send(reply, parts, 'Calls from pages of other sites are refused.');
  }
  const call = readCall(request);
  const viewer = await findCaller(parts, request, call);
  if (viewer === null) return refuse(parts, request, reply);
  const body = await handleLegacyCall({
    ...call,
    timeZone: parts.settings.TIME_ZONE,
    executeTimeoutSeconds: parts.settings.LEGACY_EXECUTE_TIMEOUT,
    execute: (document, variables) => execute(parts.gateway, viewer, document, variables),
  });
  return sendBody(reply, parts, body);
}

/** 401 is the one status but 200 that the old client understands. */
async function refuse(parts: Parts, request: FastifyRequest, reply: FastifyReply) {
  const wait = await parts.countRefusal(request);
  if (wait !== null) reply.header('retry-after', wait);
  return sendBody(reply.code(401), parts, errorReply('Authentication failed: apiKey and hash are missing or wrong.'));
}

function readCall(request: FastifyRequest): LegacyRequest {
  const url = request.raw.url ?? '';
  const at = url.indexOf('?');
  return {
    method: request.method,
    rawQuery: at === -1 ? '' : url.slice(at + 1),
    contentType: request.headers['content-type'],
    body: Buffer.isBuffer(request.body) ? request.body : null,
  };
}

/** Where there is a hash it alone decides; the Authorization header is then not looked at. */
async function findCaller(parts: Parts, request: FastifyRequest, call: LegacyRequest): Promise<User | null> {
  const em = parts.orm.em.fork();
  const { apiKey, hash, signed } = await readLegacyCredentials(call);
  if (hash === null) return authenticate(em, parts.vault, request.headers.authorization);
  return apiKey === null ? null : authenticateSigned(em, parts.vault, apiKey, signed, hash);
}

/** In process, through the envelope that every other operation goes through. */
async function execute(gateway: Gateway, viewer: User, document: string, variables: Record<string, unknown>) {
  const enveloped = gateway.getEnveloped({ viewer } as never);
  const result = await enveloped.execute({
    schema: enveloped.schema,
    document: enveloped.parse(document),
    variableValues: variables,
    contextValue: await enveloped.contextFactory(),
  });
  return result as { data?: unknown; errors?: readonly GraphQLErrorLike[] };
}

function send(reply: FastifyReply, parts: Parts, message: string) {
  return sendBody(reply.code(200), parts, errorReply(message));
}

/** As a buffer, so that the content type gets no charset and the content length is exact. */
function sendBody(reply: FastifyReply, { settings }: Parts, body: string) {
  return reply.header('content-type', settings.LEGACY_CONTENT_TYPE).send(Buffer.from(body));
}
