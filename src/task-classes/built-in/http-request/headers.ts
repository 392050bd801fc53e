import { SECRET_NAME } from '../../../credentials/secrets.ts';

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const VALUE = /^[\t\x20-\x7e]*$/;
export const MAX_HEADERS = 64;
const MAX_VALUE_LENGTH = 8_192;

/** What the request itself decides: where it goes, where its body ends and what becomes of the connection. */
const REFUSED = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
  'expect',
]);

interface SecretReference {
  secret: string;
  prefix?: string | null | undefined;
}

export type HeaderValue = string | number | SecretReference;
type HeaderValues = Readonly<Record<string, HeaderValue>>;

/** A header to send; a secret is in its value already. */
export interface Header {
  name: string;
  value: string;
  hasSecret: boolean;
}

/** Why a header cannot be sent, or null where it can. */
export function findHeaderFault(name: string, value: HeaderValue): string | null {
  if (!NAME.test(name)) return 'its name is not 1 to 256 characters of those that a header name may have';
  if (REFUSED.has(name.toLowerCase())) return 'must not be set: the request itself decides this header';
  if (typeof value === 'number') return null;
  const text = typeof value === 'string' ? value : (value.prefix ?? '');
  if (text.length > MAX_VALUE_LENGTH || !VALUE.test(text)) {
    return `its value is not up to ${MAX_VALUE_LENGTH} printable ASCII characters`;
  }
  if (typeof value === 'object' && !SECRET_NAME.test(value.secret)) return 'must refer to a secret by a valid name';
  return null;
}

/** Two headers whose names differ in case only; null where there are none. */
export function findDouble(names: readonly string[]): string | null {
  const lower = names.map((name) => name.toLowerCase());
  return names.find((_name, index) => lower.indexOf(lower[index] ?? '') !== index) ?? null;
}

export function secretNames(headers: HeaderValues): string[] {
  return Object.values(headers).flatMap((value) => (typeof value === 'object' ? [value.secret] : []));
}

export function hasHeader(headers: readonly Header[], name: string): boolean {
  return headers.some((header) => header.name.toLowerCase() === name);
}
