import type { LegacyInput } from './input.ts';

/** Executes a document. Throws LegacyError for errors of the caller, other errors for our own. */
export type LegacyQuery = <Data>(document: string, variables: Record<string, unknown>) => Promise<Data>;

/** The input and services of an action. */
export interface PreparedCall {
  input: LegacyInput;
  timeZone: string;
  executeTimeoutSeconds: number;
  query: LegacyQuery;
  /** The reply of getTasks: built, or the cached one if it would be the same. */
  taskList(build: () => Promise<string>): Promise<string>;
}

/** A payload is null only together with an error, which a LegacyQuery has thrown. */
export function present<Value>(value: Value | null | undefined): Value {
  if (value === null || value === undefined)
    throw new Error('the document answered neither with a result nor an error');
  return value;
}
