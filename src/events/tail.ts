import type { EntityManager } from '@mikro-orm/postgresql';
import { type Selectable, sql } from 'kysely';
import type { Logger } from 'pino';
import { Coalesced } from '../coalesced.ts';
import type { Notifications } from '../database/notifications.ts';
import type { Tables } from '../entities/index.ts';
import { checkNotRemoved, decodeCursor, encodeCursor, type LogHead } from './cursor.ts';
import { sequenceEvents } from './log.ts';
import { Subscriber } from './subscriber.ts';

/** A sequenced event as stored. */
export type EventRow = Selectable<Tables['event']> & { seq: number };

/** Which events a reader wants; an absent field is any. */
export interface EventSelection {
  taskId?: number;
  runId?: number;
  /** Leaves out what was done to a task itself. */
  runsOnly?: boolean;
}

/** An event with the position after it. */
export interface LoggedEvent {
  cursor: string;
  row: EventRow;
}

/** Instead of a cursor: the oldest event that the log still has. */
export const FROM_START = Symbol('the start of the log');

function startOf(after: string | typeof FROM_START | undefined, log: LogHead): number {
  if (after === undefined) return log.head;
  return after === FROM_START ? log.floor : decodeCursor(after, log);
}

/** Makes up for a wake-up that was lost: its sender was killed after the commit, or a connection dropped. */
const POLL_MS = 1_000;
const PAGE = 1_000;

/**
 * The one reader of new events in a process: it reads each once, when woken, and fans it out to all subscribers that
 * are up to date. While nobody subscribes it reads nothing. The HTTP host stops it.
 */
export class EventTail {
  readonly #em: EntityManager;
  readonly #subscribers = new Set<Subscriber>();
  readonly #unlisten: () => void;
  #poll: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Everything up to here has been handed to the subscribers of that time. */
  #position = 0;
  readonly #reading: Coalesced;

  constructor(em: EntityManager, notifications: Notifications, log: Logger) {
    this.#em = em;
    this.#reading = new Coalesced('read new events', log, () => this.#readOn());
    this.#unlisten = notifications.on('slotkeeper_events', () => this.#wake());
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  get subscriberCount(): number {
    return this.#subscribers.size;
  }

  /**
   * The selected events after the cursor in log order, then live ones, without end, gap or double. Without `after`,
   * from now. The first `next` throws CURSOR_EXPIRED where the log cannot go on from the cursor. `return` ends it at
   * once, also while it waits.
   */
  subscribe(
    selection: EventSelection,
    after?: string | typeof FROM_START,
  ): AsyncIterableIterator<LoggedEvent, void, undefined> {
    const controller = new AbortController();
    const events = this.#follow(selection, after, controller.signal);
    return {
      next: () => events.next(),
      return: () => {
        controller.abort();
        return events.return();
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unlisten();
    for (const subscriber of this.#subscribers) subscriber.end();
    this.#subscribers.clear();
    clearInterval(this.#poll);
    await this.#reading.stop();
  }

  async *#follow(
    selection: EventSelection,
    after: string | typeof FROM_START | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<LoggedEvent, void, undefined> {
    const log = await sequenceEvents(this.#em);
    let position = startOf(after, log);
    while (!signal.aborted && !this.#stopped) {
      // Registered first, then the log is read up to where the live stream begins: no seam.
      const subscriber = new Subscriber(selection);
      try {
        const joinedAt = await this.#join(subscriber);
        for await (const row of this.#stored(selection, position, joinedAt, signal)) {
          position = row.seq;
          yield { cursor: encodeCursor(log.logId, position), row };
        }
        position = Math.max(position, joinedAt);
        // Ends early where the subscriber fell behind: it then reads the log at its own pace and joins again.
        for await (const row of subscriber.rows(signal)) {
          if (row.seq <= position) continue;
          position = row.seq;
          yield { cursor: encodeCursor(log.logId, position), row };
        }
      } finally {
        this.#leave(subscriber);
      }
    }
  }

  /** From the returned position on, `subscriber` gets every new event. */
  async #join(subscriber: Subscriber): Promise<number> {
    if (this.#subscribers.size === 0) {
      await this.#reading.idle();
      const { head } = await sequenceEvents(this.#em);
      // Another first subscriber may have joined meanwhile, who must get what comes after its own position; or have
      // joined, read on and left again.
      if (this.#subscribers.size === 0) this.#position = Math.max(this.#position, head);
    }
    // Stopped meanwhile: nobody would end it any more.
    if (this.#stopped) {
      subscriber.end();
      return this.#position;
    }
    this.#subscribers.add(subscriber);
    this.#poll ??= setInterval(() => this.#wake(), POLL_MS);
    return this.#position;
  }

  #leave(subscriber: Subscriber): void {
    subscriber.end();
    this.#subscribers.delete(subscriber);
    if (this.#subscribers.size > 0) return;
    clearInterval(this.#poll);
    this.#poll = undefined;
  }

  #wake(): void {
    if (this.#subscribers.size > 0) this.#reading.request();
  }

  async #readOn(): Promise<void> {
    if (this.#subscribers.size === 0) return;
    const { head, floor } = await sequenceEvents(this.#em);
    if (this.#position < floor) return this.#startAgain(head);
    while (this.#position < head) {
      const rows = await this.#page({}, this.#position, head);
      for (const row of rows) for (const subscriber of this.#subscribers) subscriber.offer(row);
      const last = rows.at(-1);
      this.#position = last === undefined || rows.length < PAGE ? head : last.seq;
    }
  }

  /** The process slept for longer than events are kept: each subscriber learns from the log that it cannot go on. */
  #startAgain(head: number): void {
    this.#position = head;
    for (const subscriber of this.#subscribers) subscriber.end();
  }

  async *#stored(selection: EventSelection, after: number, upTo: number, signal: AbortSignal) {
    let position = after;
    while (position < upTo && !signal.aborted) {
      const rows = await this.#page(selection, position, upTo);
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      position = last.seq;
    }
  }

  /**
   * Events after a position, in order. Throws CURSOR_EXPIRED where retention has removed any of them: the floor is read by
   * the same statement as the events.
   */
  async #page({ taskId, runId, runsOnly }: EventSelection, after: number, upTo: number): Promise<EventRow[]> {
    const conditions = [sql`seq > ${after} and seq <= ${upTo}`];
    if (taskId !== undefined) conditions.push(sql`task_id = ${taskId}`);
    if (runId !== undefined) conditions.push(sql`run_id = ${runId}`);
    if (runsOnly) conditions.push(sql`run_id is not null`);
    const { rows } = await sql<EventRow & { floor: number; seq: number | null }>`
      select event_log.floor, page.* from event_log left join lateral (
        select * from event where ${sql.join(conditions, sql` and `)} order by seq limit ${PAGE}) as page on true
      order by page.seq
    `.execute(this.#em.fork().getKysely());
    checkNotRemoved(after, rows[0]?.floor ?? 0);
    return rows.filter(({ seq }) => seq !== null);
  }
}
