import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { isRefused } from '../database/refused.ts';
import { inTransaction } from '../database/transaction.ts';
import { appendEvents, type NewEvent } from '../events/log.ts';
import { type Attempt, eventOf, type UnwrittenLog } from './attempt.ts';

const FLUSH_MS = 250;
/** What could not be written is tried again after so long. */
const RETRY_MS = 1_000;
/** Progress events of one attempt are at least this far apart; the last one is always written. */
const PROGRESS_MS = 500;
const MAX_LINES = 1_000;
const MAX_LINE_LENGTH = 8_192;
const CUT = ' [cut]';

/**
 * Any value that task code returned, threw or logged, as text. A value that cannot be converted must not end the
 * process.
 */
export function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return `[a value that is no text: ${typeof value}]`;
  }
}

/** Text that PostgreSQL and JSON can hold: well-formed and without NUL. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{FFFD}');
}

interface Progress {
  /** 0 to 1. */
  fraction: number;
  done?: number;
  total?: number;
}

function shownProgress({ fraction, ...counts }: Progress) {
  return { progress: fraction, ...counts };
}

function bounded(text: string): string {
  return text.length > MAX_LINE_LENGTH ? `${text.slice(0, MAX_LINE_LENGTH).toWellFormed()}${CUT}` : text;
}

/** JSON text as large as a line may be; of data that is larger, or that no JSON can hold, a mark that says so. */
function dataText(data: unknown): string {
  try {
    const text = JSON.stringify(data) ?? 'null';
    // PostgreSQL's JSON functions refuse an escaped NUL.
    const storableText = storable(text).replaceAll('\\u0000', '\\ufffd');
    if (storableText.length <= MAX_LINE_LENGTH) return storableText;
    return JSON.stringify({
      cut: `the data had ${storableText.length} characters, at most ${MAX_LINE_LENGTH} are kept`,
    });
  } catch (error) {
    return JSON.stringify({ cut: `the data cannot be written as JSON: ${String(error)}` });
  }
}

/** What an attempt logs on its way, bounded in number and size and written a few times a second. */
export class AttemptLog {
  readonly #em: EntityManager;
  readonly #attempt: Attempt;
  readonly #written: () => void;
  #waiting: NewEvent[] = [];
  #lines = 0;
  #progress: Progress | undefined;
  #progressAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  /** `written` is called after each commit. */
  constructor(em: EntityManager, attempt: Attempt, written: () => void) {
    this.#em = em;
    this.#attempt = attempt;
    this.#written = written;
  }

  line(message: string, data?: unknown): void {
    if (this.#closed || this.#lines > MAX_LINES) return;
    this.#lines += 1;
    if (this.#lines > MAX_LINES) this.#add({ type: 'LOG', message: `The log was cut after ${MAX_LINES} lines.` });
    else
      this.#add({
        type: 'LOG',
        message: bounded(storable(textOf(message))),
        data: data === undefined ? null : dataText(data),
      });
  }

  /** `done` of `total`, which is 1 by default. Values that are not numbers are ignored. */
  progress(done: number, total = 1): void {
    const fraction = done / total;
    if (this.#closed || Number.isNaN(fraction)) return;
    this.#progress = { fraction: Math.min(1, Math.max(0, fraction)), ...(total === 1 ? {} : { done, total }) };
    this.#flushWithin(FLUSH_MS);
  }

  /** Closes the log, and returns the lines that are not written yet, for the transaction that settles the attempt. */
  async close(): Promise<UnwrittenLog> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    const progress = this.#progress?.fraction ?? null;
    return { events: this.#take(true), progress };
  }

  #add(event: Pick<NewEvent, 'type'> & Partial<NewEvent>): void {
    this.#waiting.push({ ...eventOf(this.#attempt, 'RUNNING'), ...event });
    this.#flushWithin(FLUSH_MS);
  }

  #flushWithin(milliseconds: number): void {
    if (!this.#closed) this.#timer ??= setTimeout(() => this.#flush(), milliseconds);
  }

  #take(last: boolean): NewEvent[] {
    const events = this.#waiting;
    this.#waiting = [];
    const now = performance.now();
    if (this.#progress !== undefined && (last || now - this.#progressAt >= PROGRESS_MS)) {
      events.push({
        ...eventOf(this.#attempt, 'RUNNING'),
        type: 'PROGRESS',
        data: JSON.stringify(shownProgress(this.#progress)),
      });
      this.#progress = undefined;
      this.#progressAt = now;
    }
    return events;
  }

  #flush(): void {
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#writeWaiting());
  }

  /** One at a time, so that lines that are put back stay in front of later ones. A log line must never break a run. */
  async #writeWaiting(): Promise<void> {
    const progress = this.#progress;
    const events = this.#take(false);
    if (this.#progress !== undefined) this.#flushWithin(FLUSH_MS);
    if (events.length === 0) return;
    try {
      await inTransaction(this.#em, (em) => this.#write(em, events, progress?.fraction));
      this.#written();
    } catch (error) {
      if (!isRefused(error)) this.#putBack(events, progress);
    }
  }

  /**
   * If the database is away, the lines are written with the next batch or with the settling; the limit of the attempt's
   * log bounds them. If the connection is lost during the commit, the outcome is unknown and the lines are kept too: a
   * duplicate line is recognisable, a lost one might have explained a failure.
   */
  #putBack(events: readonly NewEvent[], progress: Progress | undefined): void {
    this.#waiting.unshift(...events.filter(({ type }) => type !== 'PROGRESS'));
    this.#progress ??= progress;
    this.#flushWithin(RETRY_MS);
  }

  /** Fenced like the settling: a worker that has lost its attempt writes nothing. */
  async #write(em: EntityManager, events: readonly NewEvent[], progress: number | undefined): Promise<void> {
    const { rows } = await sql`
      update run set progress = coalesce(${progress ?? null}::float8, progress)
      where id = ${this.#attempt.runId} and job_id = ${this.#attempt.job.id} and state = 'RUNNING'
      returning id
    `.execute(em.getKysely());
    if (rows.length === 1) await appendEvents(em, events);
  }
}
