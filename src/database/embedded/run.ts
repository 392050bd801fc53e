// Runs one of PostgreSQL's programs to its end, bounded in time and in what is kept of its output.
import { spawn } from 'node:child_process';
import { codeOf, reasonOf } from '../../lib/describe-error.ts';
import { OperatorError } from '../../lib/operator-error.ts';

const KEPT_OUTPUT = 16_384;
const PIPES_MILLISECONDS = 500;

/** The programs get this environment and no other, so that a PGPORT or PGDATA of the caller's shell changes nothing. */
const ENVIRONMENT = { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' };

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** The operating-system account to run as; the caller's own unless given. */
  readonly uid?: number;
  readonly gid?: number;
}

interface RunOptions {
  readonly cwd: string;
  readonly timeoutSeconds: number;
  /** The cluster that the program works on, where it takes one. */
  readonly clusterFolder?: string;
  readonly onSpawn?: (pid: number) => void;
}

export interface Outcome {
  /** The exit code, or null where a signal ended it (the time limit does). */
  readonly code: number | null;
  /** The end of what it wrote to stdout and stderr. */
  readonly output: string;
}

/**
 * Runs the command in a process group of its own, so that a Ctrl-C in the terminal does not reach it.
 *
 * @throws OperatorError where the program cannot be executed at all.
 */
export function run(command: Command, options: RunOptions): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const { file, args, uid, gid } = command;
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.clusterFolder === undefined ? ENVIRONMENT : { ...ENVIRONMENT, PGDATA: options.clusterFolder },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      windowsHide: true,
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-KEPT_OUTPUT);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const limit = setTimeout(() => killGroup(child.pid), options.timeoutSeconds * 1000);
    child.once('spawn', () => child.pid !== undefined && options.onSpawn?.(child.pid));
    child.once('error', (error) => {
      clearTimeout(limit);
      reject(new OperatorError(cannotRun(file, error)));
    });
    child.once('exit', (code) => {
      clearTimeout(limit);
      // 'close' alone would wait for whoever inherited the pipes: on Windows that is the server, for its whole life.
      const pipes = setTimeout(finish, PIPES_MILLISECONDS);
      child.once('close', finish);
      function finish() {
        clearTimeout(pipes);
        child.stdout.destroy();
        child.stderr.destroy();
        resolve({ code, output: output.trim() });
      }
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended in this very moment.
  }
}

function cannotRun(file: string, error: Error): string {
  const hint =
    codeOf(error) === 'ENOENT'
      ? 'it does not run on this system (a different C library, for example)'
      : reasonOf(error);
  return `${file} cannot be run: ${hint}; set DATABASE_URL to use a PostgreSQL server of your own.`;
}

/** The last line of a program's output, which is where PostgreSQL's programs say what went wrong. */
export function lastLine(output: string): string {
  return output.split('\n').at(-1)?.trim() || 'it printed nothing';
}
