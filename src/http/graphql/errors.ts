import { GraphQLError } from 'graphql';
import { Fault } from '../../lib/faults.ts';
import type { RequestScope } from '../../schema/context.ts';
import { toGraphQLError } from '../../schema/errors.ts';

export const UNEXPECTED = 'Something went wrong on our side; the log says what.';

/**
 * What a caller sees of an error: our own errors with their code, what the GraphQL library says of a malformed or ill-typed
 * operation as BAD_USER_INPUT, and of everything else nothing but that it went wrong and the id of the request, under which
 * the log says more.
 */
export function maskError(error: unknown, scope: RequestScope): GraphQLError {
  const masked = hideError(error);
  tellHidden(masked, scope);
  return masked;
}

/** What errors were, of which it is not known yet who asked. */
const hidden = new WeakMap<GraphQLError, unknown>();

/** The same where it is not known who asks: `tellHidden` is to be called of it where that is. */
export function hideError(error: unknown): GraphQLError {
  if (error instanceof Fault) return toGraphQLError(error);
  if (error instanceof GraphQLError) {
    const { originalError } = error;
    if (originalError instanceof Fault) return toGraphQLError(originalError, error);
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
export function tellHidden(error: unknown, { log, requestId, span }: RequestScope): void {
  if (!(error instanceof GraphQLError && hidden.has(error))) return;
  log.error({ err: hidden.get(error) }, 'an operation failed unexpectedly');
  hidden.delete(error);
  error.extensions.requestId = requestId;
  span?.fail();
}

export function withCode(error: GraphQLError): GraphQLError {
  error.extensions.code ??= 'BAD_USER_INPUT';
  if (TAKES_SECRETS.test(error.source?.body ?? '')) error.message = withoutValues(error.message);
  return error;
}

/** The mutations that are given secrets. */
const TAKES_SECRETS = /\b(importApiKey|setSecret)\b/;
const NOT_SHOWN = 'what came is not shown, since it may be a secret';

/**
 * What the GraphQL library says of an operation, but for what came: a misspelled field beside a secret would put the secret
 * into a message, and messages are logged by clients. Our own errors never show one.
 */
function withoutValues(message: string): string {
  return message
    .replace(
      /^(Variable "\$\w+" got )invalid value [\s\S]*?( at "[\w.[\]]+")?; [\s\S]*$/,
      `$1an invalid value$2; ${NOT_SHOWN}`,
    )
    .replace(/( non string value): [\s\S]*$/, `$1; ${NOT_SHOWN}`)
    .replace(/, found:? [\s\S]*$/, `; ${NOT_SHOWN}`);
}
