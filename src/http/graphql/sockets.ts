import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/**
 * Service Restart (1012): graphql-ws clients treat it as a lost connection and reconnect, perhaps to another server.
 */
const SERVICE_RESTART = 1012;
const REASON = 'the server is stopping; reconnect and resume from the last cursor';
/** A client that does not answer a close within this time is disconnected. */
export const CLOSE_WITHIN_MS = 1_000;
const LOOK_MS = 20;

/** Tells a client that the server is stopping, after all that was sent to it before. */
export function sayGoodbye(socket: WebSocket): void {
  socket.close(SERVICE_RESTART, REASON);
}

/** Tells all clients that the server is stopping; resolves when all are disconnected. */
export async function closeSockets(clients: ReadonlySet<WebSocket>): Promise<void> {
  for (const client of clients) sayGoodbye(client);
  const deadline = performance.now() + CLOSE_WITHIN_MS;
  while (clients.size > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  for (const client of clients) client.terminate();
}

/** How much may wait to be written before a sender must wait. */
const MAX_UNWRITTEN_BYTES = 64 * 1024;

/**
 * Makes a socket write the messages of one turn of the event loop together. graphql-ws waits until each message is
 * written, at the cost of a system call each; here `send` completes at once while at most MAX_UNWRITTEN_BYTES wait. If
 * such a message cannot be written, the socket closes. `stream` is what the socket writes to.
 */
export function writeTogether(socket: WebSocket, stream: Duplex): void {
  const send = socket.send.bind(socket) as (data: unknown, sent: (error?: Error) => void) => void;
  let isCorked = false;
  const uncork = () => {
    isCorked = false;
    stream.uncork();
  };
  socket.send = (data: unknown, options: unknown, sent?: (error?: Error) => void) => {
    const whenSent = (typeof options === 'function' ? options : sent) as typeof sent;
    if (!isCorked) {
      isCorked = true;
      stream.cork();
      process.nextTick(uncork);
    }
    const isFull = socket.bufferedAmount > MAX_UNWRITTEN_BYTES;
    send(data, (error) => {
      if (isFull) whenSent?.(error);
    });
    if (!isFull) whenSent?.();
  };
}
