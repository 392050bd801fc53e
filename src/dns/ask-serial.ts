// Asks one name server by DNS which serial of a zone it serves.
import { Resolver } from 'node:dns/promises';
import { codeOf, publicMessage } from '../lib/describe-error.ts';

/** There was no reply: the server is down, unreachable, or at another address. */
export class NoAnswer extends Error {}

/** The codes of replies that say that the server has no such zone, or cannot serve it. */
const NOT_SERVED = ['ENODATA', 'ENOTFOUND', 'EREFUSED', 'ESERVFAIL', 'ENOTIMP', 'EFORMERR'];

export interface ServerAddress {
  address: string;
  port: number;
  timeoutSeconds: number;
}

/**
 * The serial of the zone's SOA record, or null where the server does not serve it. Throws NoAnswer when the time is over,
 * and at once when the signal aborts.
 */
export async function askSerial(
  { address, port, timeoutSeconds }: ServerAddress,
  zone: string,
  signal: AbortSignal,
): Promise<number | null> {
  // Two tries; the second waits twice as long. Each has a new resolver, so that no answer is cached.
  const resolver = new Resolver({ timeout: Math.ceil((timeoutSeconds * 1_000) / 3), tries: 2 });
  resolver.setServers([`${address.includes(':') ? `[${address}]` : address}:${port}`]);
  const stop = () => resolver.cancel();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return (await resolver.resolveSoa(zone)).serial;
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (NOT_SERVED.includes(code)) return null;
    throw new NoAnswer(`no answer came: ${publicMessage(error)}`, { cause: error });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
