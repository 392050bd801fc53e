// Errors that a caller may see: a `Fault` is shown, with its code; every other error is masked and logged.

export type FaultCode =
  | 'BAD_USER_INPUT'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'FORBIDDEN'
  | 'UNAUTHENTICATED'
  | 'CURSOR_EXPIRED'
  | 'TOO_COMPLEX'
  | 'TOO_MANY_REQUESTS';

/** The path of a value in the caller's input: `['repeatItems', 0, 'hour']`. */
export type FieldPath = readonly (string | number)[];

/**
 * An error that the caller caused: bad input, a missing object, a right that they lack. It knows no transport: GraphQL
 * makes
 * an error with extensions of it, the old API an error reply, a command one line.
 */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  /**
   * The path of the value at fault, relative to the input of the function that threw; empty if no single value is at
   * fault.
   */
  readonly field: FieldPath;
  /** What is wrong with the value, without the path. */
  readonly reason: string;

  /** A path given as one text, such as `repeatItems.0.hour`, is split at its dots. */
  constructor(code: FaultCode, reason: string, field: string | FieldPath = []) {
    const path = typeof field === 'string' ? field.split('.') : field;
    super(code === 'BAD_USER_INPUT' && path.length > 0 ? `${path.join('.')}: ${reason}` : reason);
    this.code = code;
    this.field = path;
    this.reason = reason;
  }

  /** The same fault with `prefix` before its path, for a value that was part of a larger input. */
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

/** The operation asks for more than one operation may. */
export function tooComplex(reason: string): Fault {
  return new Fault('TOO_COMPLEX', reason);
}

/** The limit of open or requested items is reached. */
export function tooMany(reason: string): Fault {
  return new Fault('TOO_MANY_REQUESTS', reason);
}

/** The cursor cannot be resumed: it is of another log, or its position does not exist or was removed by retention. */
export function cursorExpired(reason: string): Fault {
  return new Fault('CURSOR_EXPIRED', reason);
}

/** Runs `work` on the value at `prefix` of a larger input: its faults get that prefix. */
export async function faultsWithin<Result>(prefix: string | FieldPath, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw faultWithin(prefix, error);
  }
}

/** The same for synchronous work. */
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
