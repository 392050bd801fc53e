import type { Socket } from 'node:net';
import pg from 'pg';

/** What every connection is made with. Unless told, Linux asks a peer that says nothing only after two hours. */
export const CONNECTION = {
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
  connectionTimeoutMillis: 10_000,
} as const;

const LOOK_MS = 5_000;
/** A reply that did not go on for so many looks is asked about. */
const QUIET_LOOKS = 3;
const QUESTION_TIMEOUT_MS = 10_000;

/** What the driver has and its types do not tell. */
interface Inside {
  /** False while a reply is awaited. */
  readyForQuery?: boolean;
  processID: number | null;
  connection: { stream: Socket };
}

/** Whoever asks does it alone: where many connections are dead, asking takes one more and not as many. */
let asking: Promise<unknown> = Promise.resolve();

/**
 * A connection that does not wait for ever for a peer which is gone without a word: a host that lost its power, a router that
 * forgot the connection. Keep-alive notices that only while nothing is under way; what was sent and is not acknowledged is
 * sent again for a quarter of an hour, and Node cannot set TCP_USER_TIMEOUT. No time limit is right for all statements, since
 * some wait for a lock or take an hour. So where a reply does not come, PostgreSQL is asked over a new connection whether it
 * is at the statement: `idle` means that it has answered all that it got, and a server that took over knows nothing of it.
 * Where it cannot be reached, or is reached by a pooler, whose numbers of connections are not its own, all stays as it is.
 */
export class DeadPeerClient extends pg.Client {
  #seen = '';
  #quietLooks = 0;
  #isAsking = false;

  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.once('connect', () => {
      const timer = setInterval(() => this.#look(), LOOK_MS).unref();
      this.once('end', () => clearInterval(timer));
    });
  }

  get #inside(): Inside {
    return this as unknown as Inside;
  }

  /** Changes with every byte that comes or leaves. */
  get #traffic(): string {
    const { bytesRead, bytesWritten, writableLength } = this.#inside.connection.stream;
    return `${bytesRead} ${bytesWritten} ${writableLength}`;
  }

  #look(): void {
    const traffic = this.#traffic;
    if (this.#inside.readyForQuery !== false || traffic !== this.#seen) this.#quietLooks = 0;
    this.#seen = traffic;
    this.#quietLooks += 1;
    if (this.#quietLooks <= QUIET_LOOKS || this.#isAsking) return;
    this.#quietLooks = 0;
    this.#isAsking = true;
    asking = asking
      .then(() => this.#endIfDead(traffic))
      // The database is away: it is asked again after as many looks.
      .catch(() => undefined)
      .finally(() => {
        this.#isAsking = false;
      });
  }

  async #endIfDead(traffic: string): Promise<void> {
    if (this.#traffic !== traffic || (await this.#isAtWork()) || this.#traffic !== traffic) return;
    this.#inside.connection.stream.destroy(new Error('Connection terminated: PostgreSQL is not running the statement'));
  }

  async #isAtWork(): Promise<boolean> {
    const { host, port, user, database, password, ssl } = this;
    const client = new pg.Client({
      ...CONNECTION,
      ...{ host, port, user, password, ssl },
      ...(database === undefined ? {} : { database }),
      application_name: 'slotkeeper watch',
      query_timeout: QUESTION_TIMEOUT_MS,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ own: number; isAtWork: boolean }>(
        `select pg_backend_pid() as own, exists (
           select from pg_stat_activity
           where pid = $1 and datname = current_database() and usename = session_user and state not like 'idle%'
         ) as "isAtWork"`,
        [this.#inside.processID],
      );
      const [answer] = rows;
      const isPooled = answer?.own !== (client as unknown as Inside).processID;
      return isPooled || answer?.isAtWork === true;
    } finally {
      client.end().catch(() => undefined);
    }
  }
}
