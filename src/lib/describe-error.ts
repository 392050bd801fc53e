import { getSystemErrorMap } from 'node:util';
import { reasonOf } from './operator-error.ts';

/**
 * What users are told of an error: of one of the system its code and words alone, as in `ECONNREFUSED (connection refused)`,
 * since its message names addresses and paths that settings keep from them; of any other its message.
 */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return reasonOf(error);
  const { code } = error;
  const known = getSystemErrorMap();
  const number = 'errno' in error ? Number(error.errno) : Number.NaN;
  const [, words] = known.get(number) ?? [...known.values()].find(([name]) => name === code) ?? [];
  return words === undefined ? String(code) : `${code} (${words})`;
}

/** What `wordsOf` leaves out of an error of the system, for the log of the process. */
export function detailsOf(error: unknown): object {
  if (!(error instanceof Error && 'syscall' in error)) return {};
  const { code, syscall, address, port, path } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  return { code, syscall, address, port, path };
}
