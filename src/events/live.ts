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

  /** False if the member has fallen behind and gets nothing more. */
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

  /** Ends the stream; items that wait are still delivered. */
  end(): void {
    this.#ended = true;
    this.#notify?.();
  }

  /** All waiting items, as soon as there are any; null after the end. */
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

/** The source of live items. Each item is also a position: the one after it. */
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
  /** The log and the position to continue from. */
  from: Joined;
  wants(item: Item): boolean;
  /** The items of the log in (after, upTo], in order. Throws CURSOR_EXPIRED if any may have been removed. */
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
    // Registers first, then reads the log up to the beginning of the live stream, so that there is no gap.
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
      // Ends early if the member fell behind: it then reads the log at its own pace and joins again.
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
