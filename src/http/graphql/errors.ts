import { GraphQLError } from 'graphql';
import { Fault } from '../../lib/faults.ts';
import type { RequestScope } from '../../schema/context.ts';
import { toGraphQLError } from '../../schema/errors.ts';

export const UNEXPECTED = 'Internal server error; see the server log.';

/**
 * The error as a caller may see it. Our own errors keep their code; an error of the GraphQL library about an invalid
 * operation becomes BAD_USER_INPUT; every other error is masked, and logged with the request id that the caller gets.
 */
export function maskError(error: unknown, scope: RequestScope): GraphQLError {
  const masked = hideError(error);
  tellHidden(masked, scope);
  return masked;
}

/** The original errors behind masked ones that are not logged yet. */
const hidden = new WeakMap<GraphQLError, unknown>();

/** Masks an error where the request is not known. `tellHidden` must then be called where it is. */
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

/** Logs the original of a masked error and adds the request id to the masked one, once. Ignores other errors. */
export function tellHidden(error: unknown, { log, requestId, span }: RequestScope): void {
  if (!(error instanceof GraphQLError && hidden.has(error))) return;
  log.error({ err: hidden.get(error) }, 'operation failed unexpectedly');
  hidden.delete(error);
  error.extensions.requestId = requestId;
  span?.fail();
}

export function withCode(error: GraphQLError): GraphQLError {
  error.extensions.code ??= 'BAD_USER_INPUT';
  if (TAKES_SECRETS.test(error.source?.body ?? '')) error.message = withoutValues(error.message);
  return error;
}

/** The mutations whose arguments contain secrets. */
const TAKES_SECRETS = /\b(importApiKey|setSecret)\b/;
const NOT_SHOWN = 'the value is not shown because it may be a secret';

/**
 * Removes the caller's values from a message of the GraphQL library: a misspelled field next to a secret would put the
 * secret into the message, and clients log messages. Our own errors never contain a secret.
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
