import { badInput } from '../lib/faults.ts';

const MS_PER_MINUTE = 60_000;

/** `at`, unless it is no whole minute: a slot is one. */
export function readSlot(at: Date, path: string): Date {
  if (at.getTime() % MS_PER_MINUTE === 0) return at;
  throw badInput(path, `it is ${at.toISOString()}; accepted is a whole minute`);
}

/** That `from` comes before `to`. */
export function checkRange(from: Date, to: Date): void {
  if (from < to) return;
  throw badInput(
    'to',
    `it is ${to.toISOString()}, not after from (${from.toISOString()}); accepted is a later instant`,
  );
}
