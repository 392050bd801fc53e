// HTTP written by hand, so that a test decides about every byte that the server gets.
import { connect } from 'node:net';

export interface WireReply {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: string;
}

/** Sends the bytes on a connection of their own and reads until the server closes it. */
export async function sendRaw(address: string, bytes: string | Buffer): Promise<WireReply> {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  const closed = new Promise<void>((resolve, reject) => {
    socket.once('end', resolve);
    socket.once('error', reject);
  });
  socket.write(bytes);
  await closed;
  socket.destroy();
  return parse(Buffer.concat(chunks).toString('latin1'));
}

function parse(text: string): WireReply {
  // What Expect asked for comes before the reply itself.
  const reply = text.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
  const end = reply.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = reply.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { status: Number(statusLine.split(' ')[1]), headers, body: reply.slice(end + 4) };
}

export interface WireRequest {
  method?: string;
  target: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  version?: '1.0' | '1.1';
}

/** A request as most clients write it: with a Host in HTTP/1.1, and a length for a body. */
export function written({ method = 'GET', target, headers = {}, body, version = '1.1' }: WireRequest): Buffer {
  const content = body === undefined ? undefined : Buffer.from(body);
  const all: Record<string, string> = {
    ...(version === '1.1' ? { Host: 'old.example', Connection: 'close' } : {}),
    ...(content === undefined || 'Transfer-Encoding' in headers ? {} : { 'Content-Length': String(content.length) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n`, 'latin1');
  return content === undefined ? head : Buffer.concat([head, content]);
}
