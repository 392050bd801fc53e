import type { ClientOptions } from 'graphql-ws';

/** How often the connection is pinged. The server answers pings at once. */
export const PING_MS = 10_000;
const PONG_TIMEOUT_MS = PING_MS / 2;

/** Listeners that close the socket where a ping is not answered: a network that drops everything is noticed by nothing else. */
export function closeOnMissedPong(): NonNullable<ClientOptions['on']> {
  let socket: { close(code: number, reason: string): void } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  return {
    opened: (opened) => {
      socket = opened as typeof socket;
    },
    ping: (received) => {
      const pinged = socket;
      if (!received) timer = setTimeout(() => pinged?.close(4408, 'no answer to a ping'), PONG_TIMEOUT_MS);
    },
    pong: (received) => {
      if (received) clearTimeout(timer);
    },
    closed: () => clearTimeout(timer),
  };
}
