/** A start-up failure that an operator can act on: printed as one sentence, without a stack. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}

/** What an unknown thrown value has to say. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's or PostgreSQL's code of an error: `ENOENT`, `57P03`. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
