// Text in zone files: quoted strings of up to 255 bytes, in which a byte that is not plain stands as `\DDD`.

const MAX_STRING = 255;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function escapeByte(byte: number): string {
  if (byte === QUOTE || byte === BACKSLASH) return `\\${String.fromCharCode(byte)}`;
  if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `\\${String(byte).padStart(3, '0')}`;
}

/** One quoted string. */
export function quote(bytes: Uint8Array): string {
  return `"${Array.from(bytes, escapeByte).join('')}"`;
}

/** As many quoted strings as it takes; one empty string for no bytes. */
export function quoteAll(bytes: Uint8Array): string {
  const strings: string[] = [];
  for (let start = 0; start === 0 || start < bytes.length; start += MAX_STRING) {
    strings.push(quote(bytes.subarray(start, start + MAX_STRING)));
  }
  return strings.join(' ');
}

/** The bytes of what `quote` and `quoteAll` wrote, joined. */
export function unquote(text: string): Buffer {
  const bytes: number[] = [];
  // Between two quotes there are plain characters and escapes; what is outside them is the blank between strings.
  for (const [, inner = ''] of text.matchAll(/"((?:[^"\\]|\\\d{3}|\\.)*)"/g)) {
    for (const [part] of inner.matchAll(/\\\d{3}|\\.|[^\\]/g)) {
      bytes.push(part.length === 4 ? Number(part.slice(1)) : part.charCodeAt(part.length - 1));
    }
  }
  return Buffer.from(bytes);
}
