// The errors that a caller is meant to see. Everything else is masked and logged.
import { GraphQLError } from 'graphql';

export type ErrorCode =
  | 'BAD_USER_INPUT'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'FORBIDDEN'
  | 'UNAUTHENTICATED'
  | 'CURSOR_EXPIRED'
  | 'TOO_COMPLEX'
  | 'TOO_MANY_REQUESTS';

function coded(code: ErrorCode, message: string, extra: Record<string, unknown> = {}): GraphQLError {
  return new GraphQLError(message, { extensions: { code, ...extra } });
}

/** `field` is the path of the value at fault, such as `input.repeatItems.0.hour`. */
export function badInput(field: string, message: string): GraphQLError {
  return coded('BAD_USER_INPUT', `${field}: ${message}`, { field });
}

export function notFound(message: string, field?: string): GraphQLError {
  return coded('NOT_FOUND', message, field === undefined ? {} : { field });
}

export function conflict(message: string, field?: string): GraphQLError {
  return coded('CONFLICT', message, field === undefined ? {} : { field });
}

export function forbidden(message: string): GraphQLError {
  return coded('FORBIDDEN', message);
}

export function unauthenticated(message: string): GraphQLError {
  return coded('UNAUTHENTICATED', message);
}

/** More is asked for than one operation may. */
export function tooComplex(message: string): GraphQLError {
  return coded('TOO_COMPLEX', message);
}

/** As many as may be are open or were asked for already. */
export function tooMany(message: string): GraphQLError {
  return coded('TOO_MANY_REQUESTS', message);
}

/** The cursor cannot be resumed from: another log, a position the log does not have, or one that retention removed. */
export function cursorExpired(message: string): GraphQLError {
  return coded('CURSOR_EXPIRED', message);
}
