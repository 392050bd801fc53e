// Removes secrets from texts that a receiver influences: it may return what it was sent.

const MARK = '[secret]';
/** An encoded form that is shorter than this would strike out text that has nothing to do with the secret. */
const LEAST_ENCODED = 4;

export class Redactor {
  readonly #pattern: RegExp | null;
  readonly #longest: number;

  constructor(secrets: readonly string[]) {
    const forms = [...new Set(secrets.flatMap(formsOf))].sort((a, b) => b.length - a.length);
    this.#longest = forms[0]?.length ?? 0;
    this.#pattern = forms.length === 0 ? null : new RegExp(forms.map(escapeForPattern).join('|'), 'gi');
  }

  /**
   * The text without the secrets. Of a text that is only the beginning of a longer one the end is left out as well, as
   * far as a secret that is cut off may reach.
   */
  redact(text: string, isWhole = true): string {
    const end = isWhole ? text.length : Math.max(0, text.length - this.#longest);
    let redacted = '';
    let at = 0;
    for (const match of this.#pattern === null ? [] : text.matchAll(this.#pattern)) {
      if (match.index >= end) break;
      redacted += text.slice(at, match.index) + MARK;
      at = match.index + match[0].length;
    }
    return redacted + text.slice(at, Math.max(at, end));
  }
}

function escapeForPattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** How a secret looks in JSON, in a URL or form, and inside of something that was encoded in base64. */
function formsOf(secret: string): string[] {
  const encoded = [
    JSON.stringify(secret).slice(1, -1),
    encodeURI(secret),
    encodeURIComponent(secret),
    encodeURIComponent(secret).replaceAll('%20', '+'),
    ...[0, 1, 2].flatMap((offset) => base64Forms(secret, offset)),
  ];
  return [secret, ...encoded.filter((form) => form.length >= LEAST_ENCODED)];
}

/** The characters that depend on the secret alone if it begins `offset` bytes after a multiple of three. */
function base64Forms(secret: string, offset: number): string[] {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]);
  const from = Math.ceil((offset * 8) / 6);
  const to = Math.floor((bytes.length * 8) / 6);
  return [bytes.toString('base64').slice(from, to), bytes.toString('base64url').slice(from, to)];
}
