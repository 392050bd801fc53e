// The text of a zone file (RFC 1035). Names are whole, so that no origin matters, and the order is fixed, so that equal
// zones are equal texts. The npm library for this (dnsz) writes what it is given as data, so the quoting would be ours anyway.
import { createHash } from 'node:crypto';
import { sortRecords, type ZoneRecord } from './zone-rules.ts';

interface ZoneHead {
  name: string;
  primary_server: string;
  /** A mailbox, such as `hostmaster@example.com`. */
  contact: string;
  refresh: number;
  retry: number;
  expire: number;
  minimum: number;
  default_ttl: number;
}

/** A zone without its serial: what has to differ for a new serial. */
interface ZoneContent {
  head: ZoneHead;
  lines: readonly string[];
  hash: string;
}

export function renderContent(head: ZoneHead, records: readonly ZoneRecord[]): ZoneContent {
  const lines = sortRecords(records).map(
    ({ name, type, ttl, data }) => `${name}. ${ttl ?? head.default_ttl} IN ${type} ${data}`,
  );
  const hash = createHash('sha256')
    .update([soa(head, 0), ...lines].join('\n'))
    .digest('hex');
  return { head, lines, hash };
}

export function renderZoneFile({ head, lines }: ZoneContent, serial: number): string {
  const mark = `; Zone ${head.name}, serial ${serial}: written by Slotkeeper, which overwrites changes that are made here.`;
  return `${[mark, `$TTL ${head.default_ttl}`, soa(head, serial), ...lines].join('\n')}\n`;
}

/** The zone and serial of a file that Slotkeeper wrote, by its first line; null for any other. */
export function readMark(text: string): { name: string; serial: number } | null {
  const [, name, serial] = /^; Zone (\S+), serial (\d{1,10}): written by Slotkeeper/.exec(text) ?? [];
  return name === undefined ? null : { name, serial: Number(serial) };
}

function soa(head: ZoneHead, serial: number): string {
  const { name, primary_server, contact, refresh, retry, expire, minimum, default_ttl } = head;
  const numbers = [serial, refresh, retry, expire, minimum].join(' ');
  return `${name}. ${default_ttl} IN SOA ${primary_server}. ${mailboxName(contact)}. ${numbers}`;
}

/** A mailbox as a name: the part before the at sign is one label, whose dots are escaped. */
function mailboxName(mailbox: string): string {
  const at = mailbox.lastIndexOf('@');
  return `${mailbox.slice(0, at).replaceAll('.', '\\.')}.${mailbox.slice(at + 1)}`;
}
