// The range that the timeline shows, and how the address holds it.
import { MINUTE_MS } from '../parts/intervals.ts';

/** From short to long: the length and step of the range in minutes, and how often it is reloaded. */
export const ZOOMS = {
  hour: { label: 'Hour', minutes: 60, step: 1, reloadMs: 5_000 },
  '6h': { label: '6 hours', minutes: 360, step: 5, reloadMs: 10_000 },
  day: { label: 'Day', minutes: 1_440, step: 15, reloadMs: 30_000 },
  week: { label: 'Week', minutes: 7 * 1_440, step: 60, reloadMs: MINUTE_MS },
  month: { label: 'Month', minutes: 31 * 1_440, step: 360, reloadMs: MINUTE_MS },
} as const;
export type Zoom = keyof typeof ZOOMS;
export const ZOOM_NAMES = Object.keys(ZOOMS) as Zoom[];

/** Instants in milliseconds since 1970, whole minutes. */
export interface View {
  zoom: Zoom;
  /** Start of the range; null to follow the current time. */
  from: number | null;
  /** Start of the selected step; null for none. */
  at: number | null;
}

export interface Range {
  from: number;
  to: number;
  stepMinutes: number;
}

export function readView(search: URLSearchParams): View {
  const zoom = ZOOM_NAMES.find((name) => name === search.get('zoom')) ?? 'hour';
  return { zoom, from: readMinute(search.get('from')), at: readMinute(search.get('at')) };
}

function readMinute(text: string | null): number | null {
  const time = Date.parse(text ?? '');
  // The server accepts years of four digits.
  return time >= 0 && time < Date.UTC(9_999, 0) ? Math.floor(time / MINUTE_MS) * MINUTE_MS : null;
}

export function writeView({ zoom, from, at }: View): string {
  const search = new URLSearchParams({ zoom });
  if (from !== null) search.set('from', minuteText(from));
  if (at !== null) search.set('at', minuteText(at));
  return search.toString().replaceAll('%3A', ':');
}

/** `2026-03-01T08:30Z` */
function minuteText(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16)}Z`;
}

export function rangeOf({ zoom, from }: Pick<View, 'zoom' | 'from'>, now: number): Range {
  const { minutes, step } = ZOOMS[zoom];
  const begin = from ?? centred(zoom, now);
  return { from: begin, to: begin + minutes * MINUTE_MS, stepMinutes: step };
}

/** The start of the range that has the instant in its middle. */
export function centred(zoom: Zoom, instant: number): number {
  const { minutes, step } = ZOOMS[zoom];
  return alignedDown(instant - (minutes / 2) * MINUTE_MS, step);
}

/** Steps are aligned to hours and days in the browser's time zone. */
function alignedDown(instant: number, stepMinutes: number): number {
  const offset = new Date(instant).getTimezoneOffset();
  const wall = Math.floor(instant / MINUTE_MS) - offset;
  return (Math.floor(wall / stepMinutes) * stepMinutes + offset) * MINUTE_MS;
}

/** The labelled instants of the time axis: round times in the browser's time zone. */
export function ticksOf(zoom: Zoom, { from, to, stepMinutes }: Range): number[] {
  const ticks: number[] = [];
  for (let at = from; at < to; at += stepMinutes * MINUTE_MS) if (isRound(zoom, new Date(at))) ticks.push(at);
  return ticks;
}

function isRound(zoom: Zoom, at: Date): boolean {
  const [day, hour, minute] = [at.getDay(), at.getHours(), at.getMinutes()];
  if (zoom === 'hour') return minute % 10 === 0;
  if (zoom === '6h') return minute === 0;
  if (zoom === 'day') return minute === 0 && hour % 3 === 0;
  return minute === 0 && hour < 6 && (zoom === 'week' ? hour === 0 : day === 1);
}
