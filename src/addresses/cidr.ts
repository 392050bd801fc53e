// Counted here, since ipaddr.js 2.5 reads `::1.2.3.4` as `::ffff:1.2.3.4`, which PostgreSQL does not.
import { isIPv4, isIPv6 } from 'node:net';

/** What is accepted in place of `text`, or null for a block whose bits after the prefix are all zero. */
export function findCidrFault(text: string): string | null {
  const [address = '', length = '', ...more] = text.split('/');
  const version = isIPv4(address) ? 4 : isIPv6(address) && !address.includes('%') ? 6 : 0;
  if (version === 0 || more.length > 0) return 'an address and a prefix length, as "10.1.0.0/16" or "2001:db8::/32"';
  const bits = version === 4 ? 32 : 128;
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits) {
    return `for IPv${version} a prefix length from 0 to ${bits}, after one "/"`;
  }
  const hostBits = BigInt(bits - Number(length));
  const host = (version === 4 ? ipv4Value(address) : ipv6Value(address)) & ((1n << hostBits) - 1n);
  return host === 0n ? null : `a block whose bits after the first ${length} are zero`;
}

function ipv4Value(address: string): bigint {
  return address.split('.').reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** Expects what isIPv6 takes, without a zone. */
function ipv6Value(address: string): bigint {
  const [head = '', tail] = address.split('::');
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const zeros = new Array<bigint>(8 - left.length - right.length).fill(0n);
  return [...left, ...zeros, ...right].reduce((value, group) => (value << 16n) | group, 0n);
}

/** The 16-bit groups of a part; an IPv4 address at its end is two of them. */
function groups(part: string): bigint[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [BigInt(`0x${group}`)];
    const value = ipv4Value(group);
    return [value >> 16n, value & 0xffffn];
  });
}
