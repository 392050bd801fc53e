// Where a stored secret may be sent: by https to a host, whose certificate proves its identity, or by plain http to an
// origin that is listed as such. Over plain http, anyone who controls the DNS zone or the network in between can answer.
import { isIPv6 } from 'node:net';
import { hostMatches, hostOf, parseHostPattern } from '../lib/host-pattern.ts';

export const SECRET_HOST_RULE =
  '"example.org" or "*.example.org" (https at any port), or "http://example.org" or "http://example.org:8080" (plain http at that port)';

const PLAIN = /^http:\/\/(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/i;
const MAX_PORT = 65_535;
const PLAIN_PORT = 80;

/** The entry in the spelling in which it is compared: a host pattern, or `http://host:port` without the port 80. Null for no entry. */
export function parseSecretHost(text: string): string | null {
  const [isPlain, given = '', digits] = PLAIN.exec(text) ?? [];
  if (isPlain === undefined) return parseHostPattern(text);
  const host = given.startsWith('*') ? null : parseHostPattern(given);
  const port = digits === undefined ? PLAIN_PORT : Number(digits);
  return host === null || port < 1 || port > MAX_PORT ? null : plainOrigin(host, port);
}

/** Whether a secret of these entries, as `parseSecretHost` spells them, may be sent to the URL. */
export function maySendTo(url: URL, entries: readonly string[]): boolean {
  if (url.protocol === 'http:') return entries.includes(plainOriginOf(url));
  return url.protocol === 'https:' && entries.some((entry) => hostMatches(hostOf(url), entry));
}

/** The entry that lets a secret go to this http URL. */
export function plainOriginOf(url: URL): string {
  return plainOrigin(hostOf(url), url.port === '' ? PLAIN_PORT : Number(url.port));
}

function plainOrigin(host: string, port: number): string {
  const shown = isIPv6(host) ? `[${host}]` : host;
  return port === PLAIN_PORT ? `http://${shown}` : `http://${shown}:${port}`;
}
