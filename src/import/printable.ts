/** Characters that control a terminal, break a line or change the direction of text. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A text of the old server as one line, with characters that control a terminal escaped. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The same in quotes, which it cannot end. */
export function quoted(text: string): string {
  return printable(JSON.stringify(text));
}
