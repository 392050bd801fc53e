// The target of a request: the name is resolved once, its addresses are checked, and exactly those are connected to.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { hostOf } from '../../../lib/host-pattern.ts';
import { PermanentError } from '../../task-class.ts';
import type { PrivateTargets } from './private-targets.ts';

interface ResolvedAddress {
  address: string;
  /** 4 or 6. */
  family: number;
}

/** All addresses of a host name, in the order in which they are to be tried. */
export type Lookup = (host: string) => Promise<ResolvedAddress[]>;

/** The system's resolver, which knows /etc/hosts and the search domains too. */
export const systemLookup: Lookup = (host) => lookup(host, { all: true, order: 'verbatim' });

/** The addresses that were judged, for one connection. */
export interface Target {
  host: string;
  port: number;
  addresses: readonly [ResolvedAddress, ...ResolvedAddress[]];
}

const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/**
 * The addresses of the URL's host. Throws PermanentError if one of them may not be reached: a name with a public and a
 * private address counts as private. The message omits the address, which may be confidential.
 */
export async function resolveTarget(
  url: URL,
  lookupHost: Lookup,
  privateTargets: PrivateTargets,
  signal: AbortSignal,
): Promise<Target> {
  const host = hostOf(url);
  const port = url.port === '' ? (PORTS[url.protocol] ?? 0) : Number(url.port);
  const [first, ...others] = await addressesOf(host, lookupHost, signal);
  if (first === undefined) throw new Error(`The host ${host} has no address.`);
  for (const { address } of [first, ...others]) {
    const refusal = privateTargets.findRefusal({ host, port, address });
    if (refusal !== null) throw refused(host, port, refusal);
  }
  return { host, port, addresses: [first, ...others] };
}

export function refused(host: string, port: number, refusal: string): PermanentError {
  return new PermanentError(
    `The target ${host} port ${port} is refused: ${refusal}, and HTTP_ALLOW_PRIVATE does not list it.`,
  );
}

async function addressesOf(host: string, lookupHost: Lookup, signal: AbortSignal): Promise<ResolvedAddress[]> {
  const family = isIP(host);
  if (family !== 0) return [{ address: host, family }];
  // The resolver cannot be stopped; its late answer is dropped.
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([lookupHost(host), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
