// What a caller may be told of: a `Fault` is shown, with its code; every other error is masked and logged.

export type FaultCode =
  | 'BAD_USER_INPUT'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'FORBIDDEN'
  | 'UNAUTHENTICATED'
  | 'CURSOR_EXPIRED'
  | 'TOO_COMPLEX'
  | 'TOO_MANY_REQUESTS';

/** Where a value lies in what a caller gave: `['repeatItems', 0, 'hour']`. */
export type FieldPath = readonly (string | number)[];

/**
 * Something that a caller did wrong, asked for in vain or may not do. It knows no transport: GraphQL makes an error with
 * extensions of it, the old API a failed reply, a command one line.
 */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  /** The value at fault, relative to what the function that threw was given; empty where no single value is. */
  readonly field: FieldPath;
  /** What is wrong with it, without its name. */
  readonly reason: string;

  /** A path in one text, such as `repeatItems.0.hour`, has no part with a point in it. */
  constructor(code: FaultCode, reason: string, field: string | FieldPath = []) {
    const path = typeof field === 'string' ? field.split('.') : field;
    super(code === 'BAD_USER_INPUT' && path.length > 0 ? `${path.join('.')}: ${reason}` : reason);
    this.code = code;
    this.field = path;
    this.reason = reason;
  }

  /** The same fault, of a caller that gave the value as part of something larger: `prefix` is where. */
  within(...prefix: FieldPath): Fault {
    if (this.field.length === 0) return this;
    return new Fault(this.code, this.reason, [...prefix, ...this.field]);
  }
}

export function badInput(field: string | FieldPath, reason: string): Fault {
  return new Fault('BAD_USER_INPUT', reason, field);
}

export function notFound(reason: string, field?: string | FieldPath): Fault {
  return new Fault('NOT_FOUND', reason, field);
}

export function conflict(reason: string, field?: string | FieldPath): Fault {
  return new Fault('CONFLICT', reason, field);
}

export function forbidden(reason: string, field?: string | FieldPath): Fault {
  return new Fault('FORBIDDEN', reason, field);
}

export function unauthenticated(reason: string): Fault {
  return new Fault('UNAUTHENTICATED', reason);
}

/** More is asked for than one operation may. */
export function tooComplex(reason: string): Fault {
  return new Fault('TOO_COMPLEX', reason);
}

/** As many as may be are open or were asked for already. */
export function tooMany(reason: string): Fault {
  return new Fault('TOO_MANY_REQUESTS', reason);
}

/** The cursor cannot be resumed from: another log, a position the log does not have, or one that retention removed. */
export function cursorExpired(reason: string): Fault {
  return new Fault('CURSOR_EXPIRED', reason);
}

/** Does `work` on a value that the caller gave at `prefix` of something larger; its faults say so. */
export async function faultsWithin<Result>(prefix: string | FieldPath, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw faultWithin(prefix, error);
  }
}

/** The same for work that is done at once. */
export function faultsWithinSync<Result>(prefix: string | FieldPath, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw faultWithin(prefix, error);
  }
}

function faultWithin(prefix: string | FieldPath, error: unknown): unknown {
  return error instanceof Fault ? error.within(...(typeof prefix === 'string' ? prefix.split('.') : prefix)) : error;
}
