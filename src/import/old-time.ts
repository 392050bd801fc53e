import { LegacyError } from '../legacy/legacy-error.ts';
import type { PhpValue } from '../legacy/php-value.ts';
import { parseDay } from '../runner/repeat-rule.ts';

const LOCAL_TIME = /^(\d{4}-\d\d-\d\d) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/;

/** A time as the old API spells it, on the clock of the old server; null for null. */
export function readOldTime(name: string, value: PhpValue): string | null {
  if (value === null) return null;
  const [, day] = (typeof value === 'string' ? LOCAL_TIME.exec(value) : null) ?? [];
  if (day !== undefined && parseDay(day) !== null) return String(value);
  throw new LegacyError(
    `${name}: got ${JSON.stringify(String(value))}; accepted is a time that exists, as YYYY-MM-DD HH:MM:SS, or null`,
  );
}
