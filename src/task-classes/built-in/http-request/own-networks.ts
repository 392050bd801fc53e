// The networks that this machine is in. Its own public addresses lead to what listens here, past the firewall before it, and
// so do those of its neighbours, which it reaches without a router between.
import type { networkInterfaces } from 'node:os';
import { type Address, isInNetwork, type Network, parseAddress } from './address.ts';

/** As `os.networkInterfaces` returns them. */
export type Interfaces = () => ReturnType<typeof networkInterfaces>;

/** The network of an interface counts down to these prefix lengths: a tunnel may claim the whole internet. */
const LEAST_BITS = { ipv4: 24, ipv6: 64 };

/** Whether the address belongs to this machine or to its networks. Checked each time, since interfaces change. */
export function isOwnNetwork(address: Address, interfaces: Interfaces): boolean {
  return networksOf(interfaces).some((network) => isInNetwork(address, network));
}

function networksOf(interfaces: Interfaces): Network[] {
  return Object.values(interfaces()).flatMap((assigned = []) =>
    assigned.flatMap(({ address: text, cidr }) => {
      const address = parseAddress(text);
      if (address === null) return [];
      const bits = Number(cidr?.split('/')[1] ?? Number.POSITIVE_INFINITY);
      return [{ address, bits: clamp(bits, LEAST_BITS[address.kind()], address.toByteArray().length * 8) }];
    }),
  );
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
