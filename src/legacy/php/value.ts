// The value of a parameter, from a query string, a form or JSON.

/**
 * A form value, or a value under a form name, whose bytes are not UTF-8. PHP keeps such bytes; readers of the value
 * refuse it.
 */
export class InvalidText {}

export type PhpValue =
  | null
  | boolean
  | string
  /** A JSON integer of at most 64 bits. */
  | bigint
  /** Any other JSON number. */
  | number
  | InvalidText
  /** A JSON list; a list from a form is a PhpArray. */
  | readonly PhpValue[]
  | PhpArray;

const LEAST_INTEGER = -(2n ** 63n);
const GREATEST_INTEGER = 2n ** 63n - 1n;

export function isPhpInteger(value: bigint): boolean {
  return value >= LEAST_INTEGER && value <= GREATEST_INTEGER;
}

/**
 * PHP's array: ordered by first insertion, integer-like keys too, which a JavaScript object would move to the front.
 * Keys are texts; PHP makes an integer of `"5"` but not of `"05"`, so the two notations of a key never differ. No key,
 * `__proto__` included, has a meaning of its own.
 */
export class PhpArray extends Map<string, PhpValue> {
  #next: bigint | null = null;

  override set(key: string, value: PhpValue): this {
    const integer = integerKey(key);
    if (integer !== null && (this.#next === null || integer >= this.#next)) {
      this.#next = integer === GREATEST_INTEGER ? integer : integer + 1n;
    }
    return super.set(key, value);
  }

  /**
   * The `[]=` operation: the key is one above the greatest integer key so far, or 0. Past 64 bits PHP drops the value.
   */
  append(value: PhpValue): void {
    const key = String(this.#next ?? 0n);
    if (!this.has(key)) this.set(key, value);
  }
}

function integerKey(key: string): bigint | null {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(key)) return null;
  const integer = BigInt(key);
  return isPhpInteger(integer) ? integer : null;
}
