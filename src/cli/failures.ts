import type { Command } from 'commander';
import { codeOf } from '../lib/describe-error.ts';
import { Fault } from '../lib/faults.ts';
import { OperatorError } from '../lib/operator-error.ts';

/** The exit statuses of every command. */
export const EXIT = { done: 0, failed: 1, usedWrongly: 2 } as const;

const SQL_STATE = /^(?=.*\d)[0-9A-Z]{5}$/;

/** The command line, or what came on standard input, is not what the command takes. The message is a sentence. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Prints what is wrong with how a command was called, in one line on standard error, and sets the exit status. */
export function reportMisuse(sentence: string, command: Command): void {
  process.stderr.write(`${sentence} See ${pathOf(command)} --help.\n`);
  process.exitCode = EXIT.usedWrongly;
}

/**
 * Prints why a command failed and sets the exit status. What the operator can mend is one sentence on standard error;
 * anything else shows where it happened.
 */
export function reportFailure(error: unknown): void {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exitCode = EXIT.failed;
}

function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof OperatorError || error instanceof Fault) return error.message;
  const code = codeOf(error);
  return code !== undefined && SQL_STATE.test(code) ? `PostgreSQL refuses it: ${error.message}` : String(error.stack);
}

/** A command with those above it: `slotkeeper backup verify`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
