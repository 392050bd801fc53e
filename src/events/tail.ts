import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Notifications } from '../database/notifications.ts';
import type { Row } from '../database/rows.ts';
import type { EventType } from '../entities/event.ts';
import { Coalesced } from '../lib/coalesced.ts';
import {
  areOfOtherHistories,
  checkNotRemoved,
  checkSame,
  decodeCursor,
  encodeCursor,
  headOf,
  type LogHead,
  laterOf,
  markOf,
  type Position,
} from './cursor.ts';
import { endable, follow, type Hub, type Joined, type Member } from './live.ts';
import { checkPositions, MARK, sequenceEvents } from './log.ts';

/** A sequenced event as stored. */
export type EventRow = Row<'event'> & { seq: number };

/** Which events a reader wants; an absent field is any. */
interface EventSelection {
  taskId?: number;
  runId?: number;
  /** Leaves out events of tasks, as opposed to runs. */
  runsOnly?: boolean;
  /** Leaves out events of these types. */
  without?: readonly EventType[];
}

/** An event with the position after it. One object serves all subscribers that are up to date. */
export interface LoggedEvent extends Position {
  cursor: string;
  row: EventRow;
}

/** Selected events, and the position that they follow. */
export interface EventStream extends AsyncIterableIterator<LoggedEvent, void, undefined> {
  startCursor: string;
}

/** Instead of a cursor: the oldest event that the log still has. */
export const FROM_START = Symbol('the start of the log');

function startOf(after: string | typeof FROM_START | undefined, log: LogHead): Position {
  if (after === undefined) return headOf(log);
  return after === FROM_START ? { seq: log.floor, mark: null } : decodeCursor(after, log);
}

/** Something beside the subscribers that takes every new event, in order. */
export interface Watcher {
  take(event: LoggedEvent): void;
  /** All events up to here have been taken. */
  caughtUp(position: Position): void;
  /** The stream ends: the tail stops, or cannot continue without a gap. */
  end(): void;
}

/** Makes up for a wake-up that was lost: its sender was killed after the commit, or a connection dropped. */
const POLL_MS = 1_000;
const PAGE = 1_000;

function selects({ taskId, runId, runsOnly, without }: EventSelection, { row }: LoggedEvent): boolean {
  if (taskId !== undefined && row.task_id !== taskId) return false;
  if (runId !== undefined && row.run_id !== runId) return false;
  return !(runsOnly && row.run_id === null) && !without?.includes(row.type);
}

/**
 * The one reader of new events in a process: it reads each once, when woken, and fans it out to all subscribers that
 * are up to date. While nobody subscribes it reads nothing. The HTTP host stops it.
 */
export class EventTail implements Hub<LoggedEvent> {
  readonly #em: EntityManager;
  readonly #members = new Set<Member<LoggedEvent>>();
  readonly #watchers = new Set<Watcher>();
  readonly #unlisten: () => void;
  #poll: NodeJS.Timeout | undefined;
  #stopped = false;
  #logId = '';
  /** Everything up to here has been handed to the members and watchers of that time. */
  #position: Position = { seq: 0, mark: null };
  #readCount = 0;
  #fellBehindCount = 0;
  readonly #reading: Coalesced;

  constructor(em: EntityManager, notifications: Notifications, log: Logger) {
    this.#em = em;
    this.#reading = new Coalesced('read new events', log, () => this.#readOn());
    this.#unlisten = notifications.on('slotkeeper_events', () => this.#wake());
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Who follows the live stream at this moment. */
  get subscriberCount(): number {
    return this.#members.size + this.#watchers.size;
  }

  /** How many positions the live stream is behind the head of the log; 0 without subscribers. */
  lagBehind(head: number): number {
    return this.subscriberCount === 0 ? 0 : Math.max(0, head - this.#position.seq);
  }

  /** How often it has read the log for all of them. */
  get readCount(): number {
    return this.#readCount;
  }

  /** How often a subscriber was too slow for the live stream and was sent back to the log. */
  get fellBehindCount(): number {
    return this.#fellBehindCount;
  }

  /**
   * The selected events after the cursor in log order, then live ones, without end, gap or duplicate. Without `after`,
   * from now on. Throws CURSOR_EXPIRED if the log cannot continue from the cursor; so does a later `next` if that
   * happens while the stream is followed. `return` ends it at once, also while it waits.
   */
  async subscribe(selection: EventSelection, after?: string | typeof FROM_START): Promise<EventStream> {
    const log = await sequenceEvents(this.#em);
    const position = startOf(after, log);
    if (typeof after === 'string') await checkPositions(this.#em.fork(), log.logId, [position]);
    const following = {
      from: { logId: log.logId, position },
      wants: (event: LoggedEvent) => selects(selection, event),
      stored: (from: Position, upTo: number, signal: AbortSignal) =>
        this.stored(selection, { logId: log.logId, position: from }, upTo, signal),
    };
    const events = endable((signal) => follow(this, following, signal));
    return Object.assign(events, { startCursor: encodeCursor(log.logId, position) });
  }

  async refresh(): Promise<void> {
    this.#reading.request();
    await this.#reading.idle();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unlisten();
    this.#endAll();
    this.#members.clear();
    this.#watchers.clear();
    clearInterval(this.#poll);
    await this.#reading.stop();
  }

  /** From the returned position on, the member gets every new event. */
  async join(member: Member<LoggedEvent>): Promise<Joined> {
    const joined = await this.#joinAs(() => this.#members.add(member));
    // Stopped in the meantime: nothing else would end it.
    if (this.#stopped) member.end();
    return joined;
  }

  leave(member: Member<LoggedEvent>): void {
    member.end();
    this.#members.delete(member);
    this.#restIfAlone();
  }

  /** The same for a watcher. */
  async watch(watcher: Watcher): Promise<Joined> {
    const joined = await this.#joinAs(() => this.#watchers.add(watcher));
    if (this.#stopped) watcher.end();
    return joined;
  }

  unwatch(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    this.#restIfAlone();
  }

  /** The selected events of the log in (from, upTo], in order. Throws CURSOR_EXPIRED if retention has removed any. */
  async *stored(
    selection: EventSelection,
    { logId, position }: Joined,
    upTo: number,
    signal: AbortSignal,
  ): AsyncGenerator<LoggedEvent, void, undefined> {
    let from = position;
    while (from.seq < upTo && !signal.aborted) {
      const { rows, start } = await this.#page(selection, from, upTo);
      checkSame(from, start);
      for (const row of rows) yield loggedEvent(logId, row);
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      from = positionOf(last);
    }
  }

  async #joinAs(add: () => void): Promise<Joined> {
    if (this.subscriberCount === 0) {
      await this.#reading.idle();
      const log = await sequenceEvents(this.#em);
      // Another first one may have joined meanwhile, who must get what comes after its own position; or have joined, read
      // on and left again, in the same log.
      if (this.subscriberCount === 0) {
        this.#position = log.logId === this.#logId ? laterOf(headOf(log), this.#position) : headOf(log);
        this.#logId = log.logId;
      }
    }
    if (!this.#stopped) {
      add();
      this.#poll ??= setInterval(() => this.#wake(), POLL_MS);
    }
    return { logId: this.#logId, position: this.#position };
  }

  #restIfAlone(): void {
    if (this.subscriberCount > 0) return;
    clearInterval(this.#poll);
    this.#poll = undefined;
  }

  #wake(): void {
    if (this.subscriberCount > 0) this.#reading.request();
  }

  async #readOn(): Promise<void> {
    if (this.subscriberCount === 0) return;
    const log = await sequenceEvents(this.#em);
    const { logId, head, floor } = log;
    const { seq } = this.#position;
    if (logId !== this.#logId || seq < floor || seq > head) return this.#startAgain(log);
    if (areOfOtherHistories(this.#position, headOf(log))) return this.#startAgain(log);
    while (this.#position.seq < head) {
      const { rows, start } = await this.#page({}, this.#position, head);
      if (areOfOtherHistories(this.#position, start)) return this.#startAgain(log);
      for (const row of rows) this.#handOut(loggedEvent(logId, row));
      const last = rows.at(-1);
      this.#position = last === undefined || rows.length < PAGE ? headOf(log) : positionOf(last);
      for (const watcher of this.#watchers) watcher.caughtUp(this.#position);
    }
  }

  #handOut(event: LoggedEvent): void {
    for (const member of this.#members) if (!member.offer(event)) this.#fellBehindCount += 1;
    for (const watcher of this.#watchers) watcher.take(event);
  }

  /**
   * The log is another one (a fail-over, a restore), or the process slept for longer than events are kept: each
   * subscriber looks at the log and learns whether it can go on.
   */
  #startAgain(log: LogHead): void {
    this.#logId = log.logId;
    this.#position = headOf(log);
    this.#endAll();
    this.#watchers.clear();
  }

  #endAll(): void {
    for (const member of this.#members) member.end();
    for (const watcher of this.#watchers) watcher.end();
  }

  /** Events after a position, in order, and the new position, read with the floor in one statement. */
  async #page({ taskId, runId, runsOnly, without }: EventSelection, { seq: after }: Position, upTo: number) {
    this.#readCount += 1;
    const conditions = [sql`seq > ${after} and seq <= ${upTo}`];
    if (taskId !== undefined) conditions.push(sql`task_id = ${taskId}`);
    if (runId !== undefined) conditions.push(sql`run_id = ${runId}`);
    if (runsOnly) conditions.push(sql`run_id is not null`);
    if (without !== undefined) conditions.push(sql`type <> all(${[...without]}::text[])`);
    const { rows } = await sql<EventRow & { floor: number; start_mark: string | null; seq: number | null }>`
      select event_log.floor, (select ${MARK} from event where seq = ${after}) as start_mark, page.* from event_log left join lateral (
        select * from event where ${sql.join(conditions, sql` and `)} order by seq limit ${PAGE}) as page on true
      order by page.seq
    `.execute(this.#em.fork().getKysely());
    checkNotRemoved(after, rows[0]?.floor ?? 0);
    const start: Position = { seq: after, mark: rows[0]?.start_mark ?? null };
    return { rows: rows.filter(({ seq }) => seq !== null) as EventRow[], start };
  }
}

export function loggedEvent(logId: string, row: EventRow): LoggedEvent {
  const position = positionOf(row);
  return { cursor: encodeCursor(logId, position), ...position, row };
}

function positionOf(row: EventRow): Position {
  return { seq: row.seq, mark: markOf(row) };
}
