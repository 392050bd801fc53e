// What HTTP_ALLOW_PRIVATE allows: which targets may lie at addresses that are not public.
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { hostMatches, parseHostPattern } from '../../../lib/host-pattern.ts';
import { type Address, findPrivateRange, isInNetwork, type Network, parseAddress, parseNetwork } from './address.ts';
import { type Interfaces, isOwnNetwork } from './own-networks.ts';

/** Where a connection goes. */
interface Endpoint {
  /** As `hostOf` returns it. */
  host: string;
  port: number;
  address: string;
}

interface Entry {
  /** Null for every host. */
  where: Network | string | null;
  /** Null for every port. */
  port: number | null;
}

const MAX_PORT = 65_535;
/** A port after a host, or after an IPv6 address in brackets. */
const WITH_PORT = /^([^:]+|\[[^\]]+\]):(\d{1,5})$/;

/** Tells to which endpoints a request may go: public ones, and the private ones that are listed. */
export class PrivateTargets {
  readonly #entries: readonly Entry[];
  readonly #interfaces: Interfaces;

  private constructor(entries: readonly Entry[], interfaces: Interfaces) {
    this.#entries = entries;
    this.#interfaces = interfaces;
  }

  /**
   * A list separated by commas: an address or a block of addresses, whatever the name that led there; a host name or
   * `*.name`, whatever its addresses; each with a port or for every port; or `*` for everything. Throws a
   * TypeError that says which entry is at fault. `interfaces` are those of the machine.
   */
  static parse(list: string, interfaces: Interfaces = networkInterfaces): PrivateTargets {
    const texts = list.trim() === '' ? [] : list.split(',').map((text) => text.trim());
    return new PrivateTargets(texts.map(parseEntry), interfaces);
  }

  /** Why a request may not go there, or null where it may. */
  findRefusal({ host, port, address: text }: Endpoint): string | null {
    const address = parseAddress(text);
    if (address === null) return 'its address is not understood';
    const range = findPrivateRange(address) ?? (isOwnNetwork(address, this.#interfaces) ? 'own network' : null);
    const isAllowed = range === null || this.#entries.some((entry) => includes(entry, host, port, address));
    return isAllowed ? null : `its address is not public (${range})`;
  }
}

function parseEntry(text: string, index: number): Entry {
  if (text === '*') return { where: null, port: null };
  const [, host = text, digits] = WITH_PORT.exec(text) ?? [];
  const port = digits === undefined ? null : Number(digits);
  const network = host.includes('/') ? parseNetwork(host) : null;
  const pattern = parseHostPattern(host);
  const where = network ?? (pattern !== null && isIP(pattern) !== 0 ? parseNetwork(pattern) : pattern);
  if (where === null || (port !== null && (port < 1 || port > MAX_PORT))) {
    throw new TypeError(
      `must be a list of hosts, addresses, blocks of addresses and host:port; entry ${index + 1} is not`,
    );
  }
  return { where, port };
}

function includes({ where, port: allowedPort }: Entry, host: string, port: number, address: Address): boolean {
  if (allowedPort !== null && allowedPort !== port) return false;
  if (where === null) return true;
  return typeof where === 'string' ? hostMatches(host, where) : isInNetwork(address, where);
}
