// Runs one of PostgreSQL's programs to its end, with limits on its time and on the output that is kept.
import { spawn } from 'node:child_process';
import { codeOf, reasonOf } from '../../lib/describe-error.ts';
import { OperatorError } from '../../lib/operator-error.ts';

const KEPT_OUTPUT = 16_384;
const PIPES_MILLISECONDS = 500;

/** The whole environment of the programs, so that PGPORT or PGDATA of the caller's shell has no effect. */
const ENVIRONMENT = { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' };

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** The operating-system account to run as; by default the caller's. */
  readonly uid?: number;
  readonly gid?: number;
}

interface RunOptions {
  readonly cwd: string;
  readonly timeoutSeconds: number;
  /** The cluster that the program works on, if any. */
  readonly clusterFolder?: string;
  readonly onSpawn?: (pid: number) => void;
}

export interface Outcome {
  /** The exit code, or null if a signal ended it, as at the time limit. */
  readonly code: number | null;
  /** The last part of its stdout and stderr. */
  readonly output: string;
}

/**
 * Runs the command in a process group of its own, so that a Ctrl-C in the terminal does not reach it.
 *
 * @throws OperatorError if the program cannot be executed.
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
      // 'close' alone would wait for every process that inherited the pipes: on Windows the server, for its whole life.
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
    // It has just ended.
  }
}

function cannotRun(file: string, error: Error): string {
  const hint =
    codeOf(error) === 'ENOENT'
      ? 'it does not run on this system (a different C library, for example)'
      : reasonOf(error);
  return `${file} cannot be run: ${hint}; set DATABASE_URL to use a PostgreSQL server of your own.`;
}

/** The last line of a program's output, in which PostgreSQL's programs name the error. */
export function lastLine(output: string): string {
  return output.split('\n').at(-1)?.trim() || 'it printed nothing';
}
