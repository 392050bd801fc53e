import websocket from '@fastify/websocket';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GraphQLError } from 'graphql';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { Identity } from '../../credentials/credentials.ts';
import type { User } from '../../entities/index.ts';
import type { Context, Opening, RequestScope } from '../../schema/context.ts';
import { schema } from '../../schema/index.ts';
import { ownAuthorization, type Refusal } from '../credential-throttle.ts';
import { answerRequestIds } from '../request-ids.ts';
import type { Services } from '../services.ts';
import { type SpannedHandler, setOperation, traced } from '../traced.ts';
import { unread } from '../unread-body.ts';
import { QuickQueries } from './compiled-queries.ts';
import { type LimitOptions, useLimits } from './document-limits.ts';
import { hideError, maskError, tellHidden, UNEXPECTED, withCode } from './errors.ts';
import { type GraphiQL, graphiqlPlugin } from './graphiql.ts';
import { countOperation, type OperationInfo, useOperationNames } from './operation-names.ts';
import { usePersistedOperations } from './persisted-operations.ts';
import { useServerSentEvents } from './server-sent-events.ts';
import { closeSockets, sayGoodbye, writeTogether } from './sockets.ts';
import { useSubscriptions } from './subscriptions.ts';
import { boundUnknown, SOCKET_OPTIONS, webSocketHandler } from './web-socket.ts';

/** What a transport knows of a call. */
export interface Caller extends RequestScope {
  log: FastifyBaseLogger;
  viewer: User;
  /** The key that the call came with, and its public half. */
  apiKeyId: number;
  apiKey: string;
  /** The address that it came from. */
  origin: string;
  lastEventId?: string | undefined;
  opening?: Opening;
  /** Breaks the connection off, where the transport is HTTP. */
  cutOff?: () => void;
  /** Takes what becomes known of the operation. */
  operationInfo?: OperationInfo;
}

export type Gateway = YogaServerInstance<Caller, Context>;

const MAX_BODY_BYTES = 10 * 1024 * 1024;
/** What the resolvers of an operation are given. */
function contextFor({ orm, tail, taskFeed, jobs, vault, notifications, taskClasses, settings }: Services) {
  return (caller: Caller, isWeighed = false): Context => ({
    em: orm.em.fork(),
    requestId: caller.requestId,
    log: caller.log,
    span: caller.span,
    // Most reads never look at it.
    get viewer() {
      return caller.viewer;
    },
    apiKeyId: caller.apiKeyId,
    apiKey: caller.apiKey,
    origin: caller.origin,
    tail,
    taskFeed,
    jobs,
    vault,
    notifications,
    taskClasses,
    lastEventId: caller.lastEventId,
    opening: caller.opening,
    timeZone: settings.TIME_ZONE,
    isWeighed,
  });
}

function limitsOf({ settings, operations }: Services): LimitOptions {
  return { introspection: settings.INTROSPECTION === 'on', operations };
}

/** The one envelope through which every operation goes: HTTP, SSE, WebSocket and the old API. */
export function createGateway(services: Services): Gateway {
  const { tail, guard } = services;
  const limits = limitsOf(services);
  const operationContext = contextFor(services);
  return createYoga<Caller, Context>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    graphiql: false,
    cors: false,
    batching: false,
    multipart: false,
    extraParamNames: limits.operations === undefined ? [] : ['documentId'],
    logging: false,
    maskedErrors: { errorMessage: 'unexpected', maskError: hideError },
    // Yoga adds to what it is given, which must be plain values.
    context: (caller) => ({ ...operationContext(caller) }),
    plugins: [
      ...(limits.operations === undefined ? [] : [usePersistedOperations(limits.operations)]),
      useLimits(limits),
      useSubscriptions(guard),
      useOperationNames(),
      useServerSentEvents(() => tail.isStopped),
      useErrors(),
      useReadableQueries(),
    ],
  });
}

/** Masks the errors of an execution; gives those of parsing and validation, which never reach a resolver, their code. */
function useErrors(): Plugin<Context, Caller> {
  return {
    onExecute({ args: { contextValue } }) {
      return {
        onExecuteDone({ result, setResult }) {
          if (!('errors' in result) || result.errors === undefined) return;
          setResult({ ...result, errors: result.errors.map((error) => maskError(error, contextValue)) });
        },
      };
    },
    onResultProcess({ result, serverContext }) {
      const errors = (result as { errors?: readonly unknown[] }).errors ?? [];
      for (const error of errors) {
        if (error instanceof GraphQLError) withCode(error);
        tellHidden(error, serverContext);
      }
    },
  };
}

/** Refuses `variables` or `extensions` of a query string that are not JSON, which Yoga takes for a fault of ours. */
function useReadableQueries(): Plugin {
  return {
    onRequestParse({ requestParser, setRequestParser }) {
      if (requestParser === undefined) return;
      setRequestParser(async (request) => {
        try {
          return await requestParser(request);
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error;
          const message = `variables and extensions are to be JSON objects: ${error.message}`;
          throw new GraphQLError(message, { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } });
        }
      });
    },
  };
}

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
  const quickQueries = new QuickQueries(contextFor(services), limitsOf(services));
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
    const quick = request.method === 'POST' ? await quickQueries.answer(request, caller) : null;
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
