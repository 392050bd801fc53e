import { getSystemErrorMap } from 'node:util';

/** The message of a thrown value of unknown type. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The error code of the system or of PostgreSQL: `ENOENT`, `57P03`. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/**
 * The part of an error that users may see. For a system error, its code and description alone, as in
 * `ECONNREFUSED (connection refused)`: its message names addresses and paths that users must not see. For others, the
 * message.
 */
export function publicMessage(error: unknown): string {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return reasonOf(error);
  const { code } = error;
  const known = getSystemErrorMap();
  const number = 'errno' in error ? Number(error.errno) : Number.NaN;
  const [, words] = known.get(number) ?? [...known.values()].find(([name]) => name === code) ?? [];
  return words === undefined ? String(code) : `${code} (${words})`;
}

/** The details of a system error that `publicMessage` leaves out, for the log of the process. */
export function detailsOf(error: unknown): object {
  if (!(error instanceof Error && 'syscall' in error)) return {};
  const { code, syscall, address, port, path } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  return { code, syscall, address, port, path };
}
