// A way to a database on which a process dies between two statements, as it would by kill -9 at that moment.
import { connect, createServer, type Socket } from 'node:net';

export interface DeadlyProxy {
  url: string;
  /** `die` is called instead of sending the statement after the next `count`, of all connections together, and nothing is sent any more. */
  dieAfter(count: number, die: () => void): void;
  /** Sends again, for the next process. */
  revive(): void;
  close(): Promise<void>;
}

const TYPE_BYTES = 1;
const LENGTH_BYTES = 4;
/** What ends a statement of the extended protocol (Sync), and what is one of the simple protocol (Query). */
const STATEMENTS = ['S', 'Q'];

/** Takes the messages of a client apart, which follow its first one, the only one without a type. */
class Messages {
  #rest: Buffer = Buffer.alloc(0);
  #isFirst = true;

  *of(chunk: Buffer): Generator<{ type: string; bytes: Buffer }> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const head = this.#isFirst ? 0 : TYPE_BYTES;
      if (this.#rest.length < head + LENGTH_BYTES) return;
      const end = head + this.#rest.readInt32BE(head);
      if (this.#rest.length < end) return;
      const bytes = this.#rest.subarray(0, end);
      yield { type: this.#isFirst ? '' : String.fromCharCode(bytes[0] ?? 0), bytes };
      this.#isFirst = false;
      this.#rest = this.#rest.subarray(end);
    }
  }
}

export async function deadlyProxyTo(url: string): Promise<DeadlyProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let left = Number.POSITIVE_INFINITY;
  let die: () => void = () => undefined;
  let isDead = false;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    upstream.pipe(client);
    const messages = new Messages();
    client.on('data', (chunk) => {
      for (const { type, bytes } of messages.of(chunk)) {
        if (STATEMENTS.includes(type)) left -= 1;
        if (left < 0 && !isDead) {
          isDead = true;
          die();
        }
        if (isDead) return client.destroy();
        upstream.write(bytes);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const proxied = new URL(url);
  proxied.hostname = '127.0.0.1';
  proxied.port = String(address.port);
  return {
    url: proxied.href,
    dieAfter: (count, killing) => {
      left = count;
      die = killing;
    },
    revive: () => {
      left = Number.POSITIVE_INFINITY;
      isDead = false;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
