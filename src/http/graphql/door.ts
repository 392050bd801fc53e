import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Identity } from '../../credentials/credentials.ts';
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
/** `/graphql` over HTTP, Server-Sent Events and WebSocket (graphql-transport-ws). */
export async function graphqlPlugin(app: FastifyInstance, services: Services & { gateway: Gateway }): Promise<void> {
  const { gateway } = services;
  answerRequestIds(app);
  await app.register(websocket, {
    options: SOCKET_OPTIONS,
    // In this order: a subscription that ends by itself would be over for its client, one whose socket closes is resumed.
    preClose(done) {
      closeSockets(app.websocketServer.clients)
        .then(() => services.tail.stop())
        .then(() => services.taskFeed.stop())
        .then(() => done(), done);
    },
  });
  // Yoga parses the body itself; it is only bounded here.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (_request, body, done) =>
    done(null, body),
  );
  // What Fastify refuses by itself, such as a body that is too large, in the shape that GraphQL clients read.
  app.setErrorHandler((error: { message: string; statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) {
      const extensions = { code: 'BAD_USER_INPUT' };
      return reply.code(status).send({ errors: [{ message: error.message, extensions }] });
    }
    request.log.error({ err: error }, 'a request failed unexpectedly');
    const extensions = { code: 'INTERNAL_SERVER_ERROR', requestId: request.id };
    return reply.code(status).send({ errors: [{ message: UNEXPECTED, extensions }] });
  });
  // Before the body, of which nobody is to make us keep ten megabytes who may not call.
  const admitted = new WeakMap<FastifyRequest, Identity | Refusal>();
  const admit = (request: FastifyRequest) =>
    services.credentialThrottle.checkHeader(request, services.credentials, ownAuthorization(request));
  app.addHook('preParsing', async (request, _reply, payload) => {
    if (request.method !== 'POST') return payload;
    const identity = await admit(request);
    admitted.set(request, identity);
    return 'status' in identity ? unread(request, payload) : payload;
  });
  const compiledQueries = new CompiledQueries(contextFor(services), limitsOf(services));
  const answer: SpannedHandler = async (request, reply, span) => {
    const begin = performance.now();
    const identity = admitted.get(request) ?? (await admit(request));
    if ('status' in identity) return refuse(reply, identity);
    if (request.method === 'POST') checkContentType(request.headers['content-type']);
    const lastEventId = request.headers['last-event-id'];
    const operationInfo: OperationInfo = {};
    const caller: Caller = {
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
    const quick = request.method === 'POST' ? await compiledQueries.answer(request, caller) : null;
    if (quick !== null) {
      countOperation(services.metrics, quick.operationInfo, begin);
      if (span !== null) setOperation(span, quick.operationInfo);
      return reply.type(quick.type).send(quick.body);
    }
    if (Buffer.isBuffer(request.body)) request.body = new Body(request.body);
    const response = await gateway.handleNodeRequestAndResponse(request, reply, { ...caller });
    countOperation(services.metrics, operationInfo, begin);
    if (span !== null) setOperation(span, operationInfo);
    return response;
  };
  const handler = traced(services.tracing, '/graphql', answer);
  app.route({ method: 'POST', url: '/graphql', handler });
  const onSocket = webSocketHandler(services, gateway);
  const graphiql = services.settings.GRAPHIQL === 'on' ? await graphiqlPlugin(app) : null;
  app.route({
    method: 'GET',
    url: '/graphql',
    handler: graphiql === null ? handler : pageOr(graphiql, handler),
    wsHandler(socket, request) {
      if (services.tail.isStopped) sayGoodbye(socket);
      else {
        boundUnknown(socket, request.raw.socket);
        writeTogether(socket, request.raw.socket);
        onSocket.call(this, socket, request);
      }
    },
  });
}

/** The page for who asks to see one, data for all others. */
function pageOr(page: GraphiQL, handler: ReturnType<typeof traced>): ReturnType<typeof traced> {
  return async (request, reply) => (page.isAskedFor(request) ? page.sendPage(reply) : handler(request, reply));
}

/** A body that was read. Yoga would list the places of a bare buffer one by one, which takes a second for 10 MiB. */
class Body {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  async *[Symbol.asyncIterator]() {
    yield this.bytes;
  }
}

/** The types of a body that Yoga reads; it answers others without a word. */
const CONTENT_TYPES = ['application/json', 'application/graphql', 'application/x-www-form-urlencoded'];

function checkContentType(header: string | undefined): void {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (CONTENT_TYPES.includes(type)) return;
  const message = `Content-Type is ${JSON.stringify(type)}; accepted is ${CONTENT_TYPES.join(', ')}`;
  throw Object.assign(new Error(message), { statusCode: 415 });
}

function refuse(reply: FastifyReply, { status, headers, message }: Refusal) {
  const code = status === 429 ? 'TOO_MANY_REQUESTS' : 'UNAUTHENTICATED';
  return reply
    .code(status)
    .headers(headers)
    .send({ errors: [{ message, extensions: { code } }] });
}
