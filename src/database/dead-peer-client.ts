import type { Socket } from 'node:net';
import pg from 'pg';

/** The options of every connection. By default, Linux sends the first keep-alive probe only after two hours. */
export const CONNECTION = {
  keepAlive: true,
  keepAliveInitialDelayMillis: 10_000,
  connectionTimeoutMillis: 10_000,
} as const;

const LOOK_MS = 5_000;
/** After this many looks without traffic during a reply, PostgreSQL is asked about the statement. */
const QUIET_LOOKS = 3;
const QUESTION_TIMEOUT_MS = 10_000;

/** Members of the driver's client that its types lack. */
interface Inside {
  /** False while a reply is pending. */
  readyForQuery?: boolean;
  processID: number | null;
  connection: { stream: Socket };
}

/**
 * Checks run one at a time: if many connections are dead, checking takes one extra connection and not as many again.
 */
let asking: Promise<unknown> = Promise.resolve();

/**
 * A connection that does not wait for ever for a peer that vanished: a host that lost power, a router that forgot the
 * connection. Keep-alive detects that only on an idle connection; unacknowledged data is retransmitted for a quarter of
 * an hour, and Node cannot set TCP_USER_TIMEOUT. No time limit suits all statements, since some wait for a lock or take
 * an hour. So if a reply does not arrive, a new connection asks PostgreSQL whether it is running the statement: `idle`
 * means that it has answered everything it received, and a server that has failed over does not know the session at
 * all. If PostgreSQL cannot be reached, or answers through a pooler, whose process ids are not PostgreSQL's, nothing
 * changes.
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

  /** Changes with every byte received or sent. */
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
      // The database is unreachable: it is asked again after QUIET_LOOKS.
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
