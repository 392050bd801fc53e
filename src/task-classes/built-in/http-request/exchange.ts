// One request and its response, over a connection of its own to an address that was judged.
import { connect as connectSocket } from 'node:net';
import { buildConnector, Client } from 'undici';
import type { Outgoing, Reply } from './message.ts';
import type { PrivateTargets } from './private-targets.ts';
import { refused, type Target } from './target.ts';

interface ExchangeOptions {
  target: Target;
  privateTargets: PrivateTargets;
  maxResponseBytes: number;
  /** Ends the exchange at any point; it must come to an end some time, since nothing else bounds a slow receiver. */
  signal: AbortSignal;
}

/** How much of a body is kept: many times what is shown, so that a secret in it is complete when it is removed. */
export const KEPT_BYTES = 256 * 1024;
const MAX_HEADER_BYTES = 32 * 1024;

/** The connection is closed when this returns or throws, whatever became of the request. */
export async function exchange(request: Outgoing, options: ExchangeOptions): Promise<Reply> {
  const { method, url, headers, body } = request;
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const client = new Client(url.origin, {
    connect: connectorOf(options.target, options.privateTargets, signal),
    allowH2: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    // The signal is the only clock.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  try {
    const response = await client.request({
      method,
      path: `${url.pathname}${url.search}`,
      headers: headers.flatMap(({ name, value }) => [name, value]),
      body,
      signal,
      reset: true,
    });
    const kept = await readBeginning(response.body, options.maxResponseBytes);
    return { status: response.statusCode, headers: response.headers, ...kept };
  } finally {
    ended.abort(new Error('the exchange is over'));
    await client.destroy();
  }
}

async function readBeginning(body: AsyncIterable<Buffer>, maxResponseBytes: number) {
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let size = 0;
  for await (const chunk of body) {
    const part = chunk.subarray(0, Math.min(KEPT_BYTES - keptBytes, maxResponseBytes - size));
    if (part.length > 0) kept.push(part);
    keptBytes += part.length;
    size += chunk.length;
    if (size > maxResponseBytes) break;
  }
  return { beginning: Buffer.concat(kept), isLonger: size > keptBytes, isTooLarge: size > maxResponseBytes };
}

/**
 * Connects to the target's addresses and to no other: the name is not looked up again. The address that the socket is
 * connected to in the end is judged once more, before a byte is sent.
 */
function connectorOf(target: Target, privateTargets: PrivateTargets, signal: AbortSignal): buildConnector.connector {
  const { host, port, addresses } = target;
  // Of a socket that is connected already this makes one of TLS, verified whatever NODE_TLS_REJECT_UNAUTHORIZED says.
  const secure = buildConnector({ allowH2: false, maxCachedSessions: 0, rejectUnauthorized: true });
  return (options, callback) => {
    const socket = connectSocket({
      host,
      port,
      signal,
      noDelay: true,
      lookup: (_host, { all }, found) => {
        if (all) found(null, [...addresses]);
        else found(null, addresses[0].address, addresses[0].family);
      },
    });
    const failed = (error: Error) => callback(error, null);
    socket.once('error', failed);
    socket.once('connect', () => {
      const refusal = privateTargets.findRefusal({ host, port, address: socket.remoteAddress ?? '' });
      if (refusal !== null) return socket.destroy(refused(host, port, refusal));
      // From here on the reader of the socket gets its errors; the socket below TLS needs a listener of its own.
      socket.off('error', failed).on('error', () => undefined);
      if (options.protocol === 'https:') secure({ ...options, httpSocket: socket }, callback);
      else callback(null, socket);
    });
  };
}
