import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** Service Restart: clients of graphql-ws take it for a loss and connect again, to whoever serves by then. */
const SERVICE_RESTART = 1012;
const REASON = 'the server stops; connect again and go on from the last cursor';
/** A client that has not answered a close by then is cut off. */
export const CLOSE_WITHIN_MS = 1_000;
const LOOK_MS = 20;

/** Tells a client that the server stops; whatever was sent before reaches it before. */
export function sayGoodbye(socket: WebSocket): void {
  socket.close(SERVICE_RESTART, REASON);
}

/** Tells all clients that the server stops, and returns when they are gone. */
export async function closeSockets(clients: ReadonlySet<WebSocket>): Promise<void> {
  for (const client of clients) sayGoodbye(client);
  const deadline = performance.now() + CLOSE_WITHIN_MS;
  while (clients.size > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  for (const client of clients) client.terminate();
}

/** What may wait to be written before a sender is kept waiting. */
const MAX_UNWRITTEN_BYTES = 64 * 1024;

/**
 * Makes a socket write the messages of one turn together, and takes the next message before the last one is written as long
 * as little waits: graphql-ws waits for each to be written, and would make a system call for each. A failure of one that was
 * not waited for shows by the close of the socket. `stream` is what the socket writes to.
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
