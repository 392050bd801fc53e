// A process's share in the running server: a shared advisory lock in a session that does nothing else. The server
// releases the lock of a killed process by itself, so the locks always show which processes use it.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { codeOf, reasonOf } from '../../lib/describe-error.ts';
import { ROLE } from './cluster.ts';

/** An arbitrary number: nothing else takes advisory locks in the maintenance database. */
const LOCK = 7_563_017;
const CONNECT_SECONDS = 5;
const QUERY_SECONDS = 30;
const RETAKE_SECONDS = { first: 0.2, most: 5 };

export interface Address {
  readonly port: number;
  readonly password: string;
}

/**
 * Opens a session in the maintenance database, so that the product's own database can be dropped, restored or copied.
 */
export async function connect({ port, password }: Address): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: ROLE,
    password,
    database: 'postgres',
    ssl: false,
    application_name: 'slotkeeper: holds a share in the embedded server',
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    connectionTimeoutMillis: CONNECT_SECONDS * 1000,
    query_timeout: QUERY_SECONDS * 1000,
  });
  // A lost server is handled by 'end' and by rejected queries; without this listener the error would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    void client.end();
    throw error;
  }
  return client;
}

/** Whether the error comes from a server that is starting, stopping, crashing or full, so that a retry may succeed. */
export function isPassing(error: unknown): boolean {
  const codes = ['57P01', '57P02', '57P03', '53300', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'];
  return codes.includes(codeOf(error) ?? '') || /terminated|timeout|not queryable|was closed/i.test(reasonOf(error));
}

export class Share {
  readonly #address: Address;
  #client: pg.Client | undefined;
  readonly #left = new AbortController();
  #retaking: Promise<void> | undefined;

  private constructor(address: Address, client: pg.Client) {
    this.#address = address;
    this.#hold(client);
  }

  /** Returns undefined if a process holds the exclusive lock: it is stopping the server. */
  static async take(address: Address): Promise<Share | undefined> {
    const client = await lockShared(address);
    return client && new Share(address, client);
  }

  /**
   * Gives the share up. Returns true if no other process has one: then none can take one until `finish` is called, and
   * the caller must stop the server before that. Of several that leave at once, exactly one gets true.
   */
  async leave(): Promise<boolean> {
    this.#left.abort();
    await this.#retaking;
    try {
      // If the server dropped the session, a new one is opened.
      this.#client ??= await connect(this.#address);
      await this.#client.query('SELECT pg_advisory_unlock_shared($1)', [LOCK]);
      const { rows } = await this.#client.query<{ isLast: boolean }>('SELECT pg_try_advisory_lock($1) AS "isLast"', [
        LOCK,
      ]);
      return rows[0]?.isLast === true;
    } catch {
      return false;
    }
  }

  async finish(): Promise<void> {
    await this.#client?.end().catch(() => undefined);
  }

  #hold(client: pg.Client): void {
    this.#client = client;
    client.once('end', () => {
      if (this.#left.signal.aborted) return;
      this.#client = undefined;
      this.#retaking = this.#retake();
    });
  }

  /**
   * When one of its processes crashes, the server drops every session and then continues, so the share is taken again.
   */
  async #retake(): Promise<void> {
    let pause = RETAKE_SECONDS.first;
    while (!this.#left.signal.aborted) {
      await sleep(pause * 1000, undefined, { signal: this.#left.signal, ref: false }).catch(() => undefined);
      if (this.#left.signal.aborted) return;
      pause = Math.min(pause * 2, RETAKE_SECONDS.most);
      const client = await lockShared(this.#address).catch(() => undefined);
      if (!client) continue;
      if (this.#left.signal.aborted) await client.end().catch(() => undefined);
      else this.#hold(client);
      return;
    }
  }
}

async function lockShared(address: Address): Promise<pg.Client | undefined> {
  const client = await connect(address);
  try {
    const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock_shared($1) AS taken', [LOCK]);
    if (rows[0]?.taken) return client;
  } catch (error) {
    void client.end();
    throw error;
  }
  await client.end();
  return undefined;
}
