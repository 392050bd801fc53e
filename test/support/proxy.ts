import { connect, createServer, type Socket } from 'node:net';

export interface DatabaseProxy {
  url: string;
  /** Breaks all connections and takes no more. */
  cut(): Promise<void>;
  /** Breaks all connections, and takes new ones at once, as a restart of the server does. */
  drop(): void;
  /**
   * From now on passes nothing over the connections that there are and tells neither side, as a router that has forgotten
   * them. New ones work.
   */
  swallow(): void;
  /** From now on closes connections over which nothing went for so long, as poolers do. */
  closeIdle(milliseconds: number): void;
  /** Where new connections lead from now on. */
  retarget(url: string): void;
  /** Takes connections again after a cut, at the same address. */
  restore(): Promise<void>;
}

/** A way to the database of `url` that a test can cut. */
export async function proxyTo(url: string): Promise<DatabaseProxy> {
  let target = new URL(url);
  const sockets = new Set<Socket>();
  const passing = new Set<{ client: Socket; upstream: Socket }>();
  let idleMs = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const pair = { client, upstream };
    passing.add(pair);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      if (idleMs > 0) socket.setTimeout(idleMs);
      socket.on('timeout', () => socket.destroy());
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        if (!passing.delete(pair)) return;
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  const proxied = new URL(url);
  proxied.hostname = '127.0.0.1';
  proxied.port = String(address.port);
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: proxied.href,
    drop,
    swallow: () => {
      for (const { client, upstream } of passing) {
        client.unpipe(upstream).resume();
        upstream.unpipe(client).resume();
      }
      passing.clear();
    },
    closeIdle: (milliseconds) => {
      idleMs = milliseconds;
      for (const socket of sockets) socket.setTimeout(idleMs);
    },
    retarget: (other) => {
      target = new URL(other);
    },
    cut: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      drop();
      await closed;
    },
    restore: () => listen(address.port),
  };
}
