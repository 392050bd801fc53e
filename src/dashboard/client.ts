import { Client, fetchExchange } from '@urql/core';

/** Without a cache of its own: what is shown is loaded anew, or told by the event log. */
export function createGraphQLClient(authorization: string, onRefused: () => void): Client {
  return new Client({
    url: '/graphql',
    exchanges: [fetchExchange],
    preferGetMethod: false,
    requestPolicy: 'network-only',
    fetchOptions: { headers: { authorization } },
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      if (response.status === 401) onRefused();
      return response;
    },
  });
}
