// A receiver of requests on this machine, which answers by path and counts who comes.
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';

export interface Received {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
  bytes: Buffer;
}

export type Behaviour = (response: ServerResponse, request: IncomingMessage) => void;

export interface Receiver {
  port: number;
  /** Connections so far. */
  connections(): number;
  /** Connections that are open. */
  open(): Promise<number>;
  requests: Received[];
  /** The requests that came while `work` was under way. */
  during(work: () => Promise<unknown>): Promise<Received[]>;
  close(): Promise<void>;
}

/** Listens on a free port unless told otherwise; what has no behaviour is answered with 200 and `ok`. */
export async function startReceiver(
  behaviours: Readonly<Record<string, Behaviour>> = {},
  { host = '127.0.0.1', port = 0, tls }: { host?: string; port?: number; tls?: { key: string; cert: string } } = {},
): Promise<Receiver> {
  const requests: Received[] = [];
  let connections = 0;
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const path = request.url ?? '';
      const bytes = Buffer.concat(chunks);
      const body = bytes.toString();
      requests.push({ method: request.method ?? '', path, headers: request.headers, body, bytes });
      const behaviour = behaviours[path.split('?', 1)[0] ?? ''];
      if (behaviour === undefined) response.end('ok');
      else behaviour(response, request);
    });
  };
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    open: () => new Promise((resolve) => (server as Server).getConnections((_error, count) => resolve(count))),
    requests,
    during: async (work) => {
      const before = requests.length;
      await work();
      return requests.slice(before);
    },
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

/** Writes to the connection what no server would. */
export function raw(text: string, every?: { text: string; milliseconds: number }): Behaviour {
  return (_response, { socket }) => {
    socket.on('error', () => undefined);
    socket.write(text);
    if (every === undefined) return;
    const timer = setInterval(() => socket.write(every.text), every.milliseconds);
    socket.on('close', () => clearInterval(timer));
  };
}

export function redirect(location: string, status = 302): Behaviour {
  return (response) => void response.writeHead(status, { location }).end();
}
