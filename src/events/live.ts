// How a reader goes from the stored log to the live stream with no seam, whatever the items are: events, or changes of
// tasks that are made from them.
import { cursorExpired } from '../lib/faults.ts';
import { checkSame, laterOf, type Position } from './cursor.ts';

/** Items kept for a member that is slower than the log; past it, it is sent back to the log. */
const MAX_WAITING = 1_000;

/** One consumer of the live stream: a bounded buffer between the hub and an async iteration. */
export class Member<Item> {
  readonly #wants: (item: Item) => boolean;
  #waiting: Item[] = [];
  #ended = false;
  #notify: (() => void) | undefined;

  constructor(wants: (item: Item) => boolean) {
    this.#wants = wants;
  }

  /** False where it has fallen behind, and gets no more. */
  offer(item: Item): boolean {
    if (this.#ended || !this.#wants(item)) return true;
    if (this.#waiting.length >= MAX_WAITING) {
      this.end();
      return false;
    }
    this.#waiting.push(item);
    this.#notify?.();
    return true;
  }

  /** No more will be offered; what waits is still handed out. */
  end(): void {
    this.#ended = true;
    this.#notify?.();
  }

  /** All that waits, as soon as there is any; null once there will be no more. */
  async take(): Promise<readonly Item[] | null> {
    while (this.#waiting.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
      this.#notify = undefined;
    }
    const items = this.#waiting;
    this.#waiting = [];
    return items;
  }
}

/** Where the live stream of a hub begins for a member that joins. */
export interface Joined {
  logId: string;
  /** From here on the member gets every item. */
  position: Position;
}

/** What hands out the live stream of items, each of which is a position too: that after it. */
export interface Hub<Item extends Position> {
  readonly isStopped: boolean;
  join(member: Member<Item>): Promise<Joined>;
  leave(member: Member<Item>): void;
  /** Looks at the log now. */
  refresh(): Promise<void>;
}

/** How often a hub is asked to look at a log that became another one a moment ago. */
const MAX_REFRESHES = 5;

export interface Following<Item> {
  /** Where it goes on from, in which log. */
  from: Joined;
  wants(item: Item): boolean;
  /** The items of the log in (after, upTo], in order; throws CURSOR_EXPIRED where any may be gone. */
  stored(after: Position, upTo: number, signal: AbortSignal): AsyncIterable<Item>;
}

/**
 * The items after a position, in order, then live ones, without end, gap or double, until the hub stops. Throws
 * CURSOR_EXPIRED where the log becomes another one, or loses events that were handed out.
 */
export async function* follow<Item extends Position>(
  hub: Hub<Item>,
  { from, wants, stored }: Following<Item>,
  signal: AbortSignal,
): AsyncGenerator<Item, void, undefined> {
  let { position } = from;
  // The first position was read from the log, and the hub may not have come so far, nor know that the log is another one
  // since then; later ones came from the hub.
  let isFirst = true;
  for (let refreshes = 0; !signal.aborted && !hub.isStopped; ) {
    // Registered first, then the log is read up to where the live stream begins: no seam.
    const member = new Member<Item>(wants);
    const end = () => member.end();
    signal.addEventListener('abort', end);
    try {
      const joined = await hub.join(member);
      if (joined.logId !== from.logId) {
        if (!isFirst || refreshes === MAX_REFRESHES) {
          throw cursorExpired('the event log is not the one that was followed');
        }
        refreshes += 1;
        await hub.refresh();
        continue;
      }
      checkSame(position, joined.position);
      if (!isFirst && position.seq > joined.position.seq)
        throw cursorExpired('the event log has lost events that were told');
      isFirst = false;
      for await (const item of stored(position, joined.position.seq, signal)) {
        position = { seq: item.seq, mark: item.mark };
        yield item;
      }
      position = laterOf(position, joined.position);
      // Ends early where the member fell behind: it then reads the log at its own pace and joins again.
      for (let items = await member.take(); items !== null && !signal.aborted; items = await member.take()) {
        for (const item of items) {
          if (signal.aborted) return;
          if (item.seq <= position.seq) continue;
          position = { seq: item.seq, mark: item.mark };
          yield item;
        }
      }
    } finally {
      signal.removeEventListener('abort', end);
      hub.leave(member);
    }
  }
}

/** `events` as an iterator whose `return` ends it at once, also while it waits. */
export function endable<Item>(
  follow: (signal: AbortSignal) => AsyncGenerator<Item, void, undefined>,
): AsyncIterableIterator<Item, void, undefined> {
  const controller = new AbortController();
  const items = follow(controller.signal);
  return {
    next: () => items.next(),
    return: () => {
      controller.abort();
      return items.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
