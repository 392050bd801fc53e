import { codeOf } from '../lib/describe-error.ts';

/**
 * Whether the connection ended, as all do when PostgreSQL restarts and idle ones do at some poolers: the server was
 * stopped (57P01) or crashed (57P02), or the socket was closed. A pool hands out such a connection until it has
 * noticed.
 */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) return ['57P01', '57P02', 'ECONNRESET', 'EPIPE'].includes(code);
  // Errors of node-postgres itself have no code.
  return error instanceof Error && LOST.test(error.message);
}

const LOST = /^Connection terminated|^Client has encountered a connection error/;
