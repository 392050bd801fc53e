// The product, started in this process on a database and a port of its own, and clients for its doors.
import { createClient } from 'graphql-ws';
import type { DestinationStream } from 'pino';
import WebSocket from 'ws';
import { startApp } from '../../src/app.ts';
import { signedQuery } from '../../src/legacy/signature.ts';
import { createLog } from '../../src/lib/log.ts';
import type { Settings } from '../../src/settings.ts';
import { PrivateTargets } from '../../src/task-classes/built-in/http-request/private-targets.ts';
import type { TaskClass } from '../../src/task-classes/task-class.ts';
import { timesToSend } from './compiled.ts';

export const HOLDING = '\\scheduler\\Tasks\\ProcessHoldingTask';
export const ADMIN = { key: 'admin-key', secret: 'admin-secret' };
export const MASTER_KEY = Buffer.alloc(32, 7);

export interface GraphQLReply<Data> {
  data?: Data | null;
  errors?: { message: string; path?: string[]; extensions: { code?: string; field?: string } }[];
}

export interface TestApp {
  address: string;
  /** With METRICS_PORT, where it tells of itself besides. */
  metricsAddress?: string | null;
  authorization: string;
  /** The data of an operation that must succeed. */
  query<Data>(query: string, variables?: Record<string, unknown>): Promise<Data>;
  /** The whole reply of an operation. */
  post<Data>(query: string, variables?: Record<string, unknown>): Promise<GraphQLReply<Data>>;
  /** A signed call of the old API; the reply's text. */
  legacy(query: string, init?: RequestInit): Promise<string>;
  stop(): Promise<void>;
}

export interface AppOptions {
  settings?: Partial<Settings>;
  taskClasses?: readonly TaskClass[];
  /** Takes what the server logs, line by line. */
  log?: DestinationStream;
}

export async function startTestApp(databaseUrl: string, options: AppOptions = {}): Promise<TestApp> {
  const settings: Settings = {
    HOST: '127.0.0.1',
    PORT: 0,
    DATABASE_URL: databaseUrl,
    TRUST_PROXY: [],
    STREAMS_PER_KEY: 5_000,
    INTROSPECTION: 'on',
    GRAPHIQL: 'off',
    DATA_DIR: '/nonexistent',
    TIME_ZONE: 'UTC',
    ROLE: 'all',
    CONCURRENCY: 10,
    TASK_MODULES: [],
    BACKUP_LOCATIONS: [{ name: 'default', folder: '/nonexistent/backups', keepAtLeast: 1 }],
    HOLDING_DAYS: 30,
    HTTP_ALLOW_PRIVATE: PrivateTargets.parse(''),
    DNS_SERVERS: {},
    GRACE_SECONDS: 5,
    LEASE_SECONDS: 15,
    RETENTION_DAYS: 90,
    HISTORY_RETENTION_DAYS: 0,
    MASTER_KEY,
    ADMIN_API_KEY: ADMIN.key,
    ADMIN_API_SECRET: ADMIN.secret,
    LOG_LEVEL: 'silent',
    OTEL_SDK_DISABLED: false,
    OTEL_EXPORTER_OTLP_TIMEOUT: 3_000,
    OTEL_BSP_SCHEDULE_DELAY: 5_000,
    OTEL_SERVICE_NAME: 'slotkeeper',
    OTEL_TRACES_SAMPLER: 'parentbased_always_on',
    OTEL_TRACES_SAMPLER_ARG: 1,
    LEGACY_PREFIX: [],
    LEGACY_CONTENT_TYPE: 'application/json',
    LEGACY_EXECUTE_TIMEOUT: 20,
    ...options.settings,
  };
  const app = await startApp(settings, createLog(settings.LOG_LEVEL, options.log), options.taskClasses ?? []);
  return { ...clientOf(app.address ?? '', () => app.stop()), metricsAddress: app.metricsAddress };
}

/** The clients for a server that listens on `address`. */
export function clientOf(address: string, stop: () => Promise<void>, { key, secret } = ADMIN): TestApp {
  const authorization = basic(key, secret);
  const send = async <Data>(query: string, variables: Record<string, unknown>) => {
    const response = await fetch(`${address}/graphql`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    return (await response.json()) as GraphQLReply<Data>;
  };
  const post = async <Data>(query: string, variables: Record<string, unknown> = {}) => {
    for (let time = 1; time < timesToSend(query); time += 1) await send<Data>(query, variables);
    return send<Data>(query, variables);
  };
  return {
    address,
    authorization,
    post,
    query: async <Data>(query: string, variables?: Record<string, unknown>) => {
      const { data, errors } = await post<Data>(query, variables);
      if (errors !== undefined || !data) throw new Error(`the operation failed: ${JSON.stringify(errors)}`);
      return data;
    },
    legacy: async (query, init) => {
      const signed = signedQuery(query, key, secret);
      const response = await fetch(`${address}/api/v1/api.php?${signed}`, init);
      return response.text();
    },
    stop,
  };
}

export function basic(key: string, secret: string): string {
  return `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`;
}

export interface ReceivedEvent {
  cursor: string;
  type: string;
  run: { id: string } | null;
}

export interface EventStream {
  received: ReceivedEvent[];
  /** Fulfilled once `count` events are there. */
  atLeast(count: number): Promise<ReceivedEvent[]>;
  close(): Promise<void>;
}

class Inbox {
  readonly received: ReceivedEvent[] = [];
  #waiting: { count: number; resolve: () => void }[] = [];

  add(event: ReceivedEvent): void {
    this.received.push(event);
    for (const { count, resolve } of this.#waiting) if (this.received.length >= count) resolve();
  }

  async atLeast(count: number): Promise<ReceivedEvent[]> {
    if (this.received.length < count) await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    return this.received;
  }
}

const RUN_EVENTS =
  'subscription ($after: String, $task: ID) { runEvents(after: $after, task: $task) { cursor type run { id } } }';

export interface Resume {
  after?: string;
  task?: string;
}

/** A subscription over graphql-ws. */
export async function overWebSocket(app: TestApp, variables: Resume = {}): Promise<EventStream> {
  const inbox = new Inbox();
  const connected = Promise.withResolvers<void>();
  const client = createClient({
    url: `${app.address.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: app.authorization },
    retryAttempts: 0,
    lazy: false,
    on: { connected: () => connected.resolve() },
    onNonLazyError: (error) => connected.reject(error),
  });
  await connected.promise;
  client.subscribe<{ runEvents: ReceivedEvent }>(
    { query: RUN_EVENTS, variables: { ...variables } },
    { next: ({ data }) => data && inbox.add(data.runEvents), error: () => undefined, complete: () => undefined },
  );
  return {
    received: inbox.received,
    atLeast: (count) => inbox.atLeast(count),
    close: async () => client.dispose(),
  };
}

/** A subscription over Server-Sent Events; `lastEventId` is what a reconnecting EventSource sends. */
export async function overSse(app: TestApp, variables: Resume = {}, lastEventId?: string): Promise<EventStream> {
  const inbox = new Inbox();
  const controller = new AbortController();
  const parameters = new URLSearchParams({ query: RUN_EVENTS, variables: JSON.stringify(variables) });
  const response = await fetch(`${app.address}/graphql?${parameters}`, {
    headers: {
      authorization: app.authorization,
      accept: 'text/event-stream',
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
    signal: controller.signal,
  });
  if (response.body === null) throw new Error('the server sent no stream');
  const reading = readFrames(response.body, (id, data) => {
    const event = (JSON.parse(data) as { data: { runEvents: ReceivedEvent } }).data.runEvents;
    if (event.cursor !== id) throw new Error(`the frame has the id ${id} and the event ${event.cursor}`);
    inbox.add(event);
  }).catch((error: unknown) => {
    if (!controller.signal.aborted) throw error;
  });
  return {
    received: inbox.received,
    atLeast: (count) => Promise.race([inbox.atLeast(count), reading.then(() => inbox.received)]),
    close: async () => {
      controller.abort();
      await reading;
    },
  };
}

async function readFrames(body: ReadableStream<Uint8Array>, take: (id: string, data: string) => void): Promise<void> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const frame = text.slice(0, end);
      text = text.slice(end + 2);
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (data !== undefined) take(/^id: (.*)$/m.exec(frame)?.[1] ?? '', data);
    }
  }
}
