// The door of the old API: its routes, its authentication, and the envelope that executes its documents.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type DocumentNode, parse } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Identity } from '../../credentials/credentials.ts';
import { handleLegacyCall, type LegacyAnswer, type ReplyStore } from '../../legacy/adapter.ts';
import type { GraphQLErrorLike } from '../../legacy/failures.ts';
import { LEGACY_PATH } from '../../legacy/openapi.ts';
import type { ParsedCall } from '../../legacy/parsed-call.ts';
import { faultOf } from '../../schema/errors.ts';
import type { Span } from '../../tracing/tracing.ts';
import type { Caller, Gateway } from '../graphql/caller.ts';
import { UNEXPECTED } from '../graphql/errors.ts';
import type { Services } from '../services.ts';
import { traced } from '../traced.ts';
import { findCallersOfLongBodies, MAX_BODY_BYTES, readCall } from './callers.ts';
import { legacyDescription } from './description.ts';
import { sendError, sendRefusal, sendReply } from './replies.ts';

interface LegacyServices extends Services {
  gateway: Gateway;
  repliesOf(userId: number): ReplyStore;
  /** The reply of getTasks: the cached one if nothing has changed, else what `build` returns. */
  taskList(build: () => Promise<string>): Promise<string>;
  /** Counts a call of an action by a key. */
  countCall(apiKeyId: number, action: string): void;
}

/** The old endpoint, at its path and under each LEGACY_PREFIX. It never redirects: the old client does not follow. */
export async function legacyDoor(app: FastifyInstance, services: LegacyServices): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (_request, body, done) =>
    done(null, body),
  );
  // What Fastify refuses by itself, such as a body that is too large, is answered with an envelope and 200 as well.
  app.setErrorHandler((error: { message: string; statusCode?: number }, request, reply) => {
    const known = error.statusCode !== undefined && error.statusCode < 500;
    if (!known) request.log.error({ err: error }, 'old call failed unexpectedly');
    return sendError(reply, services, known ? error.message : UNEXPECTED);
  });
  findCallersOfLongBodies(app, services);
  legacyDescription(app, services);
  const handler = traced(services.tracing, 'api.php', (request, reply, span) => answer(services, request, reply, span));
  for (const prefix of ['', ...services.settings.LEGACY_PREFIX]) {
    const path = `${prefix}${LEGACY_PATH}`;
    for (const url of [path, `${path}/`, `/${path}`, `/${path}/`]) {
      app.route({
        method: ['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'],
        url,
        handler,
      });
    }
  }
}

async function answer(services: LegacyServices, request: FastifyRequest, reply: FastifyReply, span: Span | null) {
  // Another site can make a browser send this request; scripts and old clients do not send this header.
  if (request.headers['sec-fetch-site'] === 'cross-site') {
    return sendError(reply, services, 'Cross-site calls from a browser are refused.');
  }
  const begin = performance.now();
  const { call, apiKey, identity } = await readCall(services, request);
  const log = (action: string | null, outcome: string, shownKey: string | null) => {
    const milliseconds = Math.round(performance.now() - begin);
    if (span !== null) nameCall(span, action, outcome);
    request.log.info({ apiKey: shownKey, action, outcome, milliseconds }, 'old call');
  };
  if ('status' in identity) {
    log(null, 'unauthenticated', apiKey?.slice(0, SHOWN_KEY_LENGTH) ?? null);
    return sendRefusal(reply, services, identity);
  }
  try {
    const { body, action, isSuccess } = await answerCaller(services, identity, request, call, span);
    services.countCall(identity.apiKeyId, action ?? UNKNOWN_ACTION);
    log(action, isSuccess ? 'success' : 'error', identity.apiKey);
    services.metrics.request('legacy', action ?? UNKNOWN_ACTION, !isSuccess, begin);
    return sendReply(reply, services, body);
  } catch (error) {
    log(null, 'fault', identity.apiKey);
    services.metrics.request('legacy', UNKNOWN_ACTION, true, begin);
    throw error;
  }
}

/** Names the span by an action of the table, never by other text that the caller sent. */
function nameCall(span: Span, action: string | null, outcome: string): void {
  span.rename(action === null ? 'api.php' : `api.php ${action}`);
  span.set({ 'slotkeeper.outcome': outcome });
}

/** How much of an unknown key is logged, so that callers cannot fill the log. */
const SHOWN_KEY_LENGTH = 64;
/** The label for calls of an action that is not in the table. */
const UNKNOWN_ACTION = 'unknown';

function answerCaller(
  services: LegacyServices,
  { viewer, apiKeyId, apiKey }: Identity,
  request: FastifyRequest,
  call: ParsedCall,
  span: Span | null,
): Promise<LegacyAnswer> {
  const key = request.headers['idempotency-key'];
  const { id: requestId, log, ip: origin } = request;
  return handleLegacyCall(call, {
    timeZone: services.settings.TIME_ZONE,
    executeTimeoutSeconds: services.settings.LEGACY_EXECUTE_TIMEOUT,
    idempotencyKey: typeof key === 'string' ? key : undefined,
    replies: services.repliesOf(viewer.id),
    taskList: services.taskList,
    execute: (document, variables) =>
      execute(services.gateway, { requestId, log, span, viewer, apiKeyId, apiKey, origin }, document, variables),
  });
}

/** The parsed documents of the actions; their texts are our own. */
const documents = new LRUCache<string, DocumentNode>({ max: 100, memoMethod: (text) => parse(text) });

/** Executes in process, through the same envelope as every other operation. */
async function execute(gateway: Gateway, caller: Caller, document: string, variables: Record<string, unknown>) {
  const enveloped = gateway.getEnveloped(caller as never);
  const result = await enveloped.execute({
    schema: enveloped.schema,
    document: documents.memo(document),
    variableValues: variables,
    contextValue: await enveloped.contextFactory(),
  });
  const { data, errors } = result as { data?: unknown; errors?: readonly GraphQLErrorLike[] };
  return {
    data,
    errors: errors?.map((error) => ({
      message: error.message,
      extensions: error.extensions,
      reason: faultOf(error)?.reason,
    })),
  };
}
