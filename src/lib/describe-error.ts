import { getSystemErrorMap } from 'node:util';

/** What an unknown thrown value has to say. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's or PostgreSQL's code of an error: `ENOENT`, `57P03`. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/**
 * What users are told of an error: of one of the system its code and words alone, as in `ECONNREFUSED (connection refused)`,
 * since its message names addresses and paths that settings keep from them; of any other its message.
 */
export function publicMessage(error: unknown): string {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return reasonOf(error);
  const { code } = error;
  const known = getSystemErrorMap();
  const number = 'errno' in error ? Number(error.errno) : Number.NaN;
  const [, words] = known.get(number) ?? [...known.values()].find(([name]) => name === code) ?? [];
  return words === undefined ? String(code) : `${code} (${words})`;
}

/** What `publicMessage` leaves out of an error of the system, for the log of the process. */
export function detailsOf(error: unknown): object {
  if (!(error instanceof Error && 'syscall' in error)) return {};
  const { code, syscall, address, port, path } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  return { code, syscall, address, port, path };
}
