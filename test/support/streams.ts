// A subscription over each transport, as one shape, so that one suite serves all of them.
import type { EntityManager } from '@mikro-orm/postgresql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import type { TestApp } from './app.ts';
import { get } from './doors.ts';
import { rows } from './races.ts';

/** The position in the log that a cursor stands for. */
export function seqOf(cursor: string): number {
  return Number(Buffer.from(cursor, 'base64url').toString().split('.')[1]);
}

/** What a gateway counts under that name. */
export async function metric({ address, authorization }: Gateway, name: string): Promise<number> {
  const { text } = await get(`${address}/metrics`, { authorization });
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

/** Appends an event to each of so many new runs, in one transaction as the product does, and wakes the gateways. */
export async function appendRunEvents(
  em: EntityManager,
  count: number,
  { task = 1, message = '' }: { task?: number; message?: string } = {},
): Promise<void> {
  await rows(
    em,
    `with added as (
       insert into run (task_id, trigger, state, actor_id, queued_at, finished_at)
       select ?, 'MANUAL', 'CANCELLED', 1, now(), now() from generate_series(1, ?) returning id
     )
     insert into event (type, task_id, task_name, actor_id, run_id, run_state, attempt, message)
     select 'CANCELLED', ?, 'Task', 1, id, 'CANCELLED', 0, ? from added order by id`,
    [task, count, task, message],
  );
  await rows(em, `select pg_notify('slotkeeper_events', '')`);
}

type Gateway = Pick<TestApp, 'address' | 'authorization'>;

export interface Ask {
  query: string;
  variables?: Record<string, unknown>;
  /** What a reconnecting EventSource says that it has seen; over Server-Sent Events alone. */
  lastEventId?: string | undefined;
}

export interface Message {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions: { code?: string } }[];
}

/** An open subscription. */
export interface Stream {
  received: Message[];
  /** How it ended: said to be over, refused or broken off; pending while it is open. */
  ended: Promise<'complete' | 'broken'>;
  close(): Promise<void>;
}

export type Transport = (app: Gateway, ask: Ask) => Promise<Stream>;

export const overWebSocketStream: Transport = async ({ address, authorization }, ask) => {
  const received: Message[] = [];
  const connected = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<'complete' | 'broken'>();
  const client = createClient({
    url: `${address.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
    on: {
      connected: () => connected.resolve(),
      error: (error) => connected.reject(error),
      closed: () => {
        ended.resolve('broken');
        connected.reject(new Error('the socket was closed'));
      },
    },
  });
  client.subscribe<Record<string, unknown>>(
    { query: ask.query, variables: ask.variables ?? null },
    {
      next: (message) => received.push(message as Message),
      error: (error) => {
        if (Array.isArray(error)) received.push({ errors: error } as Message);
        ended.resolve(Array.isArray(error) ? 'complete' : 'broken');
      },
      complete: () => ended.resolve('complete'),
    },
  );
  await connected.promise;
  return {
    received,
    ended: ended.promise,
    close: async () => {
      await client.dispose();
      await ended.promise;
    },
  };
};

async function overSse({ address, authorization }: Gateway, ask: Ask, method: 'GET' | 'POST' = 'GET'): Promise<Stream> {
  const controller = new AbortController();
  const { query, variables = {} } = ask;
  const seen = ask.lastEventId === undefined ? {} : { 'last-event-id': ask.lastEventId };
  const headers = { authorization, accept: 'text/event-stream', ...seen };
  const response =
    method === 'POST'
      ? await fetch(`${address}/graphql`, {
          method,
          headers: { ...headers, 'content-type': 'application/json' },
          body: JSON.stringify({ query, variables }),
          signal: controller.signal,
        })
      : await fetch(`${address}/graphql?${new URLSearchParams({ query, variables: JSON.stringify(variables) })}`, {
          headers,
          signal: controller.signal,
        });
  const received: Message[] = [];
  const { body } = response;
  if (body === null) throw new Error('the server sent no stream');
  const reading = async (): Promise<'complete' | 'broken'> => {
    const decoder = new TextDecoder();
    let text = '';
    let isOver = false;
    try {
      for await (const chunk of body) {
        text += decoder.decode(chunk, { stream: true });
        const found = readEventStream(text, (message) => received.push(message));
        text = found.rest;
        isOver ||= found.isOver;
      }
    } catch {
      return 'broken';
    }
    return isOver ? 'complete' : 'broken';
  };
  const ended = reading();
  return {
    received,
    ended,
    close: async () => {
      controller.abort();
      await ended;
    },
  };
}

function readEventStream(text: string, take: (message: Message) => void) {
  const frames = text.split('\n\n');
  const rest = frames.pop() ?? '';
  let isOver = false;
  for (const frame of frames) {
    if (frame.startsWith('event: complete')) isOver = true;
    const data = /^data: (.*)$/m.exec(frame)?.[1];
    if (data !== undefined) take(JSON.parse(data));
  }
  return { rest, isOver };
}

export const TRANSPORTS: Record<string, Transport> = {
  WebSocket: overWebSocketStream,
  'Server-Sent Events': (app, ask) => overSse(app, ask),
  'Server-Sent Events by POST': (app, ask) => overSse(app, ask, 'POST'),
};
