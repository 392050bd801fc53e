import type { Plugin } from 'graphql-yoga';
import type { Context, Opening } from '../../schema/context.ts';
import { cursorOf } from './subscriptions.ts';

const PING_MS = 12_000;
/** A client that has taken nothing of what waits for it for so long is let go; it may come back with its cursor. */
const STALLED_MS = 120_000;

/**
 * Subscriptions over Server-Sent Events, with `id: <cursor>` on each, so that a browser's EventSource that reconnects
 * says in Last-Event-ID what it has seen. Yoga's own writer sends no ids, and EventSource would see events twice.
 */
export function useServerSentEvents(isStopping: () => boolean): Plugin<Context> {
  return {
    onResultProcess({ result, request, serverContext, setResultProcessor }) {
      const accepts = request.headers.get('accept')?.includes('text/event-stream') ?? false;
      if (!accepts || !(Symbol.asyncIterator in Object(result))) return;
      setResultProcessor(
        (results) =>
          eventStream(results as unknown as AsyncIterable<object>, serverContext as unknown as Connection, isStopping),
        'text/event-stream',
      );
    },
  };
}

interface Connection {
  opening?: Opening;
  cutOff?: () => void;
}

function eventStream(
  results: AsyncIterable<object>,
  { opening, cutOff }: Connection,
  isStopping: () => boolean,
): Response {
  const startCursor = opening?.startCursor;
  const iterator = results[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let ping: NodeJS.Timeout | undefined;
  let takenAt = performance.now();
  const end = async () => {
    clearInterval(ping);
    await iterator.return?.();
  };
  const next = async () => {
    try {
      return await iterator.next();
    } catch (error) {
      clearInterval(ping);
      throw error;
    }
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const comment = encoder.encode(':\n\n');
      // Some clients do not see the response's headers before its first bytes.
      controller.enqueue(comment);
      // An id without data is no event, and is remembered all the same by whoever is cut off before the first one.
      if (startCursor !== undefined) controller.enqueue(encoder.encode(`id: ${startCursor}\n\n`));
      ping = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) {
          controller.enqueue(comment);
        } else if (performance.now() - takenAt > STALLED_MS) {
          controller.error(new Error('the client takes nothing'));
          end().catch(() => undefined);
          cutOff?.();
        }
      }, PING_MS);
    },
    async pull(controller) {
      takenAt = performance.now();
      const { done, value } = await next();
      if (!done) return controller.enqueue(encoder.encode(frame(cursorOf(value), value)));
      clearInterval(ping);
      // Without it a client takes the end for a loss and connects again, as it should while the server stops.
      if (!isStopping()) controller.enqueue(encoder.encode('event: complete\ndata:\n\n'));
      controller.close();
    },
    cancel: end,
  });
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' },
  });
}

function frame(cursor: string | undefined, result: object): string {
  const id = cursor === undefined ? '' : `id: ${cursor}\n`;
  return `event: next\n${id}data: ${JSON.stringify(result)}\n\n`;
}
