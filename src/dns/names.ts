// Domain names as users write them, and the one spelling in which they are stored: whole, in lower case, labels beyond
// ASCII as A-labels (`xn--…`), without the dot at the end.
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { badInput, type FieldPath } from '../lib/faults.ts';

const MAX_NAME = 253;
/** Room for the prefix and suffix of the file names of a zone. */
const MAX_ZONE_NAME = 200;
const MAX_LABEL = 63;
const SHOWN = 80;

/** The form of a label; slashes occur in reverse names by RFC 2317. */
const HOST_LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const ANY_LABEL = /^[a-z0-9_/]([a-z0-9_/-]*[a-z0-9_/])?$/;
/** ASCII that no label may have; domainToASCII would cut the text there. */
const FOREIGN_ASCII = /[^a-z0-9_-]/;

const HOST = 'letters, digits and inner hyphens';
const ANY = 'letters, digits, underscores, slashes and inner hyphens';

export const ADDRESS_TREES = /(^|\.)(in-addr|ip6)\.arpa$/;

export function shown(text: string): string {
  return JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
}

/** A label in its stored spelling, which need not be a label that is accepted. */
function spell(label: string): string {
  const lower = label.toLowerCase();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is ASCII
  const ascii = lower.replace(/[^\x00-\x7f]/g, '');
  if (ascii === lower || FOREIGN_ASCII.test(ascii)) return lower;
  return domainToASCII(lower);
}

interface Kind {
  label: RegExp;
  accepted: string;
  wildcard?: boolean;
  most?: number;
}

/** `text` without a dot at its end, spelled and checked; `whole` makes the whole name of it. */
function readName(text: string, path: FieldPath, kind: Kind, whole: (name: string) => string = (name) => name): string {
  const refuse = (why: string) => badInput(path, `${why}, got ${shown(text)}`);
  if (text === '') throw refuse('must be a domain name');
  if (text.length > MAX_NAME * 4) throw refuse(`must have at most ${MAX_NAME} characters`);
  const spelled = text.replace(/\.$/, '').split('.').map(spell);
  for (const [index, label] of spelled.entries()) {
    if (kind.wildcard && index === 0 && label === '*') continue;
    if (label.length > MAX_LABEL)
      throw refuse(`must have labels of at most ${MAX_LABEL} characters (one has ${label.length})`);
    if (!kind.label.test(label)) throw refuse(`must be labels of ${kind.accepted}, separated by dots`);
  }
  const name = whole(spelled.join('.'));
  const most = kind.most ?? MAX_NAME;
  if (name.length > most) throw refuse(`must have at most ${most} characters (it has ${name.length})`);
  return name;
}

/** The name of a zone, given as `name`. Slashes are taken in reverse zones alone. */
export function readZoneName(text: string): string {
  const name = readName(text, ['name'], { label: ANY_LABEL, accepted: ANY, most: MAX_ZONE_NAME });
  if (name.includes('/') && !ADDRESS_TREES.test(name)) {
    throw badInput('name', `must have no slash except in a reverse zone (in-addr.arpa, ip6.arpa), got ${shown(text)}`);
  }
  return name;
}

export function isWithin(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}

/** The whole name of a record, given as `name`: `@` and a name that does not end with the zone's are of the zone. */
export function readOwner(text: string, zone: string): string {
  if (text === '@') return zone;
  const absolute = text.endsWith('.');
  const name = readName(text, ['name'], { label: ANY_LABEL, accepted: ANY, wildcard: true }, (spelled) =>
    absolute || isWithin(spelled, zone) ? spelled : `${spelled}.${zone}`,
  );
  if (!isWithin(name, zone)) {
    throw badInput(
      'name',
      `must be ${zone} or a name that ends with .${zone}, got ${shown(text)}, which is outside the zone`,
    );
  }
  return name;
}

/**
 * The whole name of what a record points to: one label is of the zone, anything with a dot is whole already. `host` is
 * for targets that name servers take as host names alone.
 */
export function readTarget(text: string, zone: string, path: FieldPath, { host }: { host: boolean }): string {
  if (isIP(text) !== 0) throw badInput(path, `must be the name of a host, got the address ${shown(text)}`);
  if (text === '@') return zone;
  const kind = host ? { label: HOST_LABEL, accepted: HOST } : { label: ANY_LABEL, accepted: ANY };
  return readName(text, path, kind, (name) => (text.includes('.') ? name : `${name}.${zone}`));
}

/** Whether a name server takes the name for the owner of addresses: a host name, a wildcard, or one of the known exceptions. */
export function isHostOwner(name: string): boolean {
  const labels = name.split('.');
  if (labels[0] === '*') labels.shift();
  // Names that Active Directory and SPF macros have, which BIND lets through too.
  if (/^gc\._msdcs\.|(^|\.)_spf(_verify|_rate)?\./.test(name)) return true;
  return labels.every((label) => HOST_LABEL.test(label));
}

/** The same names with the labels from the right, so that a zone's names sort with the apex first and children after their parents. */
export function sortKey(name: string): string {
  return name.split('.').reverse().join('\0');
}

/** The stored spelling of a name to look up, which need not be one. */
export function normalName(text: string): string {
  return text.replace(/\.$/, '').split('.').map(spell).join('.');
}
