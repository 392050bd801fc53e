import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { type ExecutionArgs, type ExecutionResult, GraphQLError, type subscribe } from 'graphql';
import { CloseCode } from 'graphql-ws';
import { type Extra, makeHandler } from 'graphql-ws/use/@fastify/websocket';
import type { WebSocket } from 'ws';
import type { Identity } from '../../credentials/credentials.ts';
import { Fault, unauthenticated } from '../../lib/faults.ts';
import { toGraphQLError } from '../../schema/errors.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import { ownAuthorization } from '../credential-throttle.ts';
import type { Services } from '../services.ts';
import { setOperation } from '../traced.ts';
import type { Caller, Gateway } from './caller.ts';
import { withCode } from './errors.ts';
import { countOperation, type OperationInfo } from './operation-names.ts';
import { operationIdOf } from './persisted-operations.ts';
import { CLOSE_WITHIN_MS } from './sockets.ts';

/**
 * A client that has not answered a ping when the next is due is disconnected; with a shorter silence it may just be
 * busy.
 */
const PING_MS = 35_000;
const INIT_TIMEOUT_MS = 5_000;
const MAX_MESSAGE_BYTES = 10 * 1024 * 1024;
/** How much a socket may send before it is authenticated. */
const MAX_UNKNOWN_BYTES = 64 * 1024;
/** Typed as `object` because the types of ws do not have closeTimeout yet. */
export const SOCKET_OPTIONS: object = { maxPayload: MAX_MESSAGE_BYTES, closeTimeout: CLOSE_WITHIN_MS };

type SocketExtra = { caller?: Caller };

/** Serves the sockets of `/graphql` (graphql-transport-ws). */
export function webSocketHandler(services: Services, gateway: Gateway) {
  return makeHandler<{ authorization?: unknown }, SocketExtra>(
    {
      connectionInitWaitTimeout: INIT_TIMEOUT_MS,
      // False closes the socket with 4403: Forbidden.
      onConnect: async ({ connectionParams, extra }) => {
        const given = connectionParams?.authorization ?? ownAuthorization(extra.request);
        const header = typeof given === 'string' ? given : undefined;
        const identity = await services.credentialThrottle.checkHeader(extra.request, services.credentials, header);
        if ('status' in identity) return false;
        introductions.get(extra.socket)?.();
        watchSocket(services, extra, identity);
        return true;
      },
      onSubscribe: async ({ extra }, _id, { query, variables, operationName, extensions }) => {
        if (extra.caller === undefined) return [toGraphQLError(unauthenticated('the key was revoked'))];
        const operationInfo: OperationInfo = {};
        const caller = { ...extra.caller, operationInfo };
        const enveloped = gateway.getEnveloped(caller as never);
        const document = parseOperation(enveloped.parse, () => {
          const id = operationIdOf({ extensions });
          const { operations } = services;
          return query === '' && id !== undefined && operations !== undefined ? operations.textOf(id) : query;
        });
        if (document instanceof GraphQLError) return [document];
        const errors = enveloped.validate(enveloped.schema, document);
        if (errors.length > 0) return errors.map(withCode);
        // Before the context is created, which copies the span and the log of the caller.
        if (services.tracing !== null) beginOperation(services.tracing, caller, extra.request);
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
              countOperation(services.metrics, operationInfo, begin);
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
        extra.request.log.debug({ errors }, 'operation refused');
        return errors.map((error) => (error instanceof GraphQLError ? withoutHttp(withCode(error)) : error));
      },
    },
    PING_MS,
  );
}

/**
 * Disconnects a socket that sends more than MAX_UNKNOWN_BYTES before it is authenticated: ws buffers a message in
 * memory until it is complete. Must be called when the socket opens.
 */
export function boundUnknown(socket: WebSocket, raw: Socket): void {
  const opened = raw.bytesRead;
  const count = () => {
    if (raw.bytesRead - opened > MAX_UNKNOWN_BYTES) socket.terminate();
  };
  raw.on('data', count);
  introductions.set(socket, () => raw.off('data', count));
}

/** What to do once a socket is authenticated. */
const introductions = new WeakMap<WebSocket, () => void>();

/** Starts the span of an operation, in the trace that the request that opened the socket named, if any. */
function beginOperation(tracing: Tracing, caller: Caller, { id, headers }: FastifyRequest): void {
  caller.span = tracing.request('WebSocket /graphql', headers.traceparent, { 'slotkeeper.request.id': id });
  caller.log = caller.log.child({ traceId: caller.span.traceId });
}

function endOperation({ span, operationInfo }: Caller): void {
  if (span === null) return;
  setOperation(span, operationInfo ?? {});
  span.end();
}

/** Authenticates a socket until the rights of its caller change. Closes it if the key has too many open. */
function watchSocket({ guard }: Services, extra: SocketExtra & Extra, { viewer, apiKeyId, apiKey }: Identity): void {
  const { socket } = extra;
  try {
    const release = guard.watch({ apiKeyId, role: viewer.role }, () => {
      // Messages that arrive before the socket is closed have no caller any more.
      delete extra.caller;
      socket.close(CloseCode.Unauthorized, 'the key was revoked, or its user was disabled or got another role');
    });
    const { id: requestId, log, ip: origin } = extra.request;
    extra.caller = { requestId, log, span: null, viewer, apiKeyId, apiKey, origin };
    socket.once('close', release);
    // It may have been closed while the credentials were looked up.
    if (socket.readyState !== socket.OPEN) release();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    socket.close(CloseCode.TooManyInitialisationRequests, error.message);
  }
}

/** Removes the HTTP status of an error, which means nothing on a WebSocket. */
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
