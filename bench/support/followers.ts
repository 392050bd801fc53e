// Clients that follow every run live, lose their connection again and again, and go on from where they were.
import { createClient } from 'graphql-ws';
import type pg from 'pg';
import WebSocket from 'ws';
import type { Product } from './programs.ts';

const QUERY = 'subscription ($after: String) { runEvents(after: $after) { cursor } }';

/** The position that a cursor stands for. */
const positionOf = (cursor: string) => Number(Buffer.from(cursor, 'base64url').toString().split('.')[1]);

export class Follower {
  readonly #product: Product;
  #dispose: (() => void | Promise<void>) | undefined;
  #cursor: string | null = null;
  #first = 0;
  #last = 0;
  /** Events that came, and those of them that came twice or out of order. */
  received = 0;
  wrong = 0;
  faults: string[] = [];

  constructor(product: Product) {
    this.#product = product;
  }

  /** From the end of the log on, or from the last event that came. */
  open(): void {
    const { address, authorization } = this.#product;
    const client = createClient({
      url: `${address.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization },
      retryAttempts: 0,
    });
    let isClosed = false;
    this.#dispose = () => {
      // What is still on its way comes again over the next connection.
      isClosed = true;
      return client.dispose();
    };
    const take = ({ data }: { data?: { runEvents: { cursor: string } } | null }) => {
      if (data == null || isClosed) return;
      const { cursor } = data.runEvents;
      const position = positionOf(cursor);
      if (position <= this.#last) this.wrong += 1;
      if (this.#first === 0) this.#first = position;
      this.#last = Math.max(this.#last, position);
      this.#cursor = cursor;
      this.received += 1;
    };
    client.subscribe<{ runEvents: { cursor: string } }>(
      { query: QUERY, variables: { after: this.#cursor } },
      { next: take, error: (error) => void this.faults.push(JSON.stringify(error)), complete: () => undefined },
    );
  }

  async close(): Promise<void> {
    await this.#dispose?.();
  }

  /** How many of the events between the first and the last that came did not. */
  async missed(client: pg.Client): Promise<number> {
    const { rows } = await client.query<{ events: number }>(
      'select count(*)::int as events from event where run_id is not null and seq between $1 and $2',
      [this.#first, this.#last],
    );
    return (rows[0]?.events ?? 0) - this.received;
  }
}
