// Host names as settings and secrets list them: `example.org`, or `*.example.org` for all names below it.
import { isIPv6 } from 'node:net';

const MAX_LENGTH = 253;
/** Characters that would make the text more than a host: a port, path, user or query. */
const HOST_CHARACTERS = /^(?:[^\s/?#@\\:%*[\]]+|\[[0-9a-f:.]+\])$/i;

/** The host of a URL for comparison: without the brackets of an IPv6 address and the final dot of a rooted name. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

/**
 * The pattern, normalised as the host of a URL is: lower case, ASCII, addresses in their short form. Null if it is not
 * a pattern.
 */
export function parseHostPattern(text: string): string | null {
  if (text.startsWith('*.')) {
    const parent = parseHost(text.slice(2));
    return parent === null || /^[\d.]+$|:/.test(parent) ? null : `*.${parent}`;
  }
  return parseHost(isIPv6(text) ? `[${text}]` : text);
}

function parseHost(text: string): string | null {
  if (!HOST_CHARACTERS.test(text) || !URL.canParse(`http://${text}/`)) return null;
  const host = hostOf(new URL(`http://${text}/`));
  return host.length >= 1 && host.length <= MAX_LENGTH ? host : null;
}

/** `host` as hostOf returns it, `pattern` as parseHostPattern does. */
export function hostMatches(host: string, pattern: string): boolean {
  return pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) : host === pattern;
}
