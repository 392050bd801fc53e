// How a call of the old API is signed: HASH is the base64 of HMAC-SHA256(secret, signed part of the query string).
import { createHmac, timingSafeEqual } from 'node:crypto';

/** The hash of `signed`, in plain base64. */
export function sign(secret: string, signed: string): string {
  return createHmac('sha256', secret).update(signed).digest('base64');
}

/**
 * Whether `hash`, as sent, is that of `signed`: in constant time, base64 raw or URL-encoded, and with blanks where a proxy
 * took a raw `+` for one.
 */
export function signatureMatches(secret: string, signed: string, hash: string): boolean {
  const expected = Buffer.from(sign(secret, signed));
  const given = Buffer.from(decodeHash(hash));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Base64 has no `%` and no blank, so decoding a hash that was sent raw changes nothing. */
function decodeHash(hash: string): string {
  return hash
    .replace(/%([0-7][0-9a-f])/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
    .replaceAll(' ', '+');
}
