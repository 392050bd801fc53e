import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type DocumentNode, parse } from 'graphql';
import type { Identity } from '../credentials/credentials.ts';
import {
  handleLegacyCall,
  type KeptReplies,
  type LegacyAnswer,
  type LegacyCredentials,
  type LegacyRequest,
  mayReadDescription,
  readLegacyCredentials,
  readQueryCredentials,
} from '../legacy/adapter.ts';
import type { GraphQLErrorLike } from '../legacy/failures.ts';
import { describeLegacyApi, LEGACY_PATH } from '../legacy/openapi.ts';
import { legacyApiPage } from '../legacy/page.ts';
import { errorReply } from '../legacy/reply.ts';
import { BoundedCache } from '../lib/bounded-cache.ts';
import type { Span } from '../tracing/tracing.ts';
import { UNEXPECTED } from './errors.ts';
import type { Caller, Gateway } from './graphql.ts';
import type { Parts } from './parts.ts';
import { ownAuthorization, type Refusal } from './refusals.ts';
import { traced } from './traced.ts';
import { readHead, unread, withHead } from './unread-body.ts';

/** PHP's post_max_size on the old server. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

export interface LegacyParts extends Parts {
  gateway: Gateway;
  repliesOf(userId: number): KeptReplies;
  /** The reply of getTasks: what `build` builds, or the last one where that would be the same. */
  taskList(build: () => Promise<string>): Promise<string>;
  /** Counts a call of an action by a key. */
  countCall(apiKeyId: number, action: string): void;
}

/** The old endpoint, under its path and every prefix of LEGACY_PREFIX. It never redirects: the old client does not follow. */
export async function legacyPlugin(app: FastifyInstance, parts: LegacyParts): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (_request, body, done) =>
    done(null, body),
  );
  // What Fastify refuses by itself (a body that is too large) is an envelope and a 200 as well.
  app.setErrorHandler((error: { message: string; statusCode?: number }, request, reply) => {
    const known = error.statusCode !== undefined && error.statusCode < 500;
    if (!known) request.log.error({ err: error }, 'an old call failed unexpectedly');
    return send(reply, parts, known ? error.message : UNEXPECTED);
  });
  readCallersFirst(app, parts);
  describe(app, parts);
  const handler = traced(parts.tracing, 'api.php', (request, reply, span) => answer(parts, request, reply, span));
  for (const prefix of ['', ...parts.settings.LEGACY_PREFIX]) {
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

/** What is read of a body, which may have the credentials in it, before anybody knows whose it is. */
const MAX_UNKNOWN_BODY_BYTES = 64 * 1024;

/** Of a longer body the caller is known before, by the query or the header: nobody else makes us keep and read megabytes. */
function readCallersFirst(app: FastifyInstance, parts: LegacyParts): void {
  app.addHook('preParsing', async (request, _reply, payload) => {
    if (request.method === 'GET' || request.method === 'HEAD') return payload;
    // Too long for anybody, which Fastify tells by what the request states.
    if (Number(request.headers['content-length']) > MAX_BODY_BYTES) return payload;
    const head = await readHead(payload, MAX_UNKNOWN_BODY_BYTES);
    if (head.isAll || !('status' in (await admit(parts, request)))) return withHead(request, head, payload);
    return unread(request, payload);
  });
}

/** Callers of long bodies. */
const admitted = new WeakMap<FastifyRequest, Identity | Refusal>();

async function admit(parts: LegacyParts, request: FastifyRequest): Promise<Identity | Refusal> {
  const identity = await findCaller(parts, request, readQueryCredentials(readCall(request).rawQuery));
  admitted.set(request, identity);
  return identity;
}

const SIGN_FOR_DESCRIPTION = 'Authentication failed: an address of the description is signed with target=docs.';

/** What the API is, for machines and for people; a signed address lets a browser in, which sends no header by itself. */
function describe(app: FastifyInstance, parts: LegacyParts): void {
  const serve = (url: string, type: string, text: string) =>
    app.get(url, async (request, reply) => {
      const credentials = readQueryCredentials(readCall(request).rawQuery);
      if (!mayReadDescription(credentials)) return sendBody(reply.code(401), parts, errorReply(SIGN_FOR_DESCRIPTION));
      const identity = await findCaller(parts, request, credentials);
      return 'status' in identity ? refuse(parts, reply, identity) : reply.type(type).send(text);
    });
  serve('/api/v1/openapi.json', 'application/json', JSON.stringify(describeLegacyApi(), null, 2));
  serve('/api/v1/', 'text/html; charset=utf-8', legacyApiPage());
}

async function answer(parts: LegacyParts, request: FastifyRequest, reply: FastifyReply, span: Span | null) {
  // A page of another site can make a browser send this request; a script or an old client sends no such header.
  if (request.headers['sec-fetch-site'] === 'cross-site') {
    return send(reply, parts, 'Calls from pages of other sites are refused.');
  }
  const begin = performance.now();
  const call = readCall(request);
  const known = admitted.get(request);
  const credentials = known === undefined ? await readLegacyCredentials(call) : readQueryCredentials(call.rawQuery);
  const identity = known ?? (await findCaller(parts, request, credentials));
  const log = (action: string | null, outcome: string, apiKey = credentials.apiKey?.slice(0, SHOWN_KEY_LENGTH)) => {
    const milliseconds = Math.round(performance.now() - begin);
    if (span !== null) nameCall(span, action, outcome);
    request.log.info({ apiKey: apiKey ?? null, action, outcome, milliseconds }, 'old call');
  };
  if ('status' in identity) {
    log(null, 'unauthenticated');
    return refuse(parts, reply, identity);
  }
  const { apiKey } = identity;
  try {
    const { body, action, isSuccess } = await answerCaller(parts, identity, request, call, span);
    parts.countCall(identity.apiKeyId, action ?? UNKNOWN_ACTION);
    log(action, isSuccess ? 'success' : 'error', apiKey);
    parts.metrics.request('legacy', action ?? UNKNOWN_ACTION, !isSuccess, begin);
    return sendBody(reply, parts, body);
  } catch (error) {
    log(null, 'fault', apiKey);
    parts.metrics.request('legacy', UNKNOWN_ACTION, true, begin);
    throw error;
  }
}

/** An action of the table, never what was sent in its place. */
function nameCall(span: Span, action: string | null, outcome: string): void {
  span.rename(action === null ? 'api.php' : `api.php ${action}`);
  span.set({ 'slotkeeper.outcome': outcome });
}

/** Of a key that nobody has, so that the log is not filled with what anyone sends. */
const SHOWN_KEY_LENGTH = 64;
/** What a call of no action of the table is counted as. */
const UNKNOWN_ACTION = 'unknown';

function answerCaller(
  parts: LegacyParts,
  { viewer, apiKeyId, apiKey }: Identity,
  request: FastifyRequest,
  call: LegacyRequest,
  span: Span | null,
): Promise<LegacyAnswer> {
  const key = request.headers['idempotency-key'];
  const { id: requestId, log, ip: origin } = request;
  return handleLegacyCall({
    ...call,
    timeZone: parts.settings.TIME_ZONE,
    executeTimeoutSeconds: parts.settings.LEGACY_EXECUTE_TIMEOUT,
    idempotencyKey: typeof key === 'string' ? key : undefined,
    replies: parts.repliesOf(viewer.id),
    taskList: parts.taskList,
    execute: (document, variables) =>
      execute(parts.gateway, { requestId, log, span, viewer, apiKeyId, apiKey, origin }, document, variables),
  });
}

/** 401 is the one status but 200 that the old client understands. */
function refuse(parts: Parts, reply: FastifyReply, { status, headers, message }: Refusal) {
  const why = status === 429 ? message : 'apiKey and hash are missing or wrong.';
  return sendBody(reply.code(401).headers(headers), parts, errorReply(`Authentication failed: ${why}`));
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
async function findCaller(
  { credentials, refusals }: Parts,
  request: FastifyRequest,
  { apiKey, hash, signed }: LegacyCredentials,
): Promise<Identity | Refusal> {
  if (hash === null) return refusals.checkHeader(request, credentials, ownAuthorization(request));
  return refusals.checkSignature(request, apiKey, async () =>
    apiKey === null ? null : credentials.ofSignature(apiKey, signed, hash),
  );
}

/** The documents of the actions, which are ours. */
const documents = new BoundedCache<string, DocumentNode>(100);

/** In process, through the envelope that every other operation goes through. */
async function execute(gateway: Gateway, caller: Caller, document: string, variables: Record<string, unknown>) {
  const enveloped = gateway.getEnveloped(caller as never);
  const result = await enveloped.execute({
    schema: enveloped.schema,
    document: documents.get(document, () => parse(document)),
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
