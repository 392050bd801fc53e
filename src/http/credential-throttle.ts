import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { MS_PER_MINUTE } from '../calendar/repeat-rule.ts';
import { type Credentials, type Identity, parseAuthorization } from '../credentials/credentials.ts';
import type { KeyUse } from '../credentials/key-use.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** Calls with wrong credentials per minute, for one address or for one key from all addresses. */
const REFUSALS_A_MINUTE = 30;
/** How many addresses and keys are counted at a time. */
const MAX_COUNTED = 10_000;
/** How many accepted pairs of key and address are remembered. */
const MAX_KNOWN = 10_000;

/** Why a call is refused. */
export interface Refusal {
  status: 401 | 429;
  headers: Record<string, string>;
  message: string;
}

/** Creates the throttle that all doors of a server share. */
export async function createCredentialThrottle(
  app: FastifyInstance,
  metrics: Metrics,
  keyUse: KeyUse,
): Promise<CredentialThrottle> {
  await app.register(rateLimit, { global: false, cache: MAX_COUNTED });
  return new CredentialThrottle(app, metrics, keyUse);
}

type Limit = ReturnType<FastifyInstance['createRateLimit']>;

/**
 * Stops callers that guess credentials. After too many wrong ones in a minute, an address (for IPv6 its network) is
 * refused for the rest of that minute without a look at its credentials, and so is a key, from any address. A key that
 * was accepted from an address before is counted separately, by its failures from that address alone: many users may
 * share an address and keys are not secret, so wrong credentials must not lock out callers with right ones. Each
 * process counts for itself.
 */
export class CredentialThrottle {
  readonly #byAddress: Limit;
  readonly #byKey: Limit;
  readonly #byBoth: Limit;
  readonly #keys = new WeakMap<FastifyRequest, string>();
  readonly #known = new LRUCache<string, true>({ max: MAX_KNOWN });
  readonly #metrics: Metrics;
  readonly #keyUse: KeyUse;
  /** Without a refusal in the last minute the limits need no lookup. */
  #lastRefusal = Number.NEGATIVE_INFINITY;

  constructor(app: FastifyInstance, metrics: Metrics, keyUse: KeyUse) {
    const rule = { max: REFUSALS_A_MINUTE, timeWindow: MS_PER_MINUTE };
    const keyOf = (request: FastifyRequest) => this.#keys.get(request) ?? '';
    this.#metrics = metrics;
    this.#keyUse = keyUse;
    this.#byAddress = app.createRateLimit(rule);
    this.#byKey = app.createRateLimit({ ...rule, keyGenerator: (request) => `key ${keyOf(request)}` });
    this.#byBoth = app.createRateLimit({
      ...rule,
      keyGenerator: (request) => `both ${placeOf(request, keyOf(request))}`,
    });
  }

  /** The caller that an Authorization header identifies, or why the call is refused. */
  checkHeader(request: FastifyRequest, credentials: Credentials, header: string | undefined) {
    const given = parseAuthorization(header);
    if (given === null) return this.check(request, null, async () => null);
    return this.check(request, given.key, () => credentials.ofKeyAndSecret(given));
  }

  /**
   * The same for a signed call of the old API. A valid signature is always accepted, whatever failed before: old
   * callers do not retry, so others who know their key must not be able to block them. This does not help to guess a
   * secret, since a signed URL is enough to try secrets offline.
   */
  async checkSignature(request: FastifyRequest, key: string | null, find: () => Promise<Identity | null>) {
    const identity = await find();
    return identity === null ? this.check(request, key, async () => null) : this.#letIn(request, key, identity);
  }

  /** The identity that `find` returns, unless the address or `key`, the key that the call names, is throttled. */
  async check(
    request: FastifyRequest,
    key: string | null,
    find: () => Promise<Identity | null>,
  ): Promise<Identity | Refusal> {
    const wait = await this.#secondsToWait(request, key);
    if (wait > 0) {
      this.#metrics.refused();
      const message = `Too many calls with wrong credentials; try again in ${wait} seconds.`;
      return { status: 429, headers: { 'retry-after': String(wait) }, message };
    }
    const identity = await find();
    return identity === null ? this.#refuse(request, key) : this.#letIn(request, key, identity);
  }

  #letIn(request: FastifyRequest, key: string | null, identity: Identity): Identity {
    if (key !== null) this.#known.set(placeOf(request, key), true);
    this.#keyUse.note(identity.apiKeyId);
    return identity;
  }

  async #refuse(request: FastifyRequest, key: string | null): Promise<Refusal> {
    this.#metrics.refused();
    this.#lastRefusal = performance.now();
    for (const limit of this.#limitsOf(request, key)) await limit(request);
    const message =
      'Credentials are missing or wrong: send Authorization: Basic (key and secret) or Bearer key.secret.';
    return { status: 401, headers: {}, message };
  }

  async #secondsToWait(request: FastifyRequest, key: string | null): Promise<number> {
    if (performance.now() - this.#lastRefusal > MS_PER_MINUTE) return 0;
    const waits = await Promise.all(this.#limitsOf(request, key).map((limit) => secondsLeft(limit, request)));
    return Math.max(...waits);
  }

  /** The limits that wrong credentials of this call count for, and that are checked before its credentials. */
  #limitsOf(request: FastifyRequest, key: string | null): Limit[] {
    if (key === null) return [this.#byAddress];
    this.#keys.set(request, key);
    return this.#known.has(placeOf(request, key)) ? [this.#byBoth] : [this.#byAddress, this.#byKey];
  }
}

/**
 * The Authorization header, except for a cross-site request of a browser: that would carry the credentials that the
 * browser stores for this server on behalf of another site. Scripts and clients send no `Sec-Fetch-Site` header.
 */
export function ownAuthorization({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  return headers['sec-fetch-site'] === 'cross-site' ? undefined : headers.authorization;
}

function placeOf(request: FastifyRequest, key: string): string {
  return `${request.ip} ${key}`;
}

/** Seconds until the limit accepts calls again; 0 if it does now. */
async function secondsLeft(limit: Limit, request: FastifyRequest): Promise<number> {
  const found = await limit(request, { increment: false });
  return found.isAllowed || found.remaining > 0 ? 0 : Math.max(1, found.ttlInSeconds);
}
