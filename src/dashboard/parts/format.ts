// Formats times, durations and states.
import type { RunState } from '../operations.ts';
import { MINUTE_MS } from './intervals.ts';

const HERE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** Date and time in the browser's time zone. */
export function formatTime(instant: string): string {
  return HERE.format(new Date(instant));
}

const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
});

/** The time of day to the millisecond, in the browser's time zone. */
export function formatClock(instant: string): string {
  return CLOCK.format(new Date(instant));
}

const STAMP = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
});

/** The day and time to the millisecond, in the browser's time zone. */
export function formatStamp(instant: string): string {
  return STAMP.format(new Date(instant));
}

/** Date and time in the task's time zone, for the tooltip. */
export function formatIn(instant: string, timeZone: string): string {
  const there = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long', timeZone });
  return `${there.format(new Date(instant))} (${timeZone})`;
}

/** The value of a datetime-local input, in the browser's time zone; empty if `instant` is not one. */
export function formatLocalInput(instant: string | null | undefined): string {
  const at = new Date(instant ?? '');
  if (Number.isNaN(at.getTime())) return '';
  return new Date(at.getTime() - at.getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 16);
}

const UNITS: [string, number][] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

/** The two largest units: `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const first = UNITS.findIndex(([, size]) => whole >= size);
  if (first === -1) return '0 s';
  let rest = whole;
  const parts = UNITS.slice(first, first + 2).map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count === 0 ? '' : `${count} ${unit}`;
  });
  return parts.filter((part) => part !== '').join(' ');
}

/** In whole minutes from one minute on. */
export function formatAge(seconds: number): string {
  if (seconds < 1) return 'just now';
  return `${formatDuration(seconds < 60 ? seconds : Math.floor(seconds / 60) * 60)} ago`;
}

/** A measured duration: `400 ms`, `1.5 s`, `12 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return '—';
  if (seconds < 1) return `${Math.round(seconds * 1_000)} ms`;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : formatDuration(seconds);
}

export const STATE_NAMES: Record<RunState, string> = {
  QUEUED: 'Queued',
  RUNNING: 'Running',
  SUCCEEDED: 'Succeeded',
  FAILED: 'Failed',
  CANCELLED: 'Cancelled',
  SKIPPED: 'Skipped',
};

/** Whether `end` is past; null never ends. */
export function isOver(end: string | null): boolean {
  return end !== null && Date.parse(end) <= Date.now();
}
