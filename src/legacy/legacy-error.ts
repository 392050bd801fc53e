/** A failure that the old caller is meant to read; it becomes `{"success":0,"message":"..."}`. Any other is our fault. */
export class LegacyError extends Error {
  override readonly name = 'LegacyError';
}

export function usedForAnotherCall(key: string): LegacyError {
  return new LegacyError(
    `Idempotency-Key: must be a new key for a new call, got ${JSON.stringify(key)}, which was used for another call`,
  );
}

export function noTask(parameter: string, id: number): LegacyError {
  return new LegacyError(`${parameter}: no task has the id ${id}`);
}
