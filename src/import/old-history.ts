import { StartupError } from '../database/startup-error.ts';
import { LegacyError } from '../legacy/legacy-error.ts';
import { type ParameterType, readAs, wholeNumber } from '../legacy/parameters.ts';
import type { PhpArray } from '../legacy/php-value.ts';
import { faultOf } from './old-task.ts';
import { readOldTime } from './old-time.ts';

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

const logId = wholeNumber(1, Number.MAX_SAFE_INTEGER);
const userId = wholeNumber(1);
/** An address, a level or a category has far fewer; a name has as many. */
const MAX_LENGTH = 255;

/** All rows of a task; a StartupError tells what is wrong with the first that is. */
export function readOldHistory(taskId: number, rows: readonly PhpArray[]): OldHistoryRow[] {
  return rows.map((row) => {
    try {
      return readRow(row);
    } catch (error) {
      const where = `row ${String(row.get('log_id'))} of the history of task ${taskId}`;
      throw new StartupError(`The old history cannot be taken as it is: ${where}: ${faultOf(error)}.`);
    }
  });
}

function readRow(row: PhpArray): OldHistoryRow {
  const short = (name: string): string | null => {
    const value = textOf(row, name);
    if (value === null || value.length <= MAX_LENGTH) return value;
    throw new LegacyError(`${name}: got ${value.length} characters; accepted are ${MAX_LENGTH}`);
  };
  const user = row.get('user_id') ?? null;
  const time = readOldTime('time', row.get('time') ?? null);
  if (time === null) throw new LegacyError('time: got null; accepted is a time, as YYYY-MM-DD HH:MM:SS');
  return {
    id: readAs(logId, 'log_id', row.get('log_id') ?? null),
    time,
    level: short('log_level'),
    category: short('log_category'),
    message: textOf(row, 'message') ?? '',
    userId: user === null ? null : readAs(userId, 'user_id', user),
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
