import type { WebSocket } from 'ws';

/** Service Restart: clients of graphql-ws take it for a loss and connect again, to whoever serves by then. */
const SERVICE_RESTART = 1012;
const REASON = 'the server stops; connect again and go on from the last cursor';
/** A client that has not answered by then is left. */
const CLOSE_WITHIN_MS = 1_000;
const LOOK_MS = 20;

/** Tells a client that the server stops; whatever was sent before reaches it before. */
export function sayGoodbye(socket: WebSocket): void {
  socket.close(SERVICE_RESTART, REASON);
}

/** Closes a socket, and breaks it off where its client does not answer. */
export function closeForGood(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  const timer = setTimeout(() => socket.terminate(), CLOSE_WITHIN_MS);
  socket.once('close', () => clearTimeout(timer));
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
