// Runs the load command of a name server, with limits on its time and on its captured output.
import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { publicMessage } from '../lib/describe-error.ts';

const KEPT_OUTPUT = 4_096;
/** How long the pipes of a command that has ended may stay open in the hands of others. */
const PIPES_MILLISECONDS = 500;

/** Nothing of our own environment, which has secrets. */
const ENVIRONMENT = { LC_ALL: 'C', PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

export interface CommandEnd {
  /** Null if it succeeded, otherwise what went wrong. Names the program but no argument, which may be a secret. */
  fault: string | null;
  /** The end of what it wrote to stdout and stderr. */
  output: string;
}

interface CommandOptions {
  timeoutSeconds: number;
  signal: AbortSignal;
}

/** Runs a program without a shell, in a process group of its own that is killed at the end of its time or by the signal. Never throws. */
export function runCommand(parts: readonly string[], { timeoutSeconds, signal }: CommandOptions): Promise<CommandEnd> {
  const [program = '', ...args] = parts;
  const name = basename(program);
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: '/',
      env: ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      windowsHide: true,
    });
    let output = '';
    let late = false;
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-KEPT_OUTPUT);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const limit = setTimeout(() => {
      late = true;
      killGroup(child.pid);
    }, timeoutSeconds * 1_000);
    const stop = () => killGroup(child.pid);
    signal.addEventListener('abort', stop, { once: true });
    const end = (fault: string | null) => {
      clearTimeout(limit);
      signal.removeEventListener('abort', stop);
      resolve({ fault, output: output.trim() });
    };
    child.once('spawn', () => signal.aborted && stop());
    child.once('error', (error) => end(`${name} could not be run: ${publicMessage(error)}`));
    child.once('exit', () =>
      setTimeout(() => [child.stdout, child.stderr].map((pipe) => pipe.destroy()), PIPES_MILLISECONDS).unref(),
    );
    child.once('close', (code, killedBy) => {
      if (late) end(`${name} was stopped after ${timeoutSeconds} seconds`);
      else if (code === 0) end(null);
      else end(code === null ? `${name} was ended by ${killedBy}` : `${name} ended with the code ${code}`);
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
