import websocket from '@fastify/websocket';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ExecutionArgs, type ExecutionResult, GraphQLError, type subscribe } from 'graphql';
import { CloseCode } from 'graphql-ws';
import { type Extra, makeHandler } from 'graphql-ws/use/@fastify/websocket';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { Identity } from '../credentials/credentials.ts';
import type { User } from '../entities/index.ts';
import { unauthenticated } from '../errors.ts';
import type { Context, Opening } from '../schema/context.ts';
import { schema } from '../schema/index.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { type LimitOptions, useLimits } from './document-limits.ts';
import { type Asker, hideError, maskError, tellHidden, UNEXPECTED, withCode } from './errors.ts';
import { type GraphiQL, graphiqlPlugin } from './graphiql.ts';
import { REFUSED, type Told, useOperationNames } from './operation-names.ts';
import type { Parts } from './parts.ts';
import { operationIdOf, usePersistedOperations } from './persisted-operations.ts';
import { QuickQueries } from './quick-queries.ts';
import { ownAuthorization, type Refusal } from './refusals.ts';
import { answerRequestIds } from './request-ids.ts';
import { useServerSentEvents } from './server-sent-events.ts';
import { CLOSE_WITHIN_MS, closeSockets, sayGoodbye, writeTogether } from './sockets.ts';
import { useSubscriptions } from './subscriptions.ts';
import { type SpannedHandler, setOperation, traced } from './traced.ts';

/** What a transport knows of a call. */
export interface Caller extends Asker {
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
  told?: Told;
}

export type Gateway = YogaServerInstance<Caller, Context>;

const MAX_BODY_BYTES = 10 * 1024 * 1024;
/** One that does not answer a ping before the next is let go; one that is silent for less may merely be busy. */
const PING_MS = 35_000;
const INIT_TIMEOUT_MS = 5_000;
const MAX_MESSAGE_BYTES = MAX_BODY_BYTES;
/** The types do not know of closeTimeout yet. */
const SOCKET_OPTIONS: object = { maxPayload: MAX_MESSAGE_BYTES, closeTimeout: CLOSE_WITHIN_MS };

/** What the resolvers of an operation are given. */
function contextFor({ orm, tail, taskFeed, jobs, vault, notifications, taskClasses, settings }: Parts) {
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

function limitsOf({ settings, operations }: Parts): LimitOptions {
  return { introspection: settings.INTROSPECTION === 'on', operations };
}

/** The one envelope through which every operation goes: HTTP, SSE, WebSocket and the old API. */
export function createGateway(parts: Parts): Gateway {
  const { tail, guard } = parts;
  const limits = limitsOf(parts);
  const operationContext = contextFor(parts);
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
export async function graphqlPlugin(app: FastifyInstance, parts: Parts & { gateway: Gateway }): Promise<void> {
  const { gateway } = parts;
  answerRequestIds(app);
  await app.register(websocket, {
    options: SOCKET_OPTIONS,
    // In this order: a subscription that ends by itself would be over for its client, one whose socket closes is resumed.
    preClose(done) {
      closeSockets(app.websocketServer.clients)
        .then(() => parts.tail.stop())
        .then(() => parts.taskFeed.stop())
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
  const quickQueries = new QuickQueries(contextFor(parts), limitsOf(parts));
  const answer: SpannedHandler = async (request, reply, span) => {
    const begin = performance.now();
    const identity = await parts.refusals.checkHeader(request, parts.credentials, ownAuthorization(request));
    if ('status' in identity) return refuse(reply, identity);
    if (request.method === 'POST') checkContentType(request.headers['content-type']);
    const lastEventId = request.headers['last-event-id'];
    const told: Told = {};
    const caller: Caller = {
      told,
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
      count(parts, quick.told, begin);
      if (span !== null) setOperation(span, quick.told);
      return reply.type(quick.type).send(quick.body);
    }
    if (Buffer.isBuffer(request.body)) request.body = new Body(request.body);
    const response = await gateway.handleNodeRequestAndResponse(request, reply, { ...caller });
    count(parts, told, begin);
    if (span !== null) setOperation(span, told);
    return response;
  };
  const handler = traced(parts.tracing, '/graphql', answer);
  app.route({ method: 'POST', url: '/graphql', handler });
  const onSocket = webSocketHandler(parts, gateway);
  const graphiql = parts.settings.GRAPHIQL === 'on' ? await graphiqlPlugin(app) : null;
  app.route({
    method: 'GET',
    url: '/graphql',
    handler: graphiql === null ? handler : pageOr(graphiql, handler),
    wsHandler(socket, request) {
      if (parts.tail.isStopped) sayGoodbye(socket);
      else {
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

/** Subscriptions last as long as their clients like. */
function count({ metrics }: Parts, { operation = REFUSED, isSubscription, hasErrors = true }: Told, begin: number) {
  if (!isSubscription) metrics.request('graphql', operation, hasErrors, begin);
}

type SocketExtra = { caller?: Caller };

function webSocketHandler(parts: Parts, gateway: Gateway) {
  return makeHandler<{ authorization?: unknown }, SocketExtra>(
    {
      connectionInitWaitTimeout: INIT_TIMEOUT_MS,
      // False closes the socket with 4403: Forbidden.
      onConnect: async ({ connectionParams, extra }) => {
        const given = connectionParams?.authorization ?? ownAuthorization(extra.request);
        const header = typeof given === 'string' ? given : undefined;
        const identity = await parts.refusals.checkHeader(extra.request, parts.credentials, header);
        if ('status' in identity) return false;
        watchSocket(parts, extra, identity);
        return true;
      },
      onSubscribe: async ({ extra }, _id, { query, variables, operationName, extensions }) => {
        if (extra.caller === undefined) return [unauthenticated('the key was revoked')];
        const told: Told = {};
        const caller = { ...extra.caller, told };
        const enveloped = gateway.getEnveloped(caller as never);
        const document = parseOperation(enveloped.parse, () => {
          const id = operationIdOf({ extensions });
          const { operations } = parts;
          return query === '' && id !== undefined && operations !== undefined ? operations.textOf(id) : query;
        });
        if (document instanceof GraphQLError) return [document];
        const errors = enveloped.validate(enveloped.schema, document);
        if (errors.length > 0) return errors.map(withCode);
        // The context is made of the caller as they are by then.
        if (parts.tracing !== null) beginOperation(parts.tracing, caller, extra.request);
        return {
          schema: enveloped.schema,
          document,
          operationName: operationName ?? null,
          variableValues: variables ?? null,
          contextValue: await enveloped.contextFactory(),
          rootValue: {
            execute: async (args) => {
              const begin = performance.now();
              const result = await enveloped.execute(args);
              count(parts, told, begin);
              endOperation(caller);
              return result;
            },
            subscribe: async (args) => {
              const results = await enveloped.subscribe(args);
              endOperation(caller);
              return results;
            },
          } satisfies EnvelopedRoot,
        } as ExecutionArgs;
      },
      execute: (args) => (args.rootValue as EnvelopedRoot).execute(args),
      subscribe: (args) => (args.rootValue as EnvelopedRoot).subscribe(args),
      onError: ({ extra }, _id, _payload, errors) => {
        extra.request.log.debug({ errors }, 'an operation was refused');
        return errors.map((error) => (error instanceof GraphQLError ? withoutHttp(withCode(error)) : error));
      },
    },
    PING_MS,
  );
}

/** Each operation of a socket has a span of its own; what the socket was opened with says which trace it belongs to. */
function beginOperation(tracing: Tracing, caller: Caller, { id, headers }: FastifyRequest): void {
  caller.span = tracing.request('WebSocket /graphql', headers.traceparent, { 'slotkeeper.request.id': id });
  caller.log = caller.log.child({ traceId: caller.span.traceId });
}

function endOperation({ span, told }: Caller): void {
  if (span === null) return;
  setOperation(span, told ?? {});
  span.end();
}

/** Lets a socket be its caller's until their rights change; closes one that is one too many. */
function watchSocket({ guard }: Parts, extra: SocketExtra & Extra, { viewer, apiKeyId, apiKey }: Identity): void {
  const { socket } = extra;
  try {
    const release = guard.watch({ apiKeyId, role: viewer.role }, () => {
      // What still comes over the socket before it is closed is nobody's.
      delete extra.caller;
      socket.close(CloseCode.Unauthorized, 'the key was revoked, or its user has other rights now');
    });
    const { id: requestId, log, ip: origin } = extra.request;
    extra.caller = { requestId, log, span: null, viewer, apiKeyId, apiKey, origin };
    socket.once('close', release);
    // It may have been closed while the credentials were looked up.
    if (socket.readyState !== socket.OPEN) release();
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    socket.close(CloseCode.TooManyInitialisationRequests, error.message);
  }
}

/** What says which status an error has over HTTP means nothing here. */
function withoutHttp(error: GraphQLError) {
  const { extensions: { http: _, ...extensions } = {}, ...shown } = error.toJSON();
  return { ...shown, extensions };
}

interface EnvelopedRoot {
  execute(args: ExecutionArgs): Promise<ExecutionResult>;
  subscribe(args: ExecutionArgs): Promise<Awaited<ReturnType<typeof subscribe>>>;
}

function parseOperation<Document>(
  parse: (query: string) => Document,
  readQuery: () => string,
): Document | GraphQLError {
  try {
    return parse(readQuery());
  } catch (error) {
    if (error instanceof GraphQLError) return withCode(error);
    throw error;
  }
}
