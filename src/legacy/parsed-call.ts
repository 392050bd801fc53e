// A parsed call of the old API. It is passed on as a whole, so that nothing is parsed twice.
import { type Body, classifyBody, readBody } from './body.ts';
import { LegacyError } from './legacy-error.ts';
import { type BytePair, lastTextOf, pairsOf, phpArrayOf } from './php/query.ts';
import { PhpArray } from './php/value.ts';
import { splitSignedQuery } from './signature.ts';

export interface LegacyCredentials {
  apiKey: string | null;
  /** As sent, for signatureMatches. If present, it alone authenticates the call. */
  hash: string | null;
  /** The text that the hash signs. */
  signed: string;
}

/** The parts of a call's address, which are known before its body arrives. */
export interface CallAddress {
  /** The parameters of the signed part of the query; others are ignored. */
  pairs: readonly BytePair[];
  /** Those in the query. */
  credentials: LegacyCredentials;
}

/** `url` is the target of the request, as sent. */
export function parseAddress(url: string): CallAddress {
  const mark = url.indexOf('?');
  const { signed, hash } = splitSignedQuery(mark === -1 ? '' : url.slice(mark + 1));
  const pairs = [...pairsOf(signed)];
  return { pairs, credentials: { apiKey: lastTextOf(pairs, 'apiKey'), hash, signed } };
}

/**
 * The target of the description. A URL signed for it can call nothing else, since the query's target precedes the
 * body's.
 */
const DESCRIPTION_TARGET = 'docs';

/** Whether the signed part, if there is one, is the address of the description. */
export function mayReadDescription({ pairs, credentials }: CallAddress): boolean {
  return credentials.hash === null || lastTextOf(pairs, 'target') === DESCRIPTION_TARGET;
}

/** Parameters of the query that a body, which is not signed, cannot override. */
const QUERY_FIRST = ['target', 'action', 'apiKey', 'hash'];

/**
 * A call whose body has come. The body is parsed when something in it is first asked for, and no more than once: one whose
 * query has the credentials is not parsed before they are found to be right.
 */
export class ParsedCall {
  readonly method: string;
  readonly #address: CallAddress;
  readonly #body: Body;
  #bodyParameters: Promise<PhpArray> | undefined;

  /** `body` as sent, null if there is none; `contentType` is its header. */
  constructor(
    address: CallAddress,
    { method, contentType, body }: { method: string; contentType: string | undefined; body: Buffer | null },
  ) {
    this.method = method;
    this.#address = address;
    // PHP fills $_POST for POST only.
    this.#body = classifyBody(method === 'POST' ? body : null, contentType);
  }

  /** The credentials of the call, the query's before the body's. A body that cannot be read has none. */
  async credentials(): Promise<LegacyCredentials> {
    const { apiKey, hash, signed } = this.#address.credentials;
    if (apiKey !== null && hash !== null) return this.#address.credentials;
    const body = await this.#readBody().catch((error: unknown) => {
      if (error instanceof LegacyError) return new PhpArray();
      throw error;
    });
    return { apiKey: apiKey ?? textOf(body, 'apiKey'), hash: hash ?? textOf(body, 'hash'), signed };
  }

  /** The parameters of the query, overridden by those of the body. Throws LegacyError if they cannot be read. */
  async parameters(): Promise<PhpArray> {
    const parameters = phpArrayOf(this.#address.pairs);
    for (const [name, value] of await this.#readBody()) {
      if (!(QUERY_FIRST.includes(name) && parameters.has(name))) parameters.set(name, value);
    }
    return parameters;
  }

  #readBody(): Promise<PhpArray> {
    this.#bodyParameters ??= readBody(this.#body);
    return this.#bodyParameters;
  }
}

function textOf(parameters: PhpArray, name: string): string | null {
  const value = parameters.get(name);
  return typeof value === 'string' ? value : null;
}
