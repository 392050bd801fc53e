import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';

export const UNEXPECTED = 'Something went wrong on our side; the log says what.';

/**
 * What a caller sees of an error: our own errors with their code, what the GraphQL library says of a malformed or ill-typed
 * operation as BAD_USER_INPUT, and of everything else nothing but that it went wrong, which is logged.
 */
export function maskError(log: Logger): (error: unknown) => Error {
  return (error) => {
    if (error instanceof GraphQLError) {
      const { originalError } = error;
      if (originalError === undefined || originalError === null || originalError instanceof GraphQLError) {
        return withCode(error);
      }
    }
    log.error({ err: error }, 'an operation failed unexpectedly');
    const place = error instanceof GraphQLError ? { nodes: error.nodes ?? null, path: error.path } : {};
    return new GraphQLError(UNEXPECTED, { ...place, extensions: { code: 'INTERNAL_SERVER_ERROR' } });
  };
}

export function withCode(error: GraphQLError): GraphQLError {
  error.extensions.code ??= 'BAD_USER_INPUT';
  return error;
}
