// The command line in processes of its own.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { CHILD_ENVIRONMENT } from './child-environment.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** All commands, each with the words that call it. */
export const COMMANDS = [
  ['start'],
  ['import'],
  ['export'],
  ['apply'],
  ['sign'],
  ['import-key'],
  ['resume'],
  ['backup', 'verify'],
  ['backup', 'restore'],
];

export interface CommandInput {
  settings?: Record<string, string>;
  /** For standard input; by default it is empty. */
  input?: string;
  /** Where the version lies that is to be run. */
  root?: string;
}

export interface CommandEnd {
  code: number | null;
  /** What it wrote to standard output. */
  out: string;
  errors: string;
}

/** A command that has begun, `['backup', 'verify', file]`, with its output unread. */
export function spawnSlotkeeper(
  args: readonly string[],
  { settings = {}, input = '', root = ROOT }: CommandInput = {},
): ChildProcessByStdio<Writable, Readable, Readable> {
  const child = spawn(process.execPath, [join(root, 'src/cli/main.ts'), ...args], {
    env: { ...CHILD_ENVIRONMENT, ...settings },
    stdio: 'pipe',
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return child;
}

/** The end of a command of which all output is read. */
export async function endOf(child: ChildProcessByStdio<Writable | null, Readable, Readable>): Promise<CommandEnd> {
  const said = { out: '', errors: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.errors += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}

/** A command, to its end. */
export function slotkeeper(...parameters: Parameters<typeof spawnSlotkeeper>): Promise<CommandEnd> {
  return endOf(spawnSlotkeeper(...parameters));
}
