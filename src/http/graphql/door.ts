import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Identity } from '../../credentials/credentials.ts';
import type { Span } from '../../tracing/tracing.ts';
import { ownAuthorization, type Refusal } from '../credential-throttle.ts';
import { answerRequestIds } from '../request-ids.ts';
import type { Services } from '../services.ts';
import { type SpannedHandler, setOperation, traced } from '../traced.ts';
import { unread } from '../unread-body.ts';
import type { Caller, Gateway } from './caller.ts';
import { CompiledQueries } from './compiled-queries.ts';
import { UNEXPECTED } from './errors.ts';
import { contextFor, limitsOf } from './gateway.ts';
import { type GraphiQL, graphiqlPlugin } from './graphiql.ts';
import { countOperation, type OperationInfo } from './operation-names.ts';
import { closeSockets, sayGoodbye, writeTogether } from './sockets.ts';
import { boundUnknown, SOCKET_OPTIONS, webSocketHandler } from './web-socket.ts';

const MAX_BODY_BYTES = 10 * 1024 * 1024;

interface GraphqlServices extends Services {
  gateway: Gateway;
}

/** `/graphql` over HTTP, Server-Sent Events and WebSocket (graphql-transport-ws). */
export async function graphqlPlugin(app: FastifyInstance, services: GraphqlServices): Promise<void> {
  answerRequestIds(app);
  await acceptSockets(app, services);
  // Yoga parses the body; Fastify only limits its size.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (_request, body, done) =>
    done(null, body),
  );
  app.setErrorHandler(sendError);
  const handler = traced(services.tracing, '/graphql', answerFor(services, authenticateBeforeBody(app, services)));
  app.route({ method: 'POST', url: '/graphql', handler });
  const onSocket = webSocketHandler(services, services.gateway);
  const graphiql = services.settings.GRAPHIQL === 'on' ? await graphiqlPlugin(app) : null;
  app.route({
    method: 'GET',
    url: '/graphql',
    handler: graphiql === null ? handler : pageOr(graphiql, handler),
    wsHandler(socket, request) {
      if (services.tail.isStopped) return sayGoodbye(socket);
      boundUnknown(socket, request.raw.socket);
      writeTogether(socket, request.raw.socket);
      onSocket.call(this, socket, request);
    },
  });
}

async function acceptSockets(app: FastifyInstance, { tail, taskFeed }: GraphqlServices): Promise<void> {
  await app.register(websocket, {
    options: SOCKET_OPTIONS,
    // The sockets first: a client resumes after its socket closes, but not after its subscription completes.
    preClose(done) {
      closeSockets(app.websocketServer.clients)
        .then(() => tail.stop())
        .then(() => taskFeed.stop())
        .then(() => done(), done);
    },
  });
}

/** Sends an error of Fastify itself, such as for a body that is too large, in the shape that GraphQL clients expect. */
function sendError(error: { message: string; statusCode?: number }, request: FastifyRequest, reply: FastifyReply) {
  const status = error.statusCode ?? 500;
  if (status < 500) {
    const extensions = { code: 'BAD_USER_INPUT' };
    return reply.code(status).send({ errors: [{ message: error.message, extensions }] });
  }
  request.log.error({ err: error }, 'request failed unexpectedly');
  const extensions = { code: 'INTERNAL_SERVER_ERROR', requestId: request.id };
  return reply.code(status).send({ errors: [{ message: UNEXPECTED, extensions }] });
}

type Authenticate = (request: FastifyRequest) => Promise<Identity | Refusal>;

/**
 * Authenticates POST requests before their bodies are read, so that unknown callers cannot make the server buffer ten
 * megabytes. Returns how a handler gets the caller of its request.
 */
function authenticateBeforeBody(app: FastifyInstance, { credentialThrottle, credentials }: Services): Authenticate {
  const known = new WeakMap<FastifyRequest, Identity | Refusal>();
  const authenticate = (request: FastifyRequest) =>
    credentialThrottle.checkHeader(request, credentials, ownAuthorization(request));
  app.addHook('preParsing', async (request, _reply, payload) => {
    if (request.method !== 'POST') return payload;
    const identity = await authenticate(request);
    known.set(request, identity);
    return 'status' in identity ? unread(request, payload) : payload;
  });
  return async (request) => known.get(request) ?? authenticate(request);
}

/** Answers a request with compiled code if possible, else with Yoga. */
function answerFor(services: GraphqlServices, authenticate: Authenticate): SpannedHandler {
  const compiledQueries = new CompiledQueries(contextFor(services), limitsOf(services));
  const record = (operationInfo: OperationInfo, begin: number, span: Span | null) => {
    countOperation(services.metrics, operationInfo, begin);
    if (span !== null) setOperation(span, operationInfo);
  };
  return async (request, reply, span) => {
    const begin = performance.now();
    const identity = await authenticate(request);
    if ('status' in identity) return refuse(reply, identity);
    if (request.method === 'POST') checkContentType(request.headers['content-type']);
    const operationInfo: OperationInfo = {};
    const caller = callerOf(request, identity, span, operationInfo);
    const compiled = request.method === 'POST' ? await compiledQueries.answer(request, caller) : null;
    if (compiled !== null) {
      record(compiled.operationInfo, begin, span);
      return reply.type(compiled.type).send(compiled.body);
    }
    if (Buffer.isBuffer(request.body)) request.body = new Body(request.body);
    const response = await services.gateway.handleNodeRequestAndResponse(request, reply, { ...caller });
    record(operationInfo, begin, span);
    return response;
  };
}

function callerOf(
  request: FastifyRequest,
  identity: Identity,
  span: Span | null,
  operationInfo: OperationInfo,
): Caller {
  const lastEventId = request.headers['last-event-id'];
  return {
    operationInfo,
    requestId: request.id,
    log: request.log,
    span,
    get viewer() {
      return identity.viewer;
    },
    apiKeyId: identity.apiKeyId,
    apiKey: identity.apiKey,
    origin: request.ip,
    opening: {},
    cutOff: () => request.raw.socket.destroy(),
    lastEventId: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined,
  };
}

/** Sends the page to a browser that requests it, and data to all other clients. */
function pageOr(page: GraphiQL, handler: ReturnType<typeof traced>): ReturnType<typeof traced> {
  return async (request, reply) => (page.isAskedFor(request) ? page.sendPage(reply) : handler(request, reply));
}

/** A body that was read. Yoga would enumerate the indexes of a bare buffer, which takes a second for 10 MiB. */
class Body {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  async *[Symbol.asyncIterator]() {
    yield this.bytes;
  }
}

/** The content types that Yoga reads; it would answer others without a message. */
const CONTENT_TYPES = ['application/json', 'application/graphql', 'application/x-www-form-urlencoded'];

function checkContentType(header: string | undefined): void {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (CONTENT_TYPES.includes(type)) return;
  const message = `Content-Type must be one of ${CONTENT_TYPES.join(', ')}, got ${JSON.stringify(type)}`;
  throw Object.assign(new Error(message), { statusCode: 415 });
}

function refuse(reply: FastifyReply, { status, headers, message }: Refusal) {
  const code = status === 429 ? 'TOO_MANY_REQUESTS' : 'UNAUTHENTICATED';
  return reply
    .code(status)
    .headers(headers)
    .send({ errors: [{ message, extensions: { code } }] });
}
