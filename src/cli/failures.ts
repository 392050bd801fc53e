import type { Command } from 'commander';
import { codeOf } from '../lib/describe-error.ts';
import { Fault } from '../lib/faults.ts';
import { OperatorError } from '../lib/operator-error.ts';

/** The exit statuses of every command. */
export const EXIT = { done: 0, failed: 1, usedWrongly: 2 } as const;

const SQL_STATE = /^(?=.*\d)[0-9A-Z]{5}$/;

/** The command line or the standard input is not what the command takes. The message is a sentence. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Prints what is wrong with a command line, in one line on standard error, and sets the exit status. */
export function reportMisuse(sentence: string, command: Command): void {
  process.stderr.write(`${sentence} See ${pathOf(command)} --help.\n`);
  process.exitCode = EXIT.usedWrongly;
}

/**
 * Prints why a command failed on standard error and sets the exit status. A failure that the operator can fix is one
 * sentence; any other is printed with its stack.
 */
export function reportFailure(error: unknown): void {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exitCode = EXIT.failed;
}

function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof OperatorError || error instanceof Fault) return asSentence(error.message);
  const code = codeOf(error);
  if (code === undefined || !SQL_STATE.test(code)) return String(error.stack);
  return asSentence(`PostgreSQL refused the statement: ${error.message}`);
}

/** Ends a line with a full stop, with which not all messages come. A list on several lines stays as it is. */
export function asSentence(text: string): string {
  return text.includes('\n') || /[.?!]$/.test(text) ? text : `${text}.`;
}

/** The full name of a command: `slotkeeper backup verify`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
