import type pg from 'pg';
import type { Logger } from 'pino';
import { Backoff } from '../lib/backoff.ts';
import { FailureLog } from '../lib/failure-log.ts';
import { CONNECTION, DeadPeerClient } from './dead-peer-client.ts';

/**
 * `slotkeeper_events`: the log has new events. `slotkeeper_schedule`: a task's next slot changed.
 * `slotkeeper_jobs`: a job can be fetched. `slotkeeper_cancel`: a running attempt must stop. `slotkeeper_keys`: a key
 * was revoked, or a user got another role. `slotkeeper_installation`: held runners may start.
 */
const CHANNELS = [
  'slotkeeper_events',
  'slotkeeper_schedule',
  'slotkeeper_jobs',
  'slotkeeper_cancel',
  'slotkeeper_keys',
  'slotkeeper_installation',
] as const;
export type Channel = (typeof CHANNELS)[number];

/** The shortest time between two sends; notifying inside every transaction would cost most of the throughput. */
const COALESCE_MS = 10;
/** An idle connection is used this often: the reply shows that the peer is alive. */
const LIFE_SIGN_MS = 20_000;

/**
 * Wakes other processes, over one listening connection per process. A notification has no payload and is only a hint:
 * it may be late, duplicated or lost (a process killed after its commit, a dropped connection), so each listener also
 * polls slowly and reads the tables, which are the truth. The composition root starts and stops it.
 */
export class Notifications {
  readonly #url: string;
  readonly #log: Logger;
  readonly #handlers = new Map<Channel, Set<() => void>>();
  readonly #pending = new Set<Channel>();
  readonly #failures: FailureLog;
  readonly #backoff = new Backoff();
  /** The connection that listens; undefined while it is being replaced. */
  #client: pg.Client | undefined;
  /** The client that was created last. */
  #newest: pg.Client | undefined;
  #flush: NodeJS.Timeout | undefined;
  #lifeSigns: NodeJS.Timeout | undefined;
  #reconnect: NodeJS.Timeout | undefined;
  #sending: Promise<void> = Promise.resolve();
  #isSending = false;
  #stopped = false;

  constructor(url: string, log: Logger) {
    this.#url = url;
    this.#log = log;
    this.#failures = new FailureLog('listen to the database', log);
  }

  async start(): Promise<void> {
    const client = new DeadPeerClient({
      connectionString: this.#url,
      application_name: 'slotkeeper notifications',
      ...CONNECTION,
    });
    this.#newest = client;
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client, undefined));
    client.on('notification', ({ channel }) => this.#wake(channel as Channel));
    try {
      await client.connect();
      for (const channel of CHANNELS) await client.query(`listen ${channel}`);
      if (this.#stopped) throw new Error('stopped while connecting');
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
    this.#client = client;
    this.#lifeSigns ??= setInterval(() => this.#send('even if empty'), LIFE_SIGN_MS).unref();
    this.#failures.worked();
    this.#backoff.reset();
    // What was announced while this process did not listen is found by reading the tables.
    for (const channel of CHANNELS) this.#wake(channel);
    this.#send();
  }

  /** Calls `handler` after each notification; returns a function that unsubscribes. */
  on(channel: Channel, handler: () => void): () => void {
    const handlers = this.#handlers.get(channel) ?? new Set();
    this.#handlers.set(channel, handlers.add(handler));
    return () => handlers.delete(handler);
  }

  /** Call it after the commit of what it announces. */
  notify(...channels: Channel[]): void {
    for (const channel of channels) this.#pending.add(channel);
    this.#flush ??= setTimeout(() => this.#send(), COALESCE_MS);
  }

  async stop(): Promise<void> {
    // A connection that is being opened is closed once it is open.
    this.#stopped = true;
    clearTimeout(this.#flush);
    clearTimeout(this.#reconnect);
    clearInterval(this.#lifeSigns);
    this.#send();
    do await this.#sending;
    while (this.#isSending);
    await this.#client?.end();
  }

  #send(what?: 'even if empty'): void {
    clearTimeout(this.#flush);
    this.#flush = undefined;
    const client = this.#client;
    // What is added while a send is running goes with the next.
    if (client === undefined || this.#isSending) return;
    if (this.#pending.size === 0 && what === undefined) return;
    this.#isSending = true;
    const channels = [...this.#pending];
    this.#pending.clear();
    this.#sending = client
      .query('select pg_notify(channel, $2) from unnest($1::text[]) as channel', [channels, ''])
      .then(() => undefined)
      // The listeners poll anyway.
      .catch((error: unknown) => this.#log.debug({ err: error }, 'a notification was not sent'))
      .finally(() => {
        this.#isSending = false;
        this.#send();
      });
  }

  #wake(channel: Channel): void {
    for (const handler of this.#handlers.get(channel) ?? []) {
      try {
        handler();
      } catch (error) {
        this.#log.error({ err: error, channel }, 'a listener failed');
      }
    }
  }

  /** Ignores a client that has been replaced: its connection may end at any time. */
  #lost(client: pg.Client | undefined, error: Error | undefined): void {
    if (this.#stopped || client !== this.#newest || this.#reconnect !== undefined) return;
    this.#client = undefined;
    this.#failures.failed(error ?? new Error('the connection was closed'));
    this.#reconnect = setTimeout(() => {
      this.#reconnect = undefined;
      client?.end().catch(() => undefined);
      const started = this.start();
      const next = this.#newest;
      started.catch((again: Error) => this.#lost(next, again));
    }, this.#backoff.next());
  }
}
