/** A failure that the old caller is meant to read; it becomes `{"success":0,"message":"..."}`. Any other is our fault. */
export class LegacyError extends Error {
  override readonly name = 'LegacyError';
}

export function usedForAnotherCall(key: string): LegacyError {
  return new LegacyError(
    `Idempotency-Key: ${JSON.stringify(key)} was used for another call; accepted is the same call again, or a new key`,
  );
}

export function noTask(parameter: string, id: number): LegacyError {
  return new LegacyError(`${parameter}: no task has the id ${id}`);
}
