import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { MS_PER_MINUTE } from '../calendar/repeat-rule.ts';
import { type Credentials, type Identity, parseAuthorization } from '../credentials/credentials.ts';
import type { KeyUse } from '../credentials/key-use.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** Calls with wrong credentials that an address, or a key wherever they come from, may have in a minute. */
const REFUSALS_A_MINUTE = 30;
/** Addresses and keys that are counted. */
const MAX_COUNTED = 10_000;
/** Pairs of a key and an address that have been let in. */
const MAX_KNOWN = 10_000;

/** Why a call is not let in. */
export interface Refusal {
  status: 401 | 429;
  headers: Record<string, string>;
  message: string;
}

/** One for all doors of a server. */
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
 * Keeps those out who guess. After too many wrong credentials in a minute an address, or for IPv6 its network, is refused
 * unread for the rest of it, and so is a key, wherever it is sent from. A key that came in from an address before is judged
 * apart from both, by its own failures there: many may call from one address, keys are no secret, and whoever sends wrong
 * ones must not be able to lock out those who send right ones. Each process counts for itself.
 */
export class CredentialThrottle {
  readonly #byAddress: Limit;
  readonly #byKey: Limit;
  readonly #byBoth: Limit;
  readonly #keys = new WeakMap<FastifyRequest, string>();
  readonly #known = new LRUCache<string, true>({ max: MAX_KNOWN });
  readonly #metrics: Metrics;
  readonly #keyUse: KeyUse;
  /** While nobody was refused lately, there is nothing to look up. */
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

  /** Who calls, by an Authorization header; or why they are refused. */
  checkHeader(request: FastifyRequest, credentials: Credentials, header: string | undefined) {
    const given = parseAuthorization(header);
    if (given === null) return this.check(request, null, async () => null);
    return this.check(request, given.key, () => credentials.ofKeyAndSecret(given));
  }

  /**
   * The same for an old call that is signed. One that is signed rightly is let in whatever came before: its sender, who is
   * not there to try again, must not depend on who else knows their key. Guessing gains nothing by it, since whoever has
   * seen one signed address can try secrets on it at home.
   */
  async checkSignature(request: FastifyRequest, key: string | null, find: () => Promise<Identity | null>) {
    const identity = await find();
    return identity === null ? this.check(request, key, async () => null) : this.#letIn(request, key, identity);
  }

  /** The same as `find` finds, by the key that the call names. */
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

  /** What a call with wrong credentials counts for, and what is looked at before they are. */
  #limitsOf(request: FastifyRequest, key: string | null): Limit[] {
    if (key === null) return [this.#byAddress];
    this.#keys.set(request, key);
    return this.#known.has(placeOf(request, key)) ? [this.#byBoth] : [this.#byAddress, this.#byKey];
  }
}

/**
 * The Authorization header, but for a request that a page of another site made a browser send: that would carry what the
 * browser has for this server, whatever the page's author may do here. Scripts and clients send no such mark.
 */
export function ownAuthorization({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  return headers['sec-fetch-site'] === 'cross-site' ? undefined : headers.authorization;
}

function placeOf(request: FastifyRequest, key: string): string {
  return `${request.ip} ${key}`;
}

/** The seconds until the limit lets anybody in again; 0 where it does. */
async function secondsLeft(limit: Limit, request: FastifyRequest): Promise<number> {
  const found = await limit(request, { increment: false });
  return found.isAllowed || found.remaining > 0 ? 0 : Math.max(1, found.ttlInSeconds);
}
