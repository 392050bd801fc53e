// Checks of input values that the types of the schema cannot express.
import { badInput } from './faults.ts';

/**
 * Returns `text` if it has `least` to `most` characters and no NUL, which PostgreSQL refuses. BAD_USER_INPUT at `path`
 * otherwise.
 */
export function readText(text: string, path: string, { least = 0, most = 255 } = {}): string {
  const length = [...text].length;
  if (length < least || length > most) {
    throw badInput(path, `must have ${boundsOf(least, most)} characters, got ${length}`);
  }
  if (text.includes('\0')) throw badInput(path, 'must not contain a NUL character');
  return text;
}

/** The LIKE pattern for a text that contains `part`, with its wildcards escaped. */
export function containing(part: string, path: string): string {
  return `%${readText(part, path).replace(/[\\%_]/g, '\\$&')}%`;
}

/** Returns `items` if there are `least` to `most`. BAD_USER_INPUT at `path` otherwise. */
export function readList<Item>(items: readonly Item[], path: string, { least = 0, most = 500 } = {}): readonly Item[] {
  if (items.length >= least && items.length <= most) return items;
  throw badInput(path, `must have ${boundsOf(least, most)} items, got ${items.length}`);
}

function boundsOf(least: number, most: number): string {
  return least === 0 ? `at most ${most}` : `${least} to ${most}`;
}

const MS_PER_MINUTE = 60_000;

/** Returns `at` if it is a whole minute. BAD_USER_INPUT at `path` otherwise. */
export function readMinute(at: Date, path: string): Date {
  if (at.getTime() % MS_PER_MINUTE === 0) return at;
  throw badInput(path, `must be a whole minute, got ${at.toISOString()}`);
}

/** Checks that `from` is before `to`. */
export function checkRange(from: Date, to: Date): void {
  if (from < to) return;
  throw badInput('to', `must be after from (${from.toISOString()}), got ${to.toISOString()}`);
}
