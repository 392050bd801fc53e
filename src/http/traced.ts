// The spans of requests. If tracing is off, a handler is called directly, so that it costs nothing.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Span, Tracing } from '../tracing/tracing.ts';
import type { OperationInfo } from './graphql/operation-names.ts';

/** A handler that gets the span of its request; null if tracing is off. */
export type SpannedHandler = (request: FastifyRequest, reply: FastifyReply, span: Span | null) => Promise<unknown>;

/** Wraps a handler in a span. `route` is the path, or one name for all paths of the handler. */
export function traced(tracing: Tracing | null, route: string, handler: SpannedHandler) {
  if (tracing === null) return (request: FastifyRequest, reply: FastifyReply) => handler(request, reply, null);
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const span = beginRequest(tracing, `${request.method} ${route}`, request);
    span.set({ 'http.request.method': request.method, 'http.route': route });
    let status = 500;
    try {
      const response = await handler(request, reply, span);
      status = response instanceof Response ? response.status : reply.statusCode;
      return response;
    } catch (error) {
      status = (error as { statusCode?: number }).statusCode ?? 500;
      throw error;
    } finally {
      span.set({ 'http.response.status_code': status });
      if (status >= 500) span.fail();
      // The span of a stream ends when the stream begins; the client decides how long the stream lasts.
      span.end();
    }
  };
}

/** Starts the span; the log lines of the request carry its trace id from here on. */
function beginRequest(tracing: Tracing, name: string, request: FastifyRequest): Span {
  const span = tracing.request(name, request.headers.traceparent, { 'slotkeeper.request.id': request.id });
  request.log = request.log.child({ traceId: span.traceId });
  return span;
}

/** Sets what may be recorded of an operation: its type, its root field and its name. */
export function setOperation(span: Span, { operation, operationName, operationType }: OperationInfo): void {
  if (operationType !== undefined) span.set({ 'graphql.operation.type': operationType });
  if (operationName !== undefined) span.set({ 'graphql.operation.name': operationName });
  if (operation !== undefined) span.set({ 'slotkeeper.operation': operation });
}
