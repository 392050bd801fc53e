// Members of a cluster that come back whenever they end, and followers that go from one to the next.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { ADMIN, basic, HOLDING } from './app.ts';
import { type AppProcess, startProcess } from './process.ts';

const PROGRAM = fileURLToPath(new URL('./chaos-process.ts', import.meta.url));

type Role = 'all' | 'runner' | 'gateway';

/** A member of the cluster that comes back whenever it was killed. */
export class Member {
  readonly #role: Role;
  readonly #url: string;
  readonly #settings: Record<string, string>;
  #process: Promise<AppProcess>;
  #killing: Promise<void> = Promise.resolve();

  constructor(role: Role, url: string, settings: Record<string, string> = {}) {
    this.#role = role;
    this.#url = url;
    this.#settings = settings;
    this.#process = this.#start();
  }

  /** Tries until it starts: the database may be away just then. */
  async #start(): Promise<AppProcess> {
    for (;;) {
      const settings = {
        ROLE: this.#role,
        LOG_LEVEL: 'fatal',
        GRACE_SECONDS: '1',
        LEASE_SECONDS: '10',
        ...this.#settings,
      };
      const started = await startProcess(this.#url, settings, PROGRAM).catch(() => null);
      if (started !== null) return started;
      await pause(200);
    }
  }

  get process(): Promise<AppProcess> {
    return this.#process;
  }

  /** One after the other: two at once would both start it again, and one of the two would be nobody's. */
  kill(downMs: number): Promise<void> {
    this.#killing = this.#killing.then(() => this.#kill(downMs));
    return this.#killing;
  }

  async #kill(downMs: number): Promise<void> {
    const { child } = await this.#process;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    this.#process = pause(downMs).then(() => this.#start());
    await this.#process;
  }

  async freeze(milliseconds: number): Promise<void> {
    const { child } = await this.#process;
    child.kill('SIGSTOP');
    await pause(milliseconds);
    child.kill('SIGCONT');
  }

  /** Asks it to stop, and starts it again once it has; returns with which code it ended. */
  async restart(): Promise<number | null> {
    const { child } = await this.#process;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const [code] = await gone;
    this.#process = this.#start();
    await this.#process;
    return code;
  }

  async stop(): Promise<void> {
    await (await this.#process).stop();
  }
}

/** Marks a place in the log, by an event that is none of a run: who follows from there sees all runs that come later. */
export async function markLog({ query }: Pick<AppProcess, 'query'>): Promise<string> {
  await query(
    'mutation ($name: String!) { addTask(input: { name: "Mark", className: $name, active: false }) { task { id } } }',
    { name: HOLDING },
  );
  const { events } = await query<{ events: { pageInfo: { endCursor: string } } }>(
    '{ events(last: 1) { pageInfo { endCursor } } }',
  );
  return events.pageInfo.endCursor;
}

/** Follows all events of runs over WebSockets, from one gateway to the next, resuming by cursor each time. */
export class Follower {
  readonly cursors: string[] = [];
  readonly #gateways: readonly Member[];
  readonly #start: string;
  #stopped = false;
  #following: Promise<void>;

  /** `start` is where the log stood before anything ran. */
  constructor(gateways: readonly Member[], start: string) {
    this.#gateways = gateways;
    this.#start = start;
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#following;
  }

  async #follow(): Promise<void> {
    for (let turn = 0; !this.#stopped; turn += 1) {
      const { address } = await (this.#gateways[turn % this.#gateways.length] as Member).process;
      await this.#read(address).catch(() => undefined);
      await pause(50);
    }
  }

  async #read(address: string): Promise<void> {
    const client = createClient({
      url: `${address.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: basic(ADMIN.key, ADMIN.secret) },
      retryAttempts: 0,
    });
    const stop = setInterval(() => {
      if (this.#stopped) client.dispose();
    }, 50);
    try {
      const query = 'subscription ($after: String) { runEvents(after: $after) { cursor } }';
      const events = client.iterate<{ runEvents: { cursor: string } }>({
        query,
        variables: { after: this.cursors.at(-1) ?? this.#start },
      });
      for await (const { data } of events) if (data) this.cursors.push(data.runEvents.cursor);
    } finally {
      clearInterval(stop);
      await client.dispose();
    }
  }
}
