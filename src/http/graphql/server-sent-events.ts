import type { Plugin } from 'graphql-yoga';
import type { Context, Opening } from '../../schema/context.ts';
import { cursorOf } from './subscriptions.ts';

const PING_MS = 12_000;
/** A client that reads nothing for this long is disconnected; it may reconnect with its cursor. */
const STALLED_MS = 120_000;

/**
 * Subscriptions over Server-Sent Events, each event with `id: <cursor>`: an EventSource that reconnects sends the last
 * one in Last-Event-ID. Yoga's own writer sends no ids, so an EventSource would get events twice.
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
      // An id without data is not an event, but a client that is disconnected before the first event resumes from it.
      if (startCursor !== undefined) controller.enqueue(encoder.encode(`id: ${startCursor}\n\n`));
      ping = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) {
          controller.enqueue(comment);
        } else if (performance.now() - takenAt > STALLED_MS) {
          controller.error(new Error('the client reads nothing'));
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
      // Without `complete` a client takes the end for a lost connection and reconnects: right only if the server stops.
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
