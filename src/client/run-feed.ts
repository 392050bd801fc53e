// A small client for `runEvents` that misses nothing: it keeps the cursor of the last event and, whenever the connection
// is lost, connects again and goes on from there. It works in browsers and in Node, over WebSocket with graphql-ws.
import { type Client, type ClientOptions, createClient } from 'graphql-ws';

/** What is asked of each event. Add fields here, and to RunEvent. */
const DOCUMENT = `subscription RunFeed($task: ID, $run: ID, $after: String) {
  runEvents(task: $task, run: $run, after: $after) {
    cursor at type message data state attempt
    task { id name }
    run { id progress }
  }
}`;

/** Where the log ends at this moment. */
const END = '{ events(last: 1) { pageInfo { endCursor } } }';

/** All that it asks, for a server that accepts listed operations alone. */
export const RUN_FEED_DOCUMENTS = [DOCUMENT, END];

export interface RunEvent {
  /** The position in the log after this event; keep it to go on from here later. */
  cursor: string;
  /** ISO 8601, UTC. */
  at: string;
  type: 'QUEUED' | 'STARTED' | 'LOG' | 'PROGRESS' | 'RETRYING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'SKIPPED';
  message: string | null;
  data: unknown;
  state: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'SKIPPED' | null;
  attempt: number | null;
  task: { id: string; name: string };
  /** null once retention has removed the run. */
  run: { id: string; progress: number | null } | null;
}

export interface RunFeedOptions {
  /** Such as `ws://127.0.0.1:4000/graphql`. */
  url: string;
  /** `Basic base64(key:secret)` or `Bearer key.secret`. */
  authorization: string;
  /** Only events of this task, or of this run; of all unless given. */
  task?: string;
  run?: string;
  /** The cursor of the last event that was handled; from now on unless given. */
  after?: string | undefined;
  /** Only for Node below 22, which has no WebSocket of its own: the class of the package `ws`. */
  webSocketImpl?: ClientOptions['webSocketImpl'];
  /** Called when the connection is lost and when it is there again, to show whether what is on the screen is fresh. */
  onConnected?: (isConnected: boolean) => void;
}

/** The log cannot go on from the cursor without a gap. Load the present state anew, and begin without a cursor. */
export class CursorExpired extends Error {}

/** What else the server refuses: wrong credentials, a task that there is not. Trying again would not help. */
export class FeedRefused extends Error {}

export interface RunFeed extends AsyncIterable<RunEvent> {
  /** The cursor of the last event that the loop has finished with: where it would go on after an interruption. */
  readonly cursor: string | undefined;
  /** Ends it; the loop over it ends too. */
  close(): void;
}

const LEAST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 5_000;
/** A connection over which nothing came for so long is taken for dead. The server answers pings at once. */
const PING_MS = 10_000;

/**
 * Every event after the cursor, once and in order, without end. Loop over it with `for await`; the loop throws
 * CursorExpired or FeedRefused, and nothing else.
 */
export function createRunFeed(options: RunFeedOptions): RunFeed {
  let cursor = options.after;
  const client = createClient({
    url: options.url,
    connectionParams: { authorization: options.authorization },
    // Trying again is done here, with the newest cursor: graphql-ws would repeat the first one.
    retryAttempts: 0,
    keepAlive: PING_MS,
    // The socket of the first question serves the subscription that follows it.
    lazyCloseTimeout: LEAST_PAUSE_MS,
    ...(options.webSocketImpl === undefined ? {} : { webSocketImpl: options.webSocketImpl }),
    on: {
      ...closeWhereUnanswered(),
      connected: () => options.onConnected?.(true),
    },
  });
  client.on('closed', () => options.onConnected?.(false));
  const closed = new AbortController();
  const iterate = async function* (): AsyncGenerator<RunEvent, void, undefined> {
    for (let pause = LEAST_PAUSE_MS; !closed.signal.aborted; ) {
      try {
        // Asked for beforehand: a connection that is lost before the first event loses none either.
        cursor ??= await findEnd(client, closed.signal);
        for await (const event of eventsAfter(client, options, cursor, closed.signal)) {
          pause = LEAST_PAUSE_MS;
          yield event;
          // Only now it was handled.
          cursor = event.cursor;
        }
      } catch (error) {
        if (error instanceof CursorExpired || error instanceof FeedRefused) throw error;
      }
      // At random up to half as long again, so that many clients do not come back at once.
      await sleep(pause * (1 + Math.random() / 2), closed.signal);
      pause = Math.min(2 * pause, MOST_PAUSE_MS);
    }
  };
  return {
    get cursor() {
      return cursor;
    },
    // What is asked ends, and then the socket that nothing is asked over any more.
    close: () => closed.abort(),
    [Symbol.asyncIterator]: iterate,
  };
}

interface Refusal {
  message: string;
  extensions?: { code?: string };
}

async function findEnd(client: Client, closed: AbortSignal): Promise<string | undefined> {
  type End = { events: { pageInfo: { endCursor: string } } };
  for await (const { data } of answers<End>(client, { query: END }, closed)) {
    return data.events.pageInfo.endCursor;
  }
  return undefined;
}

async function* eventsAfter(
  client: Client,
  { task, run }: RunFeedOptions,
  after: string | undefined,
  closed: AbortSignal,
) {
  const variables = { task: task ?? null, run: run ?? null, after: after ?? null };
  for await (const { data } of answers<{ runEvents: RunEvent }>(client, { query: DOCUMENT, variables }, closed)) {
    yield data.runEvents;
  }
}

interface Operation {
  query: string;
  variables?: Record<string, unknown>;
}

async function* answers<Data>(client: Client, operation: Operation, closed: AbortSignal) {
  if (closed.aborted) return;
  const received = client.iterate<Data>(operation);
  const end = () => void received.return?.();
  closed.addEventListener('abort', end);
  try {
    for await (const { data, errors } of received) {
      if (errors !== undefined) throw errors;
      if (data) yield { data };
    }
  } catch (error) {
    // Errors of GraphQL come as a list; what else comes here is a connection that was lost or could not be made.
    const [refusal] = Array.isArray(error) ? (error as Refusal[]) : [];
    const code = refusal?.extensions?.code;
    if (refusal !== undefined && code === 'CURSOR_EXPIRED') throw new CursorExpired(refusal.message);
    if (refusal !== undefined && code !== 'INTERNAL_SERVER_ERROR') throw new FeedRefused(refusal.message);
    if (isRefusedSocket(error)) throw new FeedRefused('the credentials are missing, wrong or revoked');
    throw error;
  } finally {
    closed.removeEventListener('abort', end);
  }
}

/** Closed with 4401 or 4403: the key was revoked, or is none. */
function isRefusedSocket(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 4401 || code === 4403;
}

/** Until the time is over, or the feed is closed. */
function sleep(milliseconds: number, closed: AbortSignal): Promise<void> {
  if (closed.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    closed.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** A network that swallows everything is noticed by a ping without an answer. */
function closeWhereUnanswered(): NonNullable<ClientOptions['on']> {
  let socket: { close(code: number, reason: string): void } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    opened: (opened) => {
      socket = opened as typeof socket;
    },
    ping: (received) => {
      const pinged = socket;
      if (!received) timer = setTimeout(() => pinged?.close(4408, 'no answer to a ping'), PING_MS / 2);
    },
    pong: (received) => {
      if (received) clearTimeout(timer);
    },
    closed: () => clearTimeout(timer),
  };
}
