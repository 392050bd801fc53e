import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { noteServerDate } from '../live/clock.ts';
import { socketUrl } from './socket-url.ts';

/**
 * Creates a client without a cache: pages load fresh data or follow the event log. After a lost connection a
 * subscription starts again from scratch, so use it only for subscriptions that start with a snapshot; the others
 * resume by cursor (`src/client/`).
 */
export function createGraphQLClient(authorization: string, onRefused: () => void): Client {
  const sockets = createClient({
    url: socketUrl(),
    connectionParams: { authorization },
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    keepAlive: 10_000,
    // The next page subscribes right after the previous one has unsubscribed.
    lazyCloseTimeout: 5_000,
  });
  return new Client({
    url: '/graphql',
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: ({ next, error, complete }) => ({
            unsubscribe: sockets.subscribe(
              { query, variables: variables ?? null },
              { next: ({ data = null, errors }) => next(errors ? { data, errors } : { data }), error, complete },
            ),
          }),
        }),
      }),
    ],
    preferGetMethod: false,
    requestPolicy: 'network-only',
    fetchOptions: { headers: { authorization } },
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      noteServerDate(response.headers.get('date'));
      if (response.status === 401) onRefused();
      return response;
    },
  });
}
