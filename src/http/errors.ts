import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import type { Span } from '../tracing/tracing.ts';

export const UNEXPECTED = 'Something went wrong on our side; the log says what.';

/** Who is told of an error, and where it is logged. */
export interface Asker {
  requestId: string;
  /** Its lines carry the request's id. */
  log: Pick<Logger, 'error'>;
  /** Of the request; null where traces are off. */
  span: Span | null;
}

/**
 * What a caller sees of an error: our own errors with their code, what the GraphQL library says of a malformed or ill-typed
 * operation as BAD_USER_INPUT, and of everything else nothing but that it went wrong and the id of the request, under which
 * the log says more.
 */
export function maskError(error: unknown, asker: Asker): GraphQLError {
  const masked = hideError(error);
  tellHidden(masked, asker);
  return masked;
}

/** What errors were, of which it is not known yet who asked. */
const hidden = new WeakMap<GraphQLError, unknown>();

/** The same where it is not known who asks: `tellHidden` is to be called of it where that is. */
export function hideError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) {
    const { originalError } = error;
    if (originalError === undefined || originalError === null || originalError instanceof GraphQLError) {
      return withCode(error);
    }
  }
  const place = error instanceof GraphQLError ? { nodes: error.nodes ?? null, path: error.path } : {};
  const masked = new GraphQLError(UNEXPECTED, { ...place, extensions: { code: 'INTERNAL_SERVER_ERROR' } });
  hidden.set(masked, error);
  return masked;
}

/** Logs what was hidden behind the error and gives it the id of its request, once; nothing where it hides nothing. */
export function tellHidden(error: unknown, { log, requestId, span }: Asker): void {
  if (!(error instanceof GraphQLError && hidden.has(error))) return;
  log.error({ err: hidden.get(error) }, 'an operation failed unexpectedly');
  hidden.delete(error);
  error.extensions.requestId = requestId;
  span?.fail();
}

export function withCode(error: GraphQLError): GraphQLError {
  error.extensions.code ??= 'BAD_USER_INPUT';
  return error;
}
