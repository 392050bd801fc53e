import { Readable } from 'node:stream';
import type { FastifyRequest, RequestPayload } from 'fastify';

/** The first bytes of a body, and whether they are the whole body; the rest is unread. */
interface BodyHead {
  bytes: Buffer;
  isAll: boolean;
}

/** Reads a body to its end, or until more than `limit` bytes have been read. */
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

/** A body whose first bytes, `head`, have already been read. */
export function withHead(request: FastifyRequest, head: BodyHead, payload: RequestPayload): RequestPayload {
  const chunks = async function* () {
    if (head.bytes.length > 0) yield head.bytes;
    if (!head.isAll) yield* payload;
  };
  return standIn(request, chunks());
}

/**
 * An empty body in place of one whose caller is refused. The real one is discarded as it arrives: it takes no memory,
 * whatever its length, and the connection can continue with its next request.
 */
export function unread(request: FastifyRequest, payload: RequestPayload): RequestPayload {
  payload.resume();
  return standIn(request, []);
}

function standIn(request: FastifyRequest, chunks: Iterable<Buffer> | AsyncIterable<Buffer>): RequestPayload {
  const payload: RequestPayload = Readable.from(chunks);
  // Fastify compares this with the Content-Length header; without that header it counts the bytes.
  payload.receivedEncodedLength = Number(request.headers['content-length'] ?? 0);
  return payload;
}
