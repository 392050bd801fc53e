/** One recurrence rule. null means "every", except start and end (unbounded) and intervalDays (no interval). */
export interface RepeatRule {
  /** First date, YYYY-MM-DD, inclusive, on the task's own clock. */
  start: string | null;
  /** Last date, YYYY-MM-DD, inclusive, on the task's own clock. */
  end: string | null;
  /** Every n days counted from `start`; year, month, dayOfMonth, weekOfMonth and dayOfWeek are then not looked at. */
  intervalDays: number | null;
  /** 1000-9999 */
  year: number | null;
  /** 1-12 */
  month: number | null;
  /** 1-31 */
  dayOfMonth: number | null;
  /** 1-5: days 7n-6 to 7n; so with `dayOfWeek` the n-th such weekday, where 5 means only months that have five. */
  weekOfMonth: number | null;
  /** 0-6, Sunday is 0 */
  dayOfWeek: number | null;
  /** 0-23 */
  hour: number | null;
  /** 0-59 */
  minute: number | null;
}

/** The schedule of a task. */
export interface NewSchedule {
  rules: RepeatRule[];
  timeZone: string;
  active: boolean;
}

export const MINUTES_PER_DAY = 1440;
export const MS_PER_MINUTE = 60_000;
export const MS_PER_DAY = 86_400_000;

/** A date as the number of days since 1970-01-01. */
export function dayNumber(year: number, month: number, dayOfMonth: number): number {
  return Date.UTC(year, month - 1, dayOfMonth) / MS_PER_DAY;
}

/** The dates rules may reach: four-digit years. */
export const FIRST_DAY = dayNumber(1000, 1, 1);
export const LAST_DAY = dayNumber(9999, 12, 31);

/** The day number of a real date written YYYY-MM-DD, 1000-01-01 or later; otherwise null. */
export function parseDay(text: string): number | null {
  if (!/^[1-9]\d{3}-\d{2}-\d{2}$/.test(text)) return null;
  const day = Date.parse(`${text}T00:00:00Z`) / MS_PER_DAY;
  return !Number.isNaN(day) && formatDay(day) === text ? day : null;
}

export function formatDay(day: number): string {
  return new Date(day * MS_PER_DAY).toISOString().slice(0, 10);
}
