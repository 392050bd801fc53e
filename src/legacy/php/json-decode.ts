// JSON as PHP's json_decode(..., true) reads it.
import { isPhpInteger, PhpArray, type PhpValue } from './value.ts';

/** A JSON object with its source text, which is stored exactly as sent. */
export class JsonObject extends PhpArray {
  source = '';
}

/**
 * Reads JSON text, keeping what PHP keeps: the order of keys, integers exact to 64 bits, larger ones as floats; of equal
 * keys the last value in the first one's place. Objects are JsonObjects, lists are arrays. Throws a SyntaxError for what
 * json_decode refuses, a lone surrogate and too many levels included.
 */
export function parseJsonForPhp(text: string): PhpValue {
  const reader = new JsonReader(text);
  const value = reader.readValue(0);
  reader.expectEnd();
  return value;
}

/** Levels of arrays and objects in each other that json_decode takes by default. */
const MAX_DEPTH = 511;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
/** The digits of a 64-bit integer and its sign. */
const INTEGER_LENGTH = 20;
/** Characters that a literal may contain only escaped, and the one that begins an escape. */
const ESCAPED = /[^ -\uffff]|\\/;

const codeOf = (character: string) => character.charCodeAt(0);
const [QUOTE, BACKSLASH, COLON, COMMA] = [codeOf('"'), codeOf('\\'), codeOf(':'), codeOf(',')];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [codeOf('['), codeOf(']'), codeOf('{'), codeOf('}')];
const [ZERO, NINE, POINT, EXPONENT, LOWER_CASE] = [codeOf('0'), codeOf('9'), codeOf('.'), codeOf('e'), 0x20];
/** Numbers with up to this many digits are exact in a double. */
const EXACT_DIGITS = 15;
const [SPACE, TAB, LINE_FEED, RETURN] = [codeOf(' '), codeOf('\t'), codeOf('\n'), codeOf('\r')];

/** Works on character codes, since bodies have megabytes and parsing blocks the event loop. */
class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readValue(depth: number): PhpValue {
    switch (this.#peek()) {
      case QUOTE:
        return this.#readString();
      case OPEN_OBJECT:
        return this.#readObject(this.#deeper(depth));
      case OPEN_LIST:
        return this.#readList(this.#deeper(depth));
      case codeOf('n'):
        return this.#readWord('null', null);
      case codeOf('t'):
        return this.#readWord('true', true);
      case codeOf('f'):
        return this.#readWord('false', false);
      default:
        return this.#readNumber();
    }
  }

  expectEnd(): void {
    this.#peek();
    if (this.#at < this.#text.length) this.#fail();
  }

  #deeper(depth: number): number {
    if (depth >= MAX_DEPTH) throw new SyntaxError(`more than ${MAX_DEPTH} levels`);
    return depth + 1;
  }

  #readWord<Meaning>(word: string, meaning: Meaning): Meaning {
    if (!this.#text.startsWith(word, this.#at)) this.#fail();
    this.#at += word.length;
    return meaning;
  }

  #readObject(depth: number): JsonObject {
    const object = new JsonObject();
    const start = this.#at;
    this.#readItems(CLOSE_OBJECT, () => {
      if (this.#peek() !== QUOTE) this.#fail();
      const key = this.#readString();
      this.#expect(COLON);
      object.set(key, this.readValue(depth));
    });
    object.source = this.#text.slice(start, this.#at);
    return object;
  }

  #readList(depth: number): PhpValue[] {
    const list: PhpValue[] = [];
    this.#readItems(CLOSE_LIST, () => list.push(this.readValue(depth)));
    return list;
  }

  #readItems(closing: number, readItem: () => void): void {
    this.#at += 1;
    if (this.#peek() !== closing) {
      readItem();
      while (this.#peek() === COMMA) {
        this.#at += 1;
        readItem();
      }
    }
    this.#expect(closing);
  }

  #readString(): string {
    const start = this.#at + 1;
    let end = this.#text.indexOf('"', start);
    while (end !== -1 && this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1);
    if (end === -1) this.#fail();
    const raw = this.#text.slice(start, end);
    const text = ESCAPED.test(raw) ? this.#parseNatively(`"${raw}"`) : raw;
    if (!text.isWellFormed()) this.#fail('a surrogate without its other half');
    this.#at = end + 1;
    return text;
  }

  /** An odd number of backslashes before a quote; they reach back no further than the opening one. */
  #isEscaped(at: number): boolean {
    let before = at - 1;
    while (this.#text.charCodeAt(before) === BACKSLASH) before -= 1;
    return (at - before) % 2 === 0;
  }

  #parseNatively(literal: string): string {
    try {
      return JSON.parse(literal) as string;
    } catch {
      return this.#fail();
    }
  }

  #readNumber(): bigint | number {
    return this.#readSmallInteger() ?? this.#readAnyNumber();
  }

  /** Reads a small integer, the most common number; null, with nothing read, for any other. */
  #readSmallInteger(): bigint | null {
    let at = this.#at;
    let integer = 0;
    let code = this.#text.charCodeAt(at);
    if (code === ZERO) return null;
    while (code >= ZERO && code <= NINE) {
      integer = integer * 10 + code - ZERO;
      at += 1;
      code = this.#text.charCodeAt(at);
    }
    const digits = at - this.#at;
    if (digits === 0 || digits > EXACT_DIGITS || code === POINT || (code | LOWER_CASE) === EXPONENT) return null;
    this.#at = at;
    return BigInt(integer);
  }

  #readAnyNumber(): bigint | number {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) return this.#fail();
    const [digits, fraction, exponent] = match;
    this.#at += digits.length;
    if (fraction !== undefined || exponent !== undefined || digits.length > INTEGER_LENGTH) return Number(digits);
    const integer = BigInt(digits);
    return isPhpInteger(integer) ? integer : Number(digits);
  }

  /** The code of the next character that is not white space; NaN at the end. */
  #peek(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== SPACE && code !== TAB && code !== LINE_FEED && code !== RETURN) return code;
      this.#at += 1;
    }
  }

  #expect(code: number): void {
    if (this.#peek() !== code) this.#fail();
    this.#at += 1;
  }

  #fail(fault = 'not JSON'): never {
    throw new SyntaxError(`${fault} from character ${this.#at + 1} on`);
  }
}
