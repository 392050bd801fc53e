import { OperatorError } from '../lib/operator-error.ts';

/** The error of a command whose settings lead to no installation; `found` says what is there instead. */
export function notStarted(found: string): OperatorError {
  return new OperatorError(
    `${found}: start Slotkeeper once first, or set DATABASE_URL or DATA_DIR to those of the installation.`,
  );
}
