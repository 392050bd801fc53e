import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import { CloseCode } from 'graphql-ws';
import { makeHandler } from 'graphql-ws/use/@fastify/websocket';
import { createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { User } from '../entities/index.ts';
import { unauthenticated } from '../errors.ts';
import type { Context, Opening } from '../schema/context.ts';
import { schema } from '../schema/index.ts';
import { maskError, UNEXPECTED, withCode } from './errors.ts';
import type { Parts } from './parts.ts';
import { QuickQueries } from './quick-queries.ts';
import { useServerSentEvents } from './server-sent-events.ts';
import { closeForGood, closeSockets, sayGoodbye, writeTogether } from './sockets.ts';
import { useSubscriptions } from './subscriptions.ts';

/** What a transport knows of a call. */
export interface Caller {
  viewer: User;
  /** The key that the call came with. */
  apiKeyId: number;
  lastEventId?: string | undefined;
  opening?: Opening;
  /** Breaks the connection off, where the transport is HTTP. */
  cutOff?: () => void;
}

export type Gateway = YogaServerInstance<Caller, Context>;

const MAX_BODY_BYTES = 10 * 1024 * 1024;
/** One that does not answer a ping before the next is let go; one that is silent for less may merely be busy. */
const PING_MS = 35_000;
const INIT_TIMEOUT_MS = 5_000;
const MAX_MESSAGE_BYTES = MAX_BODY_BYTES;

/** What the resolvers of an operation are given. */
function contextFor({ orm, tail, taskFeed, jobs, vault, notifications, taskClasses, settings }: Parts) {
  return (caller: Caller, isWeighed = false): Context => ({
    em: orm.em.fork(),
    // Most reads never look at it.
    get viewer() {
      return caller.viewer;
    },
    apiKeyId: caller.apiKeyId,
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

/** The one envelope through which every operation goes: HTTP, SSE, WebSocket and the old API. */
export function createGateway(parts: Parts): Gateway {
  const { tail, log, guard } = parts;
  const operationContext = contextFor(parts);
  return createYoga<Caller, Context>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    graphiql: false,
    cors: false,
    batching: false,
    multipart: false,
    logging: false,
    maskedErrors: { errorMessage: 'unexpected', maskError: maskError(log) },
    // Yoga adds to what it is given, which must be plain values.
    context: (caller) => ({ ...operationContext(caller) }),
    plugins: [
      useSubscriptions({ guard, mask: maskError(log) }),
      useServerSentEvents(() => tail.isStopped),
      useErrorCodes(),
      useReadableQueries(),
    ],
  });
}

/** Gives the errors of parsing and validation, which never reach a resolver, their code. */
function useErrorCodes() {
  return {
    onResultProcess({ result }: { result: unknown }) {
      const errors = (result as { errors?: readonly unknown[] }).errors ?? [];
      for (const error of errors) if (error instanceof GraphQLError) withCode(error);
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
  const { gateway, log } = parts;
  await app.register(websocket, {
    options: { maxPayload: MAX_MESSAGE_BYTES },
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
  app.setErrorHandler((error: { message: string; statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) log.error({ err: error }, 'a request failed unexpectedly');
    const shown = status >= 500 ? UNEXPECTED : error.message;
    const code = status >= 500 ? 'INTERNAL_SERVER_ERROR' : 'BAD_USER_INPUT';
    return reply.code(status).send({ errors: [{ message: shown, extensions: { code } }] });
  });
  const quickQueries = new QuickQueries(contextFor(parts));
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    const identity = await parts.credentials.ofHeader(request.headers.authorization);
    if (identity === null) return refuse(parts, request, reply);
    if (request.method === 'POST') checkContentType(request.headers['content-type']);
    const lastEventId = request.headers['last-event-id'];
    const caller: Caller = {
      get viewer() {
        return identity.viewer;
      },
      apiKeyId: identity.apiKeyId,
      opening: {},
      cutOff: () => request.raw.socket.destroy(),
      lastEventId: typeof lastEventId === 'string' && lastEventId !== '' ? lastEventId : undefined,
    };
    const quick = request.method === 'POST' ? await quickQueries.answer(request, caller) : null;
    if (quick !== null) return reply.type(quick.type).send(quick.body);
    return gateway.handleNodeRequestAndResponse(request, reply, { ...caller });
  };
  app.route({ method: 'POST', url: '/graphql', handler });
  const onSocket = webSocketHandler(parts, gateway, log);
  app.route({
    method: 'GET',
    url: '/graphql',
    handler,
    wsHandler(socket, request) {
      if (parts.tail.isStopped) sayGoodbye(socket);
      else {
        writeTogether(socket, request.raw.socket);
        onSocket.call(this, socket, request);
      }
    },
  });
}

/** The types of a body that Yoga reads; it answers others without a word. */
const CONTENT_TYPES = ['application/json', 'application/graphql', 'application/x-www-form-urlencoded'];

function checkContentType(header: string | undefined): void {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (CONTENT_TYPES.includes(type)) return;
  const message = `Content-Type is ${JSON.stringify(type)}; accepted is ${CONTENT_TYPES.join(', ')}`;
  throw Object.assign(new Error(message), { statusCode: 415 });
}

async function refuse(parts: Parts, request: FastifyRequest, reply: FastifyReply) {
  const wait = await parts.countRefusal(request);
  if (wait !== null) reply.header('retry-after', wait);
  const message = 'Credentials are missing or wrong: send Authorization: Basic (key and secret) or Bearer key.secret.';
  return reply.code(401).send({ errors: [{ message, extensions: { code: 'UNAUTHENTICATED' } }] });
}

type SocketExtra = { caller?: Caller };

function webSocketHandler(parts: Parts, gateway: Gateway, log: Logger) {
  return makeHandler<{ authorization?: unknown }, SocketExtra>(
    {
      connectionInitWaitTimeout: INIT_TIMEOUT_MS,
      // False closes the socket with 4403: Forbidden.
      onConnect: async ({ connectionParams, extra }) => {
        const given = connectionParams?.authorization ?? extra.request.headers.authorization;
        const header = typeof given === 'string' ? given : undefined;
        const identity = await parts.credentials.ofHeader(header);
        if (identity === null) {
          await parts.countRefusal(extra.request);
          return false;
        }
        const { viewer, apiKeyId } = identity;
        extra.caller = { viewer, apiKeyId };
        const release = parts.guard.watch({ apiKeyId, role: viewer.role }, () => {
          // What still comes over the socket before it is closed is nobody's.
          delete extra.caller;
          closeForGood(extra.socket, CloseCode.Unauthorized, 'the key was revoked, or its user has other rights now');
        });
        extra.socket.once('close', release);
        // It may have been closed while the credentials were looked up.
        if (extra.socket.readyState !== extra.socket.OPEN) release();
        return true;
      },
      onSubscribe: async ({ extra }, _id, { query, variables, operationName }) => {
        if (extra.caller === undefined) return [unauthenticated('the key was revoked')];
        const enveloped = gateway.getEnveloped(extra.caller as never);
        const document = parseOperation(enveloped.parse, query);
        if (document instanceof GraphQLError) return [document];
        const errors = enveloped.validate(enveloped.schema, document);
        if (errors.length > 0) return errors.map(withCode);
        return {
          schema: enveloped.schema,
          document,
          operationName: operationName ?? null,
          variableValues: variables ?? null,
          contextValue: await enveloped.contextFactory(),
          rootValue: { execute: enveloped.execute, subscribe: enveloped.subscribe },
        } as ExecutionArgs;
      },
      execute: (args) => (args.rootValue as EnvelopedRoot).execute(args),
      subscribe: (args) => (args.rootValue as EnvelopedRoot).subscribe(args),
      onError: (_context, _id, _payload, errors) => {
        log.debug({ errors }, 'an operation was refused');
        return errors.map((error) => (error instanceof GraphQLError ? withoutHttp(withCode(error)) : error));
      },
    },
    PING_MS,
  );
}

/** What says which status an error has over HTTP means nothing here. */
function withoutHttp(error: GraphQLError) {
  const { extensions: { http: _, ...extensions } = {}, ...shown } = error.toJSON();
  return { ...shown, extensions };
}

interface EnvelopedRoot {
  execute: (args: ExecutionArgs) => never;
  subscribe: (args: ExecutionArgs) => never;
}

function parseOperation<Document>(parse: (query: string) => Document, query: string): Document | GraphQLError {
  try {
    return parse(query);
  } catch (error) {
    if (error instanceof GraphQLError) return withCode(error);
    throw error;
  }
}
