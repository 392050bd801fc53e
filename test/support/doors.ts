// One operation through each door of the product, with the credentials that a test chooses and the whole reply.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { signedQuery } from '../../src/legacy/signature.ts';
import { ADMIN, type GraphQLReply } from './app.ts';

export interface Operation {
  query: string;
  variables?: Record<string, unknown>;
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

export interface LegacyAnswer extends Answer {
  reply: { success: number; message?: string; data?: unknown };
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, text: await response.text() };
}

export async function get(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return answerOf(await fetch(url, { headers }));
}

/** GraphQL over HTTP; `body` as it is sent. */
export async function postRaw(address: string, body: string, headers: Record<string, string>): Promise<Answer> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body };
  return answerOf(await fetch(`${address}/graphql`, init));
}

export async function overHttp<Data>(
  address: string,
  operation: Operation,
  authorization: string,
): Promise<GraphQLReply<Data>> {
  const { text } = await postRaw(address, JSON.stringify(operation), { authorization });
  return JSON.parse(text) as GraphQLReply<Data>;
}

/**
 * GraphQL over graphql-transport-ws: the operation's first result, or its errors. Throws the CloseEvent of a socket that
 * the server closes.
 */
export async function overSocket<Data>(
  address: string,
  { query, variables = {} }: Operation,
  authorization?: string,
): Promise<GraphQLReply<Data>> {
  const client = createClient({
    url: `${address.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: authorization === undefined ? {} : { authorization },
    retryAttempts: 0,
  });
  try {
    return await new Promise<GraphQLReply<Data>>((resolve, reject) => {
      client.subscribe<Data>(
        { query, variables },
        {
          next: (result) => resolve(result as GraphQLReply<Data>),
          error: (error) => (Array.isArray(error) ? resolve({ errors: error }) : reject(error)),
          complete: () => undefined,
        },
      );
    });
  } finally {
    await client.dispose();
  }
}

/** GraphQL by GET as an EventSource asks: the whole reply of an operation that is refused. */
export async function overEventSource(
  address: string,
  { query, variables = {} }: Operation,
  headers: Record<string, string>,
): Promise<Answer> {
  const parameters = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  return get(`${address}/graphql?${parameters}`, { accept: 'text/event-stream', ...headers });
}

/** The old API with the query as it is given: signed or not. */
export async function overLegacy(address: string, query: string, init: RequestInit = {}): Promise<LegacyAnswer> {
  const answer = await answerOf(await fetch(`${address}/api/v1/api.php?${query}`, init));
  return { ...answer, reply: JSON.parse(answer.text) as LegacyAnswer['reply'] };
}

/** The query string of a call of the old scheduler API, signed. */
export function signedCall(call: string, { key, secret } = ADMIN): string {
  return signedQuery(`target=scheduler&action=${call}`, key, secret);
}
