// Checks of input values that the schema's types cannot say.
import { badInput } from './faults.ts';

/** `text`, unless it is longer than `most` characters, shorter than `least` or holds a NUL, which PostgreSQL refuses. */
export function readText(text: string, path: string, { least = 0, most = 255 } = {}): string {
  const length = [...text].length;
  if (length < least || length > most) {
    throw badInput(path, `must have ${least} to ${most} characters, got ${length}`);
  }
  if (text.includes('\0')) throw badInput(path, 'must not contain a NUL character');
  return text;
}

/** The pattern of LIKE for a text that holds `part`, whatever marks are in it. */
export function containing(part: string, path: string): string {
  return `%${readText(part, path).replace(/[\\%_]/g, '\\$&')}%`;
}

/** `items`, unless there are more than `most` or fewer than `least`. */
export function readList<Item>(items: readonly Item[], path: string, { least = 0, most = 500 } = {}): readonly Item[] {
  if (items.length >= least && items.length <= most) return items;
  throw badInput(path, `must have ${least} to ${most} items, got ${items.length}`);
}

const MS_PER_MINUTE = 60_000;

/** `at`, unless it is no whole minute. */
export function readMinute(at: Date, path: string): Date {
  if (at.getTime() % MS_PER_MINUTE === 0) return at;
  throw badInput(path, `must be a whole minute, got ${at.toISOString()}`);
}

/** That `from` comes before `to`. */
export function checkRange(from: Date, to: Date): void {
  if (from < to) return;
  throw badInput('to', `must be after from (${from.toISOString()}), got ${to.toISOString()}`);
}
