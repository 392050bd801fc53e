import { LegacyError } from '../legacy/legacy-error.ts';
import { type ParameterType, readAs, show, wholeNumber } from '../legacy/parameters.ts';
import type { PhpArray } from '../legacy/php/value.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { faultOf } from './old-task.ts';
import { oldTime } from './old-time.ts';
import { printable } from './printable.ts';

/** A row of getTaskHistory. */
export interface OldHistoryRow {
  id: number;
  /** `YYYY-MM-DD HH:MM:SS` on the clock of the old server. */
  time: string;
  level: string | null;
  category: string | null;
  message: string;
  userId: number | null;
  username: string | null;
  ip: string | null;
}

/** Numbers here go on after the highest that comes, and end where those of JavaScript are no longer exact, at 2^53 - 1. */
const logId = wholeNumber(1, 2 ** 52);
/** 0 is what nobody has: what the old product did by itself. */
const userId = wholeNumber(0);
/** An address, a level or a category has far fewer; a name has as many. */
const MAX_LENGTH = 255;

/** All rows of a task; an OperatorError tells what is wrong with the first that is. */
export function readOldHistory(taskId: number, rows: readonly PhpArray[]): OldHistoryRow[] {
  return rows.map((row, index) => {
    try {
      return readRow(row);
    } catch (error) {
      const where = `row ${index + 1} (log_id ${printable(show(row.get('log_id')))}) of the history of task ${taskId}`;
      throw new OperatorError(
        `The old history cannot be taken as it is: ${where}: ${faultOf(error)}. With --no-history it is left there.`,
      );
    }
  });
}

/** The user whom a row names, if any; whatever else is in the row. */
export function readUserOf(row: PhpArray): { id: number; name: string } | null {
  const id = userId.read(row.get('user_id') ?? null) ?? 0;
  const name = anyText.read(row.get('username') ?? null) ?? '';
  return id === 0 || name === '' || name.length > MAX_LENGTH ? null : { id, name };
}

function readRow(row: PhpArray): OldHistoryRow {
  const short = (name: string): string | null => {
    const value = textOf(row, name);
    if (value === null || value.length <= MAX_LENGTH) return value;
    throw new LegacyError(`${name}: must have at most ${MAX_LENGTH} characters, got ${value.length}`);
  };
  const user = row.get('user_id') ?? null;
  return {
    id: readAs(logId, 'log_id', row.get('log_id') ?? null),
    time: readAs(oldTime, 'time', row.get('time') ?? null),
    level: short('log_level'),
    category: short('log_category'),
    message: textOf(row, 'message') ?? '',
    userId: user === null ? null : readAs(userId, 'user_id', user) || null,
    username: short('username'),
    ip: short('ip'),
  };
}

/** Also the empty one. */
const anyText: ParameterType<string> = {
  accepted: 'a text that has no NUL character',
  schema: { type: 'string' },
  read(value) {
    const given = typeof value === 'bigint' ? String(value) : value;
    return typeof given === 'string' && !given.includes('\0') ? given : undefined;
  },
};

function textOf(row: PhpArray, name: string): string | null {
  const value = row.get(name) ?? null;
  return value === null ? null : readAs(anyText, name, value);
}
