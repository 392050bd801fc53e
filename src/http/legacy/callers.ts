// Who calls the old API. The caller of a long body is authenticated before the body is read, so that unknown callers
// cannot make the server read megabytes.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Identity } from '../../credentials/credentials.ts';
import { type CallAddress, type LegacyCredentials, ParsedCall, parseAddress } from '../../legacy/parsed-call.ts';
import { ownAuthorization, type Refusal } from '../credential-throttle.ts';
import type { Services } from '../services.ts';
import { readHead, unread, withHead } from '../unread-body.ts';

/** PHP's post_max_size on the old server. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** How much of a body, which may contain the credentials, is read before the caller is known. */
const MAX_UNKNOWN_BODY_BYTES = 64 * 1024;

/** What was found out about a request with a long body before the body was read. */
interface EarlyFinding {
  address: CallAddress;
  identity: Identity | Refusal;
}

const early = new WeakMap<FastifyRequest, EarlyFinding>();

/** Authenticates the caller of a longer body by its query or header alone. If refused, the body is left unread. */
export function findCallersOfLongBodies(app: FastifyInstance, services: Services): void {
  app.addHook('preParsing', async (request, _reply, payload) => {
    if (request.method === 'GET' || request.method === 'HEAD') return payload;
    // Too long for any caller: Fastify refuses it by its Content-Length.
    if (Number(request.headers['content-length']) > MAX_BODY_BYTES) return payload;
    const head = await readHead(payload, MAX_UNKNOWN_BODY_BYTES);
    if (head.isAll) return withHead(request, head, payload);
    const address = parseAddress(request.raw.url ?? '');
    const identity = await findCaller(services, request, address.credentials);
    early.set(request, { address, identity });
    return 'status' in identity ? unread(request, payload) : withHead(request, head, payload);
  });
}

/**
 * The call of a request whose body was read, with its caller or why it is refused. `apiKey` is the key that it names.
 */
export async function readCall(
  services: Services,
  request: FastifyRequest,
): Promise<{ call: ParsedCall; apiKey: string | null; identity: Identity | Refusal }> {
  const found = early.get(request);
  const address = found?.address ?? parseAddress(request.raw.url ?? '');
  const call = new ParsedCall(address, {
    method: request.method,
    contentType: request.headers['content-type'],
    body: Buffer.isBuffer(request.body) ? request.body : null,
  });
  if (found !== undefined) return { call, apiKey: address.credentials.apiKey, identity: found.identity };
  const credentials = await call.credentials();
  return { call, apiKey: credentials.apiKey, identity: await findCaller(services, request, credentials) };
}

/** If there is a hash, it alone decides and the Authorization header is ignored. */
export async function findCaller(
  { credentials, credentialThrottle }: Services,
  request: FastifyRequest,
  { apiKey, hash, signed }: LegacyCredentials,
): Promise<Identity | Refusal> {
  if (hash === null) return credentialThrottle.checkHeader(request, credentials, ownAuthorization(request));
  return credentialThrottle.checkSignature(request, apiKey, async () =>
    apiKey === null ? null : credentials.ofSignature(apiKey, signed, hash),
  );
}
