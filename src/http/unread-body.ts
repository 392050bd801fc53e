import { Readable } from 'node:stream';
import type { FastifyRequest, RequestPayload } from 'fastify';

/** Beginning of a body, and whether that is all of it; the rest is unread. */
interface BodyHead {
  bytes: Buffer;
  isAll: boolean;
}

/** Reads a body until it has more than `limit` bytes. */
export async function readHead(payload: RequestPayload, limit: number): Promise<BodyHead> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of payload.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length > limit) return { bytes: Buffer.concat(chunks), isAll: false };
  }
  return { bytes: Buffer.concat(chunks), isAll: true };
}

/** A body of which `head` was read. */
export function withHead(request: FastifyRequest, head: BodyHead, payload: RequestPayload): RequestPayload {
  const chunks = async function* () {
    if (head.bytes.length > 0) yield head.bytes;
    if (!head.isAll) yield* payload;
  };
  return standIn(request, chunks());
}

/**
 * In place of a body that is left unread, since its caller is refused: what is left of it is dropped as it comes, so that it
 * takes no memory, however long it is, and the connection can go on with its next request.
 */
export function unread(request: FastifyRequest, payload: RequestPayload): RequestPayload {
  payload.resume();
  return standIn(request, []);
}

function standIn(request: FastifyRequest, chunks: Iterable<Buffer> | AsyncIterable<Buffer>): RequestPayload {
  const payload: RequestPayload = Readable.from(chunks);
  // What Fastify compares with the length that the request states; of a body without one it counts what comes.
  payload.receivedEncodedLength = Number(request.headers['content-length'] ?? 0);
  return payload;
}
