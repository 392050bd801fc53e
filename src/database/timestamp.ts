import { type RawBuilder, sql } from 'kysely';

// The driver returns timestamptz as PostgreSQL's own text, with microseconds, which a Date would lose.

const TEXT = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?([+-]\d\d)(:\d\d)?$/;

/**
 * A column's text as ISO 8601 in UTC with milliseconds; throws a RangeError for any other text, including `infinity`.
 */
export function toIso(text: string): string {
  const match = TEXT.exec(text);
  if (match === null) throw new RangeError(`"${text}" is not a timestamp of the database`);
  const [, day, time, fraction = '', hours, minutes = ':00'] = match;
  const iso = `${day}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}`;
  if (hours === '+00' && minutes === ':00') return `${iso}Z`;
  return new Date(`${iso}${hours}${minutes}`).toISOString();
}

/** The instant of a column's text, truncated to milliseconds; throws a RangeError for any other text. */
export function toDate(text: string): Date {
  return new Date(toIso(text));
}

/** Microseconds since 1970, from a column's text. Throws for other texts. */
export function toMicroseconds(text: string): number {
  const beyond = TEXT.exec(text)?.[3]?.padEnd(6, '0').slice(3) ?? '0';
  return Date.parse(toIso(text)) * 1_000 + Number(beyond);
}

/** Whether PostgreSQL takes the text as a timestamp: one that it handed out, or one that cannot be told from those. */
export function isTimestamp(text: string): boolean {
  const match = TEXT.exec(text);
  if (match === null || Number(match[1]?.slice(0, 4)) === 0) return false;
  const wall = new Date(`${match[1]}T${match[2]}Z`);
  // A day that its month does not have moves on to the next one instead of being refused.
  return !Number.isNaN(wall.getTime()) && wall.toISOString().startsWith(`${match[1]}T${match[2]}`);
}

/** The instant as text that PostgreSQL reads in the same way in any session's time zone. */
export function toText(date: Date): string {
  return date.toISOString();
}

/** In SQL: a timestamptz column as milliseconds since 1970, a float8 as JavaScript counts. */
export function millisecondsOf(column: string): RawBuilder<number> {
  return sql<number>`(extract(epoch from ${sql.ref(column)}) * 1000)::float8`;
}
