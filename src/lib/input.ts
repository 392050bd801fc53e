// Checks of input values that the schema's types cannot say.
import { badInput } from './faults.ts';

/** `text`, unless it is longer than `most` characters, shorter than `least` or holds a NUL, which PostgreSQL refuses. */
export function readText(text: string, path: string, { least = 0, most = 255 } = {}): string {
  const length = [...text].length;
  if (length < least || length > most) {
    throw badInput(path, `it has ${length} characters; accepted are ${least} to ${most}`);
  }
  if (text.includes('\0')) throw badInput(path, 'it has a NUL character; accepted is text without one');
  return text;
}

/** The pattern of LIKE for a text that holds `part`, whatever marks are in it. */
export function containing(part: string, path: string): string {
  return `%${readText(part, path).replace(/[\\%_]/g, '\\$&')}%`;
}

/** `items`, unless there are more than `most` or fewer than `least`. */
export function readList<Item>(items: readonly Item[], path: string, { least = 0, most = 500 } = {}): readonly Item[] {
  if (items.length >= least && items.length <= most) return items;
  throw badInput(path, `it has ${items.length} items; accepted are ${least} to ${most}`);
}

const MS_PER_MINUTE = 60_000;

/** `at`, unless it is no whole minute. */
export function readMinute(at: Date, path: string): Date {
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
