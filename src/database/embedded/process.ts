// What the operating system reports about a process by its pid.
import { readFile } from 'node:fs/promises';
import { run } from './run.ts';

const PS_SECONDS = 5;

/** Whether a process has this pid, ours or not. A zombie, a child that was not waited for, has one too. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Whether a process has this pid and is no zombie: in a container, orphans may never be waited for. */
export async function isRunning(pid: number): Promise<boolean> {
  return isAlive(pid) && (process.platform === 'win32' || (await commandLine(pid)) !== '');
}

/** The command line of a process, its parts joined by blanks; empty for a zombie or without such a process. */
export async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const parts = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return parts.replaceAll('\0', ' ').trim();
  }
  const command = { file: 'ps', args: ['-ww', '-o', 'command=', '-p', String(pid)] };
  const outcome = await run(command, { cwd: '/', timeoutSeconds: PS_SECONDS }).catch(() => undefined);
  return outcome?.code === 0 ? outcome.output : '';
}
