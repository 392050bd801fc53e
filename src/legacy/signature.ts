// Who signs a call of the old API: HASH is the base64 of HMAC-SHA256(secret, signed part of the query string).
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface SignedQuery {
  /** The bytes that the hash is over, which are also the only ones that parameters are read from. */
  signed: string;
  /** Still as sent, URL-encoded or not; null where the query has none. */
  hash: string | null;
}

const MARK = '&hash=';
const FIRST_MARK = 'hash=';

/**
 * Takes a query string (without its `?`) apart at the first `&hash=`; whatever follows that value counts for nothing. Node
 * keeps a `#...` in the URL, which PHP never sees. A `hash=` that begins the query signs the empty string: no part of such
 * a call is signed, so none of it is read. Any other spelling (`Hash=`, `%68ash=`, `hash[]=`) is a parameter like others.
 */
export function splitSignedQuery(rawQuery: string): SignedQuery {
  const [query = ''] = rawQuery.split('#', 1);
  if (query.startsWith(FIRST_MARK)) return { signed: '', hash: valueAt(query, FIRST_MARK.length) };
  const mark = query.indexOf(MARK);
  if (mark === -1) return { signed: query, hash: null };
  return { signed: query.slice(0, mark), hash: valueAt(query, mark + MARK.length) };
}

function valueAt(query: string, start: number): string {
  return query.slice(start).split('&', 1)[0] ?? '';
}

/** The hash of `signed`, in plain base64. */
export function sign(secret: string, signed: string): string {
  return createHmac('sha256', secret).update(signed).digest('base64');
}

/**
 * Whether `hash`, as sent, is that of `signed`: in constant time, base64 raw or URL-encoded, and with blanks where a proxy
 * took a raw `+` for one.
 */
export function signatureMatches(secret: string, signed: string, hash: string): boolean {
  const expected = Buffer.from(sign(secret, signed));
  const given = Buffer.from(decodeHash(hash));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Base64 has no `%` and no blank, so decoding a hash that was sent raw changes nothing. */
function decodeHash(hash: string): string {
  return hash
    .replace(/%([0-7][0-9a-f])/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
    .replaceAll(' ', '+');
}

/**
 * The complete query string for a call, to follow `api.php?`. Characters that have no place in a URL are encoded before
 * they are signed, since the signature is over what is sent.
 */
export function signedQuery(query: string, key: string, secret: string): string {
  const sendable = query.replace(/[^!$-;=?-Z_a-z~]+/gu, encodeURIComponent);
  const signed = `${sendable}${sendable === '' ? '' : '&'}apiKey=${encodeURIComponent(key)}`;
  return `${signed}${MARK}${encodeURIComponent(sign(secret, signed))}`;
}
