// Which addresses are public: reachable by anyone, so that a task that calls them reaches nothing internal.
import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** All that is assigned for global use; the rest of IPv6 is special or not assigned. */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');
/** Where a network's NAT64 keeps the IPv4 addresses of the world. */
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');

/**
 * The address that packets to `text` reach in the end: an IPv4 address for one that is written into an IPv6 address as
 * ::ffff:0:0/96 or 64:ff9b::/96 do. Null for what is no address.
 */
export function parseAddress(text: string): Address | null {
  if (!ipaddr.isValid(text)) return null;
  const address = ipaddr.parse(text);
  if (!(address instanceof ipaddr.IPv6)) return address;
  const isMapped = address.isIPv4MappedAddress() || address.match(NAT64);
  return isMapped ? new ipaddr.IPv4(address.toByteArray().slice(-4)) : address;
}

/** Where Azure answers its machines, with secrets of theirs; it is in no registry. */
const PLATFORM = '168.63.129.16';

/** Null for a public address, else the kind of address that it is, such as `loopback`. Other embeddings, as 6to4, are not public. */
export function findPrivateRange(address: Address): string | null {
  const range = address.range();
  if (range !== 'unicast') return range;
  if (address.toString() === PLATFORM) return 'cloud platform';
  return address instanceof ipaddr.IPv6 && !address.match(GLOBAL_IPV6) ? 'reserved' : null;
}

export interface Network {
  address: Address;
  bits: number;
}

/** An address, or a block of them with a prefix length. Null for anything else. */
export function parseNetwork(text: string): Network | null {
  if (!text.includes('/')) {
    const address = parseAddress(text);
    return address === null ? null : { address, bits: address instanceof ipaddr.IPv6 ? 128 : 32 };
  }
  if (!ipaddr.isValidCIDR(text)) return null;
  const [address, bits] = ipaddr.parseCIDR(text);
  return { address, bits };
}

export function isInNetwork(address: Address, network: Network): boolean {
  return address.kind() === network.address.kind() && address.match(network.address, network.bits);
}
