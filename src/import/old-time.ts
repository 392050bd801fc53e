import { parseDay } from '../calendar/repeat-rule.ts';
import type { ParameterType } from '../legacy/parameters.ts';

const LOCAL_TIME = /^(\d{4}-\d\d-\d\d) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d$/;

/** A time as the old API spells it, on the clock of the old server. */
export const oldTime: ParameterType<string> = {
  accepted: 'a time that exists, as YYYY-MM-DD HH:MM:SS',
  schema: { type: 'string' },
  read(value) {
    if (typeof value !== 'string') return undefined;
    const [, day] = LOCAL_TIME.exec(value) ?? [];
    return day !== undefined && parseDay(day) !== null ? value : undefined;
  },
};

export const oldTimeOrNull: ParameterType<string | null> = {
  accepted: `${oldTime.accepted}, or null`,
  schema: { type: ['string', 'null'] },
  read: (value) => (value === null ? null : oldTime.read(value)),
};
