// Which part of a query string is signed, and signed query strings for clients; see `src/credentials/signature.ts`.
import { sign } from '../credentials/signature.ts';

interface SignedQuery {
  /** The bytes that the hash is over, which are also the only ones that parameters are read from. */
  signed: string;
  /** As sent, URL-encoded or not; null if the query has none. */
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

/**
 * The complete query string for a call, to follow `api.php?`. Characters that have no place in a URL are encoded before
 * they are signed, since the signature is over what is sent.
 */
export function signedQuery(query: string, key: string, secret: string): string {
  const sendable = query.replace(/[^!$-;=?-Z_a-z~]+/gu, encodeURIComponent);
  const signed = `${sendable}${sendable === '' ? '' : '&'}apiKey=${encodeURIComponent(key)}`;
  return `${signed}${MARK}${encodeURIComponent(sign(secret, signed))}`;
}
