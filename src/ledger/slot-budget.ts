// Limits the work of one query about many slots: omissions are reported, and other requests get their turn.
import { setImmediate as otherWork } from 'node:timers/promises';

/** Milliseconds of computing before other requests get their turn. */
const SLICE_MS = 10;

/** To be asked between two pieces of work of about a millisecond or less. */
export class YieldBudget {
  #since = performance.now();

  async pass(): Promise<void> {
    if (performance.now() - this.#since < SLICE_MS) return;
    await otherWork();
    this.#since = performance.now();
  }
}

/** Shares a number of slots fairly among schedules: the unused part of one goes to those after it. */
export class SlotShares {
  #left: number;
  #takers: number;

  constructor(slots: number, takers: number) {
    this.#left = slots;
    this.#takers = takers;
  }

  /** What the next one may take. */
  next(): number {
    return Math.floor(this.#left / Math.max(this.#takers, 1));
  }

  took(slots: number): void {
    this.#left -= slots;
    this.#takers -= 1;
  }
}
