// What changes about tasks, for all who watch lists of them: made from the event log, looked up once for all.
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import { readRows } from '../../database/rows.ts';
import type { EventType } from '../../entities/event.ts';
import {
  decodeFeedCursor,
  encodeCursor,
  encodeSnapshotCursor,
  headOf,
  laterOf,
  type Position,
} from '../../events/cursor.ts';
import { endable, follow, type Hub, type Joined, type Member } from '../../events/live.ts';
import { checkPositions, sequenceEvents } from '../../events/log.ts';
import type { EventTail, LoggedEvent, Watcher } from '../../events/tail.ts';
import { Coalesced } from '../../lib/coalesced.ts';
import { whereTask } from '../../schema/task-filter.ts';
import { AT_ONCE, type Filter, readChanges, type TaskChange, type TaskFeedItem, tryFilter } from './changes.ts';
import { Membership } from './membership.ts';

/** These tell nothing of what a task shows. */
const WITHOUT: readonly EventType[] = ['LOG', 'PROGRESS'];
const PAGE = 250;
const BEGINNING: Position = { seq: 0, mark: null };

interface Watched {
  filter: Filter;
  count: number;
}

/**
 * Feeds of tasks. Everything that changes a task appends an event in the same transaction, so the log says which tasks
 * may have changed; what they are now, and which filters they meet, is one query for all feeds. The HTTP host stops it.
 */
export class TaskFeed implements Hub<TaskChange>, Watcher {
  readonly #em: EntityManager;
  readonly #tail: EventTail;
  readonly #members = new Set<Member<TaskChange>>();
  readonly #filters = new Map<string, Watched>();
  readonly #looking: Coalesced;
  /** The newest event of each task that was not looked up yet. */
  readonly #pending = new Map<number, LoggedEvent>();
  #takenUpTo = BEGINNING;
  /** One for each stretch of the tail's stream that is watched; what began in an earlier one counts no more. */
  #watching: Promise<void> | undefined;
  #joining = 0;
  #logId = '';
  /** Everything up to here has been handed to the members of that time. */
  #position = BEGINNING;
  #fellBehindCount = 0;

  constructor(em: EntityManager, tail: EventTail, log: Logger) {
    this.#em = em;
    this.#tail = tail;
    this.#looking = new Coalesced('look up changed tasks', log, () => this.#lookUp());
  }

  get isStopped(): boolean {
    return this.#tail.isStopped;
  }

  get subscriberCount(): number {
    return this.#members.size;
  }

  refresh(): Promise<void> {
    return this.#tail.refresh();
  }

  /** How often a feed was too slow for the live stream and was sent back to the log. */
  get fellBehindCount(): number {
    return this.#fellBehindCount;
  }

  /**
   * First the tasks that meet the filter, in pages, then whatever changes about them; after a cursor, what follows it.
   * Throws BAD_USER_INPUT for a filter at fault, and CURSOR_EXPIRED where the log cannot go on from the cursor.
   */
  async subscribe(
    filter: Filter,
    after: string | undefined,
  ): Promise<AsyncIterableIterator<TaskFeedItem, void, undefined>> {
    // Tried alone, so that a filter which the database refuses fails here and not where all are looked up together.
    await tryFilter(this.#em, filter);
    const log = await sequenceEvents(this.#em);
    const start = after === undefined ? { position: headOf(log), taskId: 0 } : decodeFeedCursor(after, log);
    if (after !== undefined) await checkPositions(this.#em.fork(), log.logId, [start.position]);
    const membership = new Membership(after === undefined);
    return endable((signal) => this.#feed(filter, { logId: log.logId, ...start }, membership, signal));
  }

  async stop(): Promise<void> {
    this.end();
    await this.#looking.stop();
  }

  /** From the returned position on, the member gets every change. */
  async join(member: Member<TaskChange>): Promise<Joined> {
    this.#joining += 1;
    try {
      let watched: Promise<void>;
      do {
        this.#watching ??= this.#watch();
        watched = this.#watching;
        await watched.catch((error: unknown) => {
          // The next one tries again.
          if (this.#watching === watched) this.#watching = undefined;
          throw error;
        });
        // Where the stream ended meanwhile, it is watched anew.
      } while (watched !== this.#watching && !this.isStopped);
      this.#members.add(member);
      if (this.isStopped) member.end();
      return { logId: this.#logId, position: this.#position };
    } finally {
      this.#joining -= 1;
      this.#restIfAlone();
    }
  }

  leave(member: Member<TaskChange>): void {
    member.end();
    this.#members.delete(member);
    this.#restIfAlone();
  }

  #restIfAlone(): void {
    if (this.#members.size > 0 || this.#joining > 0 || this.#watching === undefined) return;
    this.#watching = undefined;
    this.#tail.unwatch(this);
    this.#pending.clear();
  }

  take(event: LoggedEvent): void {
    if (!WITHOUT.includes(event.row.type)) this.#pending.set(event.row.task_id, event);
  }

  caughtUp(position: Position): void {
    this.#takenUpTo = position;
    this.#looking.request();
  }

  end(): void {
    this.#watching = undefined;
    this.#pending.clear();
    for (const member of this.#members) member.end();
    this.#members.clear();
  }

  async #watch(): Promise<void> {
    this.#position = BEGINNING;
    this.#takenUpTo = BEGINNING;
    const { logId, position } = await this.#tail.watch(this);
    this.#logId = logId;
    // Events may have been taken, and looked up, before this is reached.
    this.#position = laterOf(position, this.#position);
    this.#takenUpTo = laterOf(position, this.#takenUpTo);
  }

  async *#feed(
    filter: Filter,
    { logId, position, taskId }: Joined & { taskId: number | null },
    membership: Membership,
    signal: AbortSignal,
  ): AsyncGenerator<TaskFeedItem, void, undefined> {
    const key = JSON.stringify(filter);
    this.#addFilter(key, filter);
    try {
      if (taskId !== null) yield* this.#snapshot(filter, { logId, position, taskId }, membership, signal);
      const following = {
        from: { logId, position },
        wants: () => true,
        stored: (after: Position, upTo: number) => this.#stored({ logId, position: after }, upTo, key, filter, signal),
      };
      for await (const change of follow(this, following, signal)) {
        const meets = change.meets.get(key) ?? (await this.#meetsNow(change, key, filter));
        const was = membership.of(change.task.id);
        membership.set(change.task.id, meets);
        if (meets) yield change.changed(was === null ? null : !was);
        else if (was !== false) yield change.gone();
      }
    } finally {
      this.#removeFilter(key);
    }
  }

  async *#snapshot(
    filter: Filter,
    { logId, position, taskId }: Joined & { taskId: number },
    membership: Membership,
    signal: AbortSignal,
  ): AsyncGenerator<TaskFeedItem, void, undefined> {
    for (let last = taskId; !signal.aborted; ) {
      const query = whereTask(readRows(this.#em.fork()).selectFrom('task').selectAll(), filter, 'filter');
      const tasks = await query.where('task.id', '>', last).orderBy('task.id').limit(PAGE).execute();
      for (const { id } of tasks) membership.set(id, true);
      last = tasks.at(-1)?.id ?? last;
      const isLast = tasks.length < PAGE;
      const cursor = isLast ? encodeCursor(logId, position) : encodeSnapshotCursor(logId, position, last);
      yield { type: 'TaskFeedSnapshot', cursor, tasks, isLast };
      if (isLast) return;
    }
  }

  /** The changes in (from, upTo], a page of events at a time, each task at its last event of the page. */
  async *#stored(
    from: Joined,
    upTo: number,
    key: string,
    filter: Filter,
    signal: AbortSignal,
  ): AsyncGenerator<TaskChange, void, undefined> {
    const filters = new Map([[key, filter]]);
    let newest = new Map<number, LoggedEvent>();
    for await (const event of this.#tail.stored({ without: WITHOUT }, from, upTo, signal)) {
      newest.delete(event.row.task_id);
      newest.set(event.row.task_id, event);
      if (newest.size < AT_ONCE) continue;
      yield* await readChanges(this.#em, newest, filters);
      newest = new Map();
    }
    yield* await readChanges(this.#em, newest, filters);
  }

  async #lookUp(): Promise<void> {
    const watched = this.#watching;
    const upTo = this.#takenUpTo;
    const events = new Map(this.#pending);
    const filters = new Map([...this.#filters].map(([key, { filter }]) => [key, filter]));
    const changes = await readChanges(this.#em, events, filters);
    if (watched === undefined || watched !== this.#watching) return;
    // Only now: where the query fails, it is made again.
    for (const [taskId, event] of events) if (this.#pending.get(taskId) === event) this.#pending.delete(taskId);
    for (const change of changes) this.#handOut(change);
    this.#position = laterOf(upTo, this.#position);
  }

  #handOut(change: TaskChange): void {
    for (const member of this.#members) if (!member.offer(change)) this.#fellBehindCount += 1;
  }

  async #meetsNow({ event }: TaskChange, key: string, filter: Filter): Promise<boolean> {
    const [change] = await readChanges(this.#em, new Map([[event.row.task_id, event]]), new Map([[key, filter]]));
    return change?.meets.get(key) ?? false;
  }

  #addFilter(key: string, filter: Filter): void {
    const watched = this.#filters.get(key) ?? { filter, count: 0 };
    watched.count += 1;
    this.#filters.set(key, watched);
  }

  #removeFilter(key: string): void {
    const watched = this.#filters.get(key);
    if (watched === undefined) return;
    watched.count -= 1;
    if (watched.count === 0) this.#filters.delete(key);
  }
}
