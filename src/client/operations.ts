// Operations over graphql-ws, with its errors sorted into those that end a feed and those after which it reconnects.
import type { Client } from 'graphql-ws';
import { CursorExpired, FeedRefused } from './feed-errors.ts';

interface Operation {
  query: string;
  variables?: Record<string, unknown>;
}

/**
 * The data of each result of the operation, until it completes or `closed` aborts. Throws CursorExpired or FeedRefused
 * if a retry would not help, and other errors if the connection was lost or the server failed.
 */
export async function* resultsOf<Data>(client: Client, operation: Operation, closed: AbortSignal) {
  if (closed.aborted) return;
  const results = client.iterate<Data>(operation);
  const end = () => void results.return?.();
  closed.addEventListener('abort', end);
  try {
    for await (const { data, errors } of results) {
      if (errors !== undefined) throw errors;
      if (data) yield data;
    }
  } catch (error) {
    throw refusalOf(error) ?? error;
  } finally {
    closed.removeEventListener('abort', end);
  }
}

interface GraphQLErrorLike {
  message: string;
  extensions?: { code?: string };
}

/** GraphQL errors come as a list; anything else is a connection that was lost or could not be made. */
function refusalOf(error: unknown): CursorExpired | FeedRefused | undefined {
  const [first] = Array.isArray(error) ? (error as GraphQLErrorLike[]) : [];
  const code = first?.extensions?.code;
  if (first !== undefined && code === 'CURSOR_EXPIRED') return new CursorExpired(first.message);
  if (first !== undefined && code !== 'INTERNAL_SERVER_ERROR') return new FeedRefused(first.message);
  if (isRefusedSocket(error)) return new FeedRefused('the credentials are missing, wrong or revoked');
  return undefined;
}

/** Closed with 4401 or 4403: the key is unknown or was revoked. */
function isRefusedSocket(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 4401 || code === 4403;
}
