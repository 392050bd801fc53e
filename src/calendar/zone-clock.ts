// The wall clock of a time zone. An instant and a wall time are both whole minutes since 1970-01-01T00:00, the one in
// UTC, the other as the zone's clock shows it; so wall = instant + offset.
import { LRUCache } from 'lru-cache';
import { MINUTES_PER_DAY, MS_PER_MINUTE } from './repeat-rule.ts';

/** A range of instants [from, to) with one offset. It may end without a change of the offset. */
interface Stretch {
  from: number;
  to: number;
  offset: number;
}

// Since 1970 no zone has changed its clock twice within six days, so one look a day misses no change.
const LOOK_EVERY = MINUTES_PER_DAY;
const CHUNK = 32 * MINUTES_PER_DAY;
const MAX_CHUNKS = 256;
const MAX_NAMES = 2_000;
// No offset exceeds 16 hours, so what a clock showed two days ago it cannot show again.
const MEMORY = 2 * MINUTES_PER_DAY;

export class ZoneClock {
  readonly #format: Intl.DateTimeFormat;
  readonly #chunks = new LRUCache<number, Stretch[]>({
    max: MAX_CHUNKS,
    memoMethod: (index) => this.#readChunk(index),
  });
  #current: Stretch = { from: 0, to: 0, offset: 0 };

  /** Throws a RangeError for a zone that isTimeZone refuses. */
  constructor(timeZone: string) {
    if (!isTimeZone(timeZone)) throw new RangeError(`"${timeZone}" is no IANA time zone`);
    this.#format = offsetFormat(timeZone);
  }

  stretchAt(instant: number): Stretch {
    if (instant >= this.#current.from && instant < this.#current.to) return this.#current;
    const index = Math.floor(instant / CHUNK);
    const stretches = this.#chunks.memo(index);
    const found = stretches.find((stretch) => instant < stretch.to);
    if (found === undefined) throw new RangeError(`instant ${instant} is outside of time`);
    this.#current = found;
    return found;
  }

  /** The latest wall time shown up to and including `instant`; behind the clock's high-water mark in a repeated hour. */
  latestShown(instant: number): number {
    let stretch = this.stretchAt(instant);
    let latest = instant + stretch.offset;
    while (stretch.from > instant - MEMORY) {
      const end = stretch.from - 1;
      stretch = this.stretchAt(end);
      latest = Math.max(latest, end + stretch.offset);
    }
    return latest;
  }

  /**
   * The first instant at which the clock shows `wall` or, where it jumps over that, anything later. This one definition
   * gives the first of two occurrences, and the first instant after a gap, even when the gap ends on the next date.
   */
  firstReaching(wall: number): number {
    let instant = wall - MINUTES_PER_DAY;
    for (;;) {
      const stretch = this.stretchAt(instant);
      const reached = Math.max(instant, wall - stretch.offset);
      if (reached < stretch.to) return reached;
      instant = stretch.to;
    }
  }

  /** Whether the wall time shown at `instant` is shown again later. */
  isShownAgain(instant: number): boolean {
    let stretch = this.stretchAt(instant);
    const wall = instant + stretch.offset;
    while (stretch.to < instant + MEMORY) {
      stretch = this.stretchAt(stretch.to);
      const again = wall - stretch.offset;
      if (again >= stretch.from && again < stretch.to) return true;
    }
    return false;
  }

  #readChunk(index: number): Stretch[] {
    const end = (index + 1) * CHUNK;
    let last: Stretch = { from: index * CHUNK, to: end, offset: this.#offsetAt(index * CHUNK) };
    const stretches = [last];
    for (let look = last.from + LOOK_EVERY; look <= end; look += LOOK_EVERY) {
      // The chunk's last minute belongs to its last day; the minute after it to the next chunk.
      const probe = Math.min(look, end - 1);
      const offset = this.#offsetAt(probe);
      if (offset === last.offset) continue;
      last.to = this.#findChange(look - LOOK_EVERY, probe);
      last = { from: last.to, to: end, offset };
      stretches.push(last);
    }
    return stretches;
  }

  /** The first instant in (before, after] with the offset of `after`. */
  #findChange(before: number, after: number): number {
    const changed = this.#offsetAt(after);
    let [low, high] = [before, after];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offsetAt(middle) === changed) high = middle;
      else low = middle;
    }
    return high;
  }

  #offsetAt(instant: number): number {
    return parseOffset(this.#format.format(instant * MS_PER_MINUTE));
  }
}

const MAX_CLOCKS = 200;
const clocks = new LRUCache<string, ZoneClock>({
  max: MAX_CLOCKS,
  memoMethod: (timeZone) => new ZoneClock(timeZone),
});

/** Throws a RangeError for a zone that isTimeZone refuses. */
export function zoneClock(timeZone: string): ZoneClock {
  return clocks.memo(timeZone);
}

/** Names that were looked at; making a format takes a tenth of a millisecond or more. */
const areZones = new LRUCache<string, boolean>({ max: MAX_NAMES, memoMethod: hasFormat });

/**
 * Whether `name` is an IANA zone, aliases (Asia/Calcutta, EST5EDT) included, in any case as PostgreSQL has it. A bare
 * offset (+01:00) is none: it knows no changes, and PostgreSQL reads its sign the other way round.
 */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) return false;
  return areZones.memo(name);
}

function hasFormat(timeZone: string): boolean {
  try {
    offsetFormat(timeZone);
    return true;
  } catch {
    return false;
  }
}

function offsetFormat(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
}

/**
 * Minutes east of UTC from "1/1/1970, GMT-00:44:30". Seconds, which Monrovia had until 1972, are rounded down: slots are
 * whole minutes, and at a whole minute such a clock shows a minute begun.
 */
function parseOffset(text: string): number {
  const match = /GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/.exec(text);
  if (match === null) throw new Error(`cannot read a UTC offset from "${text}"`);
  const [, sign, hours = '0', minutes = '0', seconds = '0'] = match;
  const size = Number(hours) * 60 + Number(minutes) + Number(seconds) / 60;
  return Math.floor(sign === '-' ? -size : size);
}
