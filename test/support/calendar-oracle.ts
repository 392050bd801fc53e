// What the calendar should say, found the slow way: minute by minute on the clock that Intl shows, and date by date.
import type { RepeatRule } from '../../src/calendar/schedule.ts';

const MINUTE = 60_000;
const DAY = 1440;

/** A rule for every minute; tests say what differs. */
export const EVERY: RepeatRule = {
  start: null,
  end: null,
  intervalDays: null,
  year: null,
  month: null,
  dayOfMonth: null,
  weekOfMonth: null,
  dayOfWeek: null,
  hour: null,
  minute: null,
};

/** Whether the rule has the date and time that a wall clock shows, given as though it were UTC. */
export function matches(rule: RepeatRule, wallMinute: number): boolean {
  const wall = new Date(wallMinute * MINUTE);
  if (rule.hour !== null && wall.getUTCHours() !== rule.hour) return false;
  if (rule.minute !== null && wall.getUTCMinutes() !== rule.minute) return false;
  return matchesDate(rule, wall);
}

export function matchesDate(rule: RepeatRule, date: Date): boolean {
  const { start, end, intervalDays } = rule;
  if (intervalDays === null && !matchesFields(rule, date)) return false;
  if (start === null && end === null && intervalDays === null) return true;
  const text = date.toISOString().slice(0, 10);
  if ((start !== null && text < start) || (end !== null && text > end)) return false;
  return intervalDays === null || ((Date.parse(text) - Date.parse(start ?? '')) / (DAY * MINUTE)) % intervalDays === 0;
}

function matchesFields(rule: RepeatRule, date: Date): boolean {
  if (rule.year !== null && date.getUTCFullYear() !== rule.year) return false;
  if (rule.month !== null && date.getUTCMonth() + 1 !== rule.month) return false;
  if (rule.dayOfMonth !== null && date.getUTCDate() !== rule.dayOfMonth) return false;
  if (rule.dayOfWeek !== null && date.getUTCDay() !== rule.dayOfWeek) return false;
  return rule.weekOfMonth === null || weekOf(date, rule.dayOfWeek !== null) === rule.weekOfMonth;
}

function weekOf(date: Date, ofThisWeekday: boolean): number {
  const day = date.getUTCDate();
  if (!ofThisWeekday) return [7, 14, 21, 28, 31].findIndex((last) => day <= last) + 1;
  let nth = 0;
  for (let earlier = day; earlier >= 1; earlier -= 7) nth += 1;
  return nth;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatFor(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const date = { year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  const time = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, ...date, ...time });
  formats.set(timeZone, format);
  return format;
}

/** In the form of Sweden, `2024-03-31 03:00`, a text holds all there is to read; taking it apart by `formatToParts` takes longer. */
function readWall(timeZone: string, instantMinute: number): number {
  const [, year, month, day, hour, minute] =
    /^(\d+)-(\d\d)-(\d\d) (\d\d):(\d\d)$/.exec(formatFor(timeZone).format(instantMinute * MINUTE)) ?? [];
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute)) / MINUTE;
}

const days = new Map<string, number[]>();

/** The wall minute at an instant, in minutes since 1970; a day is read at once and kept. */
export function wallAt(timeZone: string, instantMinute: number): number {
  const day = Math.floor(instantMinute / DAY);
  const key = `${timeZone} ${day}`;
  let walls = days.get(key);
  if (walls === undefined) {
    if (days.size > 5_000) days.clear();
    walls = readDay(timeZone, day * DAY);
    days.set(key, walls);
  }
  return walls[instantMinute - day * DAY] ?? Number.NaN;
}

/** No zone has changed its clock twice within so long since 1990. */
const STEP = 15;

/** Each minute of a day. Where the clock goes on evenly from one step to the next, those between are counted, not read. */
function readDay(timeZone: string, start: number): number[] {
  const walls: number[] = [];
  let wall = readWall(timeZone, start);
  for (let minute = start; minute < start + DAY; minute += STEP) {
    const next = readWall(timeZone, minute + STEP);
    const isEven = next - wall === STEP;
    for (let after = 0; after < STEP; after += 1) {
      walls.push(isEven ? wall + after : readWall(timeZone, minute + after));
    }
    wall = next;
  }
  return walls;
}

export interface OracleSlot {
  minute: number;
  note: 'SKIPPED_WALL_TIME' | 'REPEATED_WALL_TIME' | null;
}

/** The slots in (after, until], instants in minutes since 1970. */
export function slotsOf(rules: readonly RepeatRule[], timeZone: string, after: number, until: number): OracleSlot[] {
  const slots: OracleSlot[] = [];
  let latest = Number.NEGATIVE_INFINITY;
  for (let minute = after - 2 * DAY; minute <= after; minute += 1) latest = Math.max(latest, wallAt(timeZone, minute));
  for (let minute = after + 1; minute <= until; minute += 1) {
    const wall = wallAt(timeZone, minute);
    const slot = slotAt(rules, timeZone, minute, { wall, latest });
    if (slot !== null) slots.push(slot);
    latest = Math.max(latest, wall);
  }
  return slots;
}

function slotAt(
  rules: readonly RepeatRule[],
  timeZone: string,
  minute: number,
  { wall, latest }: { wall: number; latest: number },
): OracleSlot | null {
  const fixed = rules.filter((rule) => rule.hour !== null && rule.minute !== null);
  const isNew = wall > latest;
  const skipped: number[] = [];
  for (let missing = latest + 1; missing < wall; missing += 1) skipped.push(missing);
  if (fixed.some((rule) => skipped.some((missing) => matches(rule, missing)))) {
    return { minute, note: 'SKIPPED_WALL_TIME' };
  }
  if (isNew && fixed.some((rule) => matches(rule, wall))) {
    return { minute, note: isShownAgain(timeZone, minute, wall) ? 'REPEATED_WALL_TIME' : null };
  }
  const followsRealTime = rules.some((rule) => !fixed.includes(rule) && matches(rule, wall));
  return followsRealTime ? { minute, note: null } : null;
}

function isShownAgain(timeZone: string, minute: number, wall: number): boolean {
  for (let later = minute + 1; later <= minute + DAY; later += 1) if (wallAt(timeZone, later) === wall) return true;
  return false;
}

const changes = new Map<string, number[]>();

/** Instants, to the day before, at which the zone changed its clock from 1990 to 2039. */
export function changesOf(timeZone: string): number[] {
  const known = changes.get(timeZone);
  if (known !== undefined) return known;
  const found: number[] = [];
  const end = Date.UTC(2040, 0, 1) / MINUTE;
  let wall = readWall(timeZone, Date.UTC(1990, 0, 1) / MINUTE);
  for (let minute = Date.UTC(1990, 0, 1) / MINUTE; minute < end; minute += DAY) {
    const next = readWall(timeZone, minute + DAY);
    if (next - wall !== DAY) found.push(minute);
    wall = next;
  }
  changes.set(timeZone, found);
  return found;
}
