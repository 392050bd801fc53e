// What changes about tasks, for all who watch lists of them: made from the event log, looked up once for all.
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Logger } from 'pino';
import type { EventType } from '../../entities/event.ts';
import { laterOf, type Position } from '../../events/cursor.ts';
import type { Hub, Joined, Member } from '../../events/live.ts';
import type { EventTail, LoggedEvent, Watcher } from '../../events/tail.ts';
import { Coalesced } from '../../lib/coalesced.ts';
import { type Filter, readChanges, type TaskChange } from './changes.ts';

/** These tell nothing of what a task shows. */
export const UNTOLD: readonly EventType[] = ['LOG', 'PROGRESS'];
const BEGINNING: Position = { seq: 0, mark: null };

interface Watched {
  filter: Filter;
  count: number;
}

/**
 * Everything that changes a task appends an event in the same transaction, so the log says which tasks may have changed;
 * what they are now, and which filters they meet, is one query for all feeds. It watches the tail while it has members.
 */
export class ChangeHub implements Hub<TaskChange>, Watcher {
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

  /** Members that are up to date. */
  get subscriberCount(): number {
    return this.#members.size;
  }

  /** How often a feed was too slow for the live stream and was sent back to the log. */
  get fellBehindCount(): number {
    return this.#fellBehindCount;
  }

  refresh(): Promise<void> {
    return this.#tail.refresh();
  }

  /** From now on changes say whether they meet the filter, until `forgetFilter` was called as often. */
  watchFilter(key: string, filter: Filter): void {
    const watched = this.#filters.get(key) ?? { filter, count: 0 };
    watched.count += 1;
    this.#filters.set(key, watched);
  }

  forgetFilter(key: string): void {
    const watched = this.#filters.get(key);
    if (watched === undefined) return;
    watched.count -= 1;
    if (watched.count === 0) this.#filters.delete(key);
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
    if (!UNTOLD.includes(event.row.type)) this.#pending.set(event.row.task_id, event);
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
}
