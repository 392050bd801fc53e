// The part of the event log that the page holds: consecutive lines without gap or duplicate. It grows at either end by
// cursor, and is cut at the other end if it becomes too long.
import type { Client, CombinedError } from '@urql/core';
import { type EventFilter, LogAfterDocument, LogBeforeDocument, type LogPageFragment } from '../operations.ts';

export type LogLine = LogPageFragment['edges'][number]['node'];

/** The maximum number of lines, so that a page that is open for days stays small. */
export const MOST_LINES = 2_000;
/** How many lines are loaded at first, and with every click. */
export const OLDER = 100;
const NEWER = 500;
/** A page that is further behind than this starts at the end of the log again. */
const MOST_PAGES_BEHIND = 4;

interface LogWindow {
  /** Newest first. */
  lines: readonly LogLine[];
  /** The cursor after the newest line; null if the log has no events yet. */
  end: string | null;
  hasOlder: boolean;
  /** The end at which lines were removed; going there loads them again. */
  wasCut: 'older' | 'newer' | null;
}

const newestFirst = ({ edges }: LogPageFragment) => edges.map(({ node }) => node).reverse();

export function opened(page: LogPageFragment): LogWindow {
  const { endCursor, hasPreviousPage } = page.pageInfo;
  return { lines: newestFirst(page), end: endCursor ?? null, hasOlder: hasPreviousPage, wasCut: null };
}

function withNewer(held: LogWindow, page: LogPageFragment, most = MOST_LINES): LogWindow {
  const all = [...newestFirst(page), ...held.lines];
  const isCut = all.length > most;
  return {
    lines: all.slice(0, most),
    end: page.pageInfo.endCursor ?? held.end,
    hasOlder: held.hasOlder || isCut,
    wasCut: isCut ? 'older' : held.wasCut === 'newer' ? null : held.wasCut,
  };
}

function withOlder(held: LogWindow, page: LogPageFragment, most = MOST_LINES): LogWindow {
  const all = [...held.lines, ...newestFirst(page)];
  const isCut = all.length > most;
  const lines = all.slice(-most);
  return {
    lines,
    end: isCut ? (lines[0]?.cursor ?? held.end) : held.end,
    hasOlder: page.pageInfo.hasPreviousPage,
    wasCut: isCut ? 'newer' : page.pageInfo.hasPreviousPage ? held.wasCut : null,
  };
}

export interface LogState {
  /** Null until it is loaded. */
  held: LogWindow | null;
  isConnected: boolean;
  failure: string | null;
}

type Loaded = { page: LogPageFragment } | 'expired' | 'failed';

/** Reads the log into a window. One load at a time: each continues from the window that the previous one left. */
export class LogReader {
  readonly #client: Client;
  readonly #filter: EventFilter;
  readonly #onChange: (state: LogState) => void;
  #state: LogState = { held: null, isConnected: true, failure: null };
  #turn: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(client: Client, filter: EventFilter, onChange: (state: LogState) => void) {
    this.#client = client;
    this.#filter = filter;
    this.#onChange = onChange;
  }

  get isOpen(): boolean {
    return this.#state.held !== null;
  }

  /** Loads the lines after the newest, or the end of the log if nothing is loaded yet. */
  newer(): Promise<void> {
    return this.#inTurn(async () => {
      for (let pages = 0; pages < MOST_PAGES_BEHIND; pages += 1) {
        const { held } = this.#state;
        if (held === null || held.end === null) return this.#open();
        const loaded = await this.#after(held.end);
        if (loaded === 'failed') return;
        if (loaded === 'expired') return this.#open();
        this.#hold(withNewer(held, loaded.page));
        if (!loaded.page.pageInfo.hasNextPage) return;
      }
      await this.#open();
    });
  }

  /** Loads the lines before the oldest. */
  older(): Promise<void> {
    return this.#inTurn(async () => {
      const { held } = this.#state;
      const oldest = held?.lines.at(-1);
      if (held === null || oldest === undefined) return;
      const loaded = await this.#before(oldest.cursor);
      if (loaded === 'expired') this.#hold({ ...held, hasOlder: false });
      else if (loaded !== 'failed') this.#hold(withOlder(held, loaded.page));
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(() => (this.#isClosed ? undefined : work()));
    return this.#turn;
  }

  async #open(): Promise<void> {
    const loaded = await this.#before(null);
    if (typeof loaded === 'object') this.#hold(opened(loaded.page));
  }

  async #before(before: string | null): Promise<Loaded> {
    const variables = { last: OLDER, before, filter: this.#filter };
    const { data, error } = await this.#client.query(LogBeforeDocument, variables).toPromise();
    return this.#loaded(data?.events, error);
  }

  async #after(after: string): Promise<Loaded> {
    const variables = { first: NEWER, after, filter: this.#filter };
    const { data, error } = await this.#client.query(LogAfterDocument, variables).toPromise();
    return this.#loaded(data?.events, error);
  }

  #loaded(page: LogPageFragment | undefined, error: CombinedError | undefined): Loaded {
    if (error?.graphQLErrors.some(({ extensions }) => extensions.code === 'CURSOR_EXPIRED')) return 'expired';
    const failure = error === undefined || error.networkError ? null : error.message;
    this.#show({ ...this.#state, isConnected: !error?.networkError, failure });
    return page === undefined ? 'failed' : { page };
  }

  #hold(held: LogWindow): void {
    this.#show({ ...this.#state, held });
  }

  /** Does not report an unchanged state, which is the usual case, so that it is not rendered again. */
  #show(next: LogState): void {
    const { held, isConnected, failure } = this.#state;
    const isSame = isConnected === next.isConnected && failure === next.failure && isSameWindow(held, next.held);
    this.#state = next;
    if (!isSame && !this.#isClosed) this.#onChange(next);
  }
}

function isSameWindow(left: LogWindow | null, right: LogWindow | null): boolean {
  if (left === null || right === null) return left === right;
  return (
    left.lines.length === right.lines.length &&
    left.lines[0]?.cursor === right.lines[0]?.cursor &&
    left.hasOlder === right.hasOlder &&
    left.wasCut === right.wasCut
  );
}
