import type { Plugin } from 'graphql-yoga';
import type { Context } from '../schema/context.ts';

const PING_MS = 12_000;

/** A result of a subscription with the position in the log after it. */
interface Delivered {
  cursor: string | undefined;
  result: unknown;
}

const delivered = new WeakMap<object, string>();

/**
 * Subscriptions over Server-Sent Events, with `id: <cursor>` on each, so that a browser's EventSource that reconnects
 * says in Last-Event-ID what it has seen. Yoga's own writer sends no ids, and EventSource would see events twice.
 */
export function useServerSentEvents(isStopping: () => boolean): Plugin<Context> {
  return {
    onSubscribe({ args }) {
      return {
        onSubscribeResult: () => ({
          // Results are made one at a time, so the context holds the cursor of the one that is under way.
          onNext({ result }) {
            const { deliveredCursor } = args.contextValue;
            if (deliveredCursor !== undefined) delivered.set(result, deliveredCursor);
          },
        }),
      };
    },
    onResultProcess({ result, request, setResultProcessor }) {
      const accepts = request.headers.get('accept')?.includes('text/event-stream') ?? false;
      if (!accepts || !(Symbol.asyncIterator in Object(result))) return;
      setResultProcessor(
        (results) => eventStream(results as unknown as AsyncIterable<object>, isStopping),
        'text/event-stream',
      );
    },
  };
}

function eventStream(results: AsyncIterable<object>, isStopping: () => boolean): Response {
  const iterator = results[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let ping: NodeJS.Timeout | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const comment = encoder.encode(':\n\n');
      // Some clients do not see the response's headers before its first bytes.
      controller.enqueue(comment);
      ping = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(comment);
      }, PING_MS);
    },
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) {
        clearInterval(ping);
        // Without it a client takes the end for a loss and connects again, as it should while the server stops.
        if (!isStopping()) controller.enqueue(encoder.encode('event: complete\ndata:\n\n'));
        controller.close();
        return;
      }
      controller.enqueue(encoder.encode(frame({ cursor: delivered.get(value), result: value })));
    },
    async cancel() {
      clearInterval(ping);
      await iterator.return?.();
    },
  });
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' },
  });
}

function frame({ cursor, result }: Delivered): string {
  const id = cursor === undefined ? '' : `id: ${cursor}\n`;
  return `event: next\n${id}data: ${JSON.stringify(result)}\n\n`;
}
