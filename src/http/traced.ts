// The spans of requests. Where traces are off the handlers are those of the doors themselves, so that they cost nothing.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Span, Tracing } from '../tracing/tracing.ts';
import type { OperationInfo } from './graphql/operation-names.ts';

/** A handler that is told the span of its request; null where traces are off. */
export type SpannedHandler = (request: FastifyRequest, reply: FastifyReply, span: Span | null) => Promise<unknown>;

/** `route` is the path, or what stands for its many. */
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
      // Of a stream, when it begins: it lasts as long as its client likes.
      span.end();
    }
  };
}

/** Lines of the request name its trace from here on. */
function beginRequest(tracing: Tracing, name: string, request: FastifyRequest): Span {
  const span = tracing.request(name, request.headers.traceparent, { 'slotkeeper.request.id': request.id });
  request.log = request.log.child({ traceId: span.traceId });
  return span;
}

/** What may be told of an operation: its kind, the root field that it asks for, and what its author calls it. */
export function setOperation(span: Span, { operation, operationName, operationType }: OperationInfo): void {
  if (operationType !== undefined) span.set({ 'graphql.operation.type': operationType });
  if (operationName !== undefined) span.set({ 'graphql.operation.name': operationName });
  if (operation !== undefined) span.set({ 'slotkeeper.operation': operation });
}
