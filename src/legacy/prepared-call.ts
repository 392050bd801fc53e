import type { LegacyInput } from './input.ts';

/** Executes a document. Throws a LegacyError for what the caller did wrong, any other error for what is our fault. */
export type LegacyQuery = <Data>(document: string, variables: Record<string, unknown>) => Promise<Data>;

/** What an action works with. */
export interface PreparedCall {
  input: LegacyInput;
  timeZone: string;
  executeTimeoutSeconds: number;
  query: LegacyQuery;
  /** The reply of getTasks: built, or the last one where it would be the same. */
  taskList(build: () => Promise<string>): Promise<string>;
}

/** A payload is null only together with an error, which a LegacyQuery has thrown. */
export function present<Value>(value: Value | null | undefined): Value {
  if (value === null || value === undefined)
    throw new Error('the document answered neither with a result nor an error');
  return value;
}
