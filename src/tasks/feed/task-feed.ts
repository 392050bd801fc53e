import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import { readRows } from '../../database/rows.ts';
import { decodeFeedCursor, encodeCursor, encodeSnapshotCursor, headOf, type Position } from '../../events/cursor.ts';
import { endable, follow, type Joined } from '../../events/live.ts';
import { checkPositions, sequenceEvents } from '../../events/log.ts';
import type { EventTail, LoggedEvent } from '../../events/tail.ts';
import { faultsWithin } from '../../lib/faults.ts';
import { whereTask } from '../filter.ts';
import { ChangeHub, UNTOLD } from './change-hub.ts';
import { AT_ONCE, type Filter, readChanges, type TaskChange, type TaskFeedItem, tryFilter } from './changes.ts';
import { Membership } from './membership.ts';

/** Tasks in a page of the snapshot, at most. */
export const SNAPSHOT_PAGE = 250;

/** Feeds of tasks: which are there, then whatever changes about them. The HTTP host stops it. */
export class TaskFeed {
  readonly #em: EntityManager;
  readonly #tail: EventTail;
  readonly #hub: ChangeHub;

  constructor(em: EntityManager, tail: EventTail, log: Logger) {
    this.#em = em;
    this.#tail = tail;
    this.#hub = new ChangeHub(em, tail, log);
  }

  /** Feeds that are up to date. */
  get subscriberCount(): number {
    return this.#hub.subscriberCount;
  }

  /** How often a feed was too slow for the live stream and was sent back to the log. */
  get fellBehindCount(): number {
    return this.#hub.fellBehindCount;
  }

  /**
   * First the tasks that match the filter, in pages, then their changes; with a cursor, the changes after it. Throws
   * BAD_USER_INPUT for an invalid filter, and CURSOR_EXPIRED if the log cannot continue from the cursor.
   */
  async subscribe(
    filter: Filter,
    after: string | undefined,
  ): Promise<AsyncIterableIterator<TaskFeedItem, void, undefined>> {
    // Tried alone, so that a filter which the database refuses fails here and not where all are looked up together.
    await faultsWithin('filter', () => tryFilter(this.#em, filter));
    const log = await sequenceEvents(this.#em);
    const start = after === undefined ? { position: headOf(log), taskId: 0 } : decodeFeedCursor(after, log);
    if (after !== undefined) await checkPositions(this.#em.fork(), log.logId, [start.position]);
    const membership = new Membership(after === undefined);
    return endable((signal) => this.#feed(filter, { logId: log.logId, ...start }, membership, signal));
  }

  stop(): Promise<void> {
    return this.#hub.stop();
  }

  async *#feed(
    filter: Filter,
    { logId, position, taskId }: Joined & { taskId: number | null },
    membership: Membership,
    signal: AbortSignal,
  ): AsyncGenerator<TaskFeedItem, void, undefined> {
    const key = JSON.stringify(filter);
    this.#hub.watchFilter(key, filter);
    try {
      if (taskId !== null) yield* this.#snapshot(filter, { logId, position, taskId }, membership, signal);
      const following = {
        from: { logId, position },
        wants: () => true,
        stored: (after: Position, upTo: number) =>
          this.#stored({ logId, position: after }, upTo, new Map([[key, filter]]), signal),
      };
      for await (const change of follow(this.#hub, following, signal)) {
        const meets = change.meets.get(key) ?? (await this.#meetsNow(change, key, filter));
        const was = membership.of(change.task.id);
        membership.set(change.task.id, meets);
        if (meets) yield change.changed(was === null ? null : !was);
        else if (was !== false) yield change.gone();
      }
    } finally {
      this.#hub.forgetFilter(key);
    }
  }

  async *#snapshot(
    filter: Filter,
    { logId, position, taskId }: Joined & { taskId: number },
    membership: Membership,
    signal: AbortSignal,
  ): AsyncGenerator<TaskFeedItem, void, undefined> {
    for (let last = taskId; !signal.aborted; ) {
      const query = whereTask(readRows(this.#em.fork()).selectFrom('task').selectAll(), filter);
      const tasks = await query.where('task.id', '>', last).orderBy('task.id').limit(SNAPSHOT_PAGE).execute();
      for (const { id } of tasks) membership.set(id, true);
      last = tasks.at(-1)?.id ?? last;
      const isLast = tasks.length < SNAPSHOT_PAGE;
      const cursor = isLast ? encodeCursor(logId, position) : encodeSnapshotCursor(logId, position, last);
      yield { type: 'SNAPSHOT', cursor, tasks, isLast };
      if (isLast) return;
    }
  }

  /** The changes in (from, upTo], a page of events at a time, each task at its last event of the page. */
  async *#stored(
    from: Joined,
    upTo: number,
    filters: ReadonlyMap<string, Filter>,
    signal: AbortSignal,
  ): AsyncGenerator<TaskChange, void, undefined> {
    let newest = new Map<number, LoggedEvent>();
    for await (const event of this.#tail.stored({ without: UNTOLD }, from, upTo, signal)) {
      newest.delete(event.row.task_id);
      newest.set(event.row.task_id, event);
      if (newest.size < AT_ONCE) continue;
      yield* await readChanges(this.#em, newest, filters);
      newest = new Map();
    }
    yield* await readChanges(this.#em, newest, filters);
  }

  async #meetsNow({ event }: TaskChange, key: string, filter: Filter): Promise<boolean> {
    const [change] = await readChanges(this.#em, new Map([[event.row.task_id, event]]), new Map([[key, filter]]));
    return change?.meets.get(key) ?? false;
  }
}
