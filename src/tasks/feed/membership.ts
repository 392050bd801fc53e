/** Which tasks a feed has told of, by their ids, which are small whole numbers: two bits each. */
export class Membership {
  #bits = new Uint8Array(1_024);
  readonly #unknown: null | false;

  /** `isComplete`: what was not told is not there. Otherwise somebody else told the beginning, and it is unknown. */
  constructor(isComplete: boolean) {
    this.#unknown = isComplete ? false : null;
  }

  /** Whether the task was told to be there; null where that is unknown. */
  of(id: number): boolean | null {
    const bits = ((this.#bits[id >> 2] ?? 0) >> ((id & 3) * 2)) & 3;
    return bits === 0 ? this.#unknown : bits === IN;
  }

  set(id: number, isIn: boolean): void {
    const at = id >> 2;
    if (at >= this.#bits.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bits.length, at + 1));
      grown.set(this.#bits);
      this.#bits = grown;
    }
    const shift = (id & 3) * 2;
    this.#bits[at] = ((this.#bits[at] ?? 0) & ~(3 << shift)) | ((isIn ? IN : OUT) << shift);
  }
}

const IN = 1;
const OUT = 2;
