// What the commands for backups share.

import { BackupFault } from '../backup/archive.ts';
import { codeOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { Releasers } from '../lib/releasers.ts';

const SQL_STATE = /^(?=.*\d)[0-9A-Z]{5}$/;

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/**
 * Runs a command and releases what it acquired. A fault that the operator can mend is one sentence, anything else shows
 * where it happened; the exit code is then 1.
 */
export async function runCommand(work: (releasers: Releasers) => Promise<void>): Promise<void> {
  const releasers = new Releasers();
  try {
    await work(releasers);
  } catch (error) {
    process.stderr.write(`${shown(error)}\n`);
    process.exitCode = 1;
  } finally {
    await releasers.releaseAll();
  }
}

function shown(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof OperatorError || error instanceof BackupFault) return error.message;
  const code = codeOf(error);
  return code !== undefined && SQL_STATE.test(code) ? `PostgreSQL refuses it: ${error.message}` : String(error.stack);
}

/** The one argument of a command. */
export function readFileArgument(command: string): string {
  const [path, ...rest] = process.argv.slice(2);
  if (path === undefined || rest.length > 0) throw new OperatorError(`Usage: npm run ${command} -- FILE`);
  return path;
}
