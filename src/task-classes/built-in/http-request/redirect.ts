// Redirects: the rules of the Fetch standard, and stricter ones for secrets.
import { PermanentError } from '../../task-class.ts';
import type { Header } from './headers.ts';
import type { Outgoing, Reply } from './message.ts';
import { readTarget, shownUrl } from './url.ts';

const REDIRECTS = [301, 302, 303, 307, 308];
const CREDENTIALS = new Set(['authorization', 'cookie']);

/**
 * The request that follows, or null for a reply that is no redirect. Credentials go to the origin that they were meant
 * for and to no other. Throws a PermanentError for a redirect that is not followed.
 */
export function nextRequest(sent: Outgoing, { status, headers: { location } }: Reply): Outgoing | null {
  if (!REDIRECTS.includes(status) || location === undefined) return null;
  const text = typeof location === 'string' ? location : (location[0] ?? '');
  const target = readTarget(text, sent.url);
  if (typeof target === 'string')
    throw new PermanentError(`${shownUrl(sent.url)} redirects where no request goes: ${target}.`);
  const hasSecrets = sent.headers.some(({ hasSecret }) => hasSecret);
  if (hasSecrets && sent.url.protocol === 'https:' && target.protocol === 'http:') {
    throw new PermanentError(`${shownUrl(sent.url)} redirects a request with secrets from https to http.`);
  }
  const headers =
    target.origin === sent.url.origin ? sent.headers : sent.headers.filter((header) => !isCredential(header));
  return becomesGet(sent.method, status)
    ? { method: 'GET', url: target, headers: headers.filter(({ name }) => !/^content-/i.test(name)), body: null }
    : { method: sent.method, url: target, headers, body: sent.body };
}

function isCredential({ name, hasSecret }: Header): boolean {
  return hasSecret || CREDENTIALS.has(name.toLowerCase());
}

function becomesGet(method: string, status: number): boolean {
  if (status === 303) return method !== 'GET' && method !== 'HEAD';
  return (status === 301 || status === 302) && method === 'POST';
}
