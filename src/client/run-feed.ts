// A client of `runEvents` that misses no event: it keeps the cursor of the last event that was handled and, whenever the
// connection is lost, reconnects and resumes from there. It works in browsers and in Node, over WebSocket.
import { type Client, type ClientOptions, createClient } from 'graphql-ws';
import { CursorExpired, FeedRefused } from './feed-errors.ts';
import { closeOnMissedPong, PING_MS } from './heartbeat.ts';
import { resultsOf } from './operations.ts';
import { EVENTS_DOCUMENT, LOG_END_DOCUMENT, type RunEvent } from './run-events.ts';

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
  /** Called when the connection is lost and when it is back, to show whether the data on the screen is current. */
  onConnected?: (isConnected: boolean) => void;
}

export interface RunFeed extends AsyncIterable<RunEvent> {
  /** The cursor of the last event that the loop has handled: where it would resume after an interruption. */
  readonly cursor: string | undefined;
  /** Ends the feed; the loop over it ends too. */
  close(): void;
}

const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

/**
 * Every event after the cursor, once and in order, without end. Loop over it with `for await`; the loop throws
 * CursorExpired or FeedRefused, and nothing else.
 */
export function createRunFeed(options: RunFeedOptions): RunFeed {
  let cursor = options.after;
  const client = connect(options);
  const closed = new AbortController();
  const iterate = async function* (): AsyncGenerator<RunEvent, void, undefined> {
    for (let pause = MIN_PAUSE_MS; !closed.signal.aborted; ) {
      try {
        // Queried first, so that a connection that is lost before the first event loses no event either.
        cursor ??= await findLogEnd(client, closed.signal);
        for await (const event of eventsAfter(client, options, cursor, closed.signal)) {
          pause = MIN_PAUSE_MS;
          yield event;
          // Only now it was handled.
          cursor = event.cursor;
        }
      } catch (error) {
        if (error instanceof CursorExpired || error instanceof FeedRefused) throw error;
      }
      // At random up to half as long again, so that many clients do not come back at once.
      await sleep(pause * (1 + Math.random() / 2), closed.signal);
      pause = Math.min(2 * pause, MAX_PAUSE_MS);
    }
  };
  return {
    get cursor() {
      return cursor;
    },
    // The operation ends, and then the socket that carries nothing any more.
    close: () => closed.abort(),
    [Symbol.asyncIterator]: iterate,
  };
}

function connect({ url, authorization, webSocketImpl, onConnected }: RunFeedOptions): Client {
  const client = createClient({
    url,
    connectionParams: { authorization },
    // The feed itself retries, with the newest cursor: graphql-ws would repeat the first one.
    retryAttempts: 0,
    keepAlive: PING_MS,
    // The socket of the first query serves the subscription that follows it.
    lazyCloseTimeout: MIN_PAUSE_MS,
    ...(webSocketImpl === undefined ? {} : { webSocketImpl }),
    on: {
      ...closeOnMissedPong(),
      connected: () => onConnected?.(true),
    },
  });
  client.on('closed', () => onConnected?.(false));
  return client;
}

async function findLogEnd(client: Client, closed: AbortSignal): Promise<string | undefined> {
  type LogEnd = { events: { pageInfo: { endCursor: string } } };
  for await (const { events } of resultsOf<LogEnd>(client, { query: LOG_END_DOCUMENT }, closed)) {
    return events.pageInfo.endCursor;
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
  const operation = { query: EVENTS_DOCUMENT, variables };
  for await (const { runEvents } of resultsOf<{ runEvents: RunEvent }>(client, operation, closed)) yield runEvents;
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
