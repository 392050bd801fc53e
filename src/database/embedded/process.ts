// Information of the operating system about a process id.
import { readFile } from 'node:fs/promises';
import { run } from './run.ts';

const PS_SECONDS = 5;

/** Whether a process has this id, ours or not. A zombie still has its id. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Whether a process has this id and is not a zombie: in a container, orphans may never be reaped. */
export async function isRunning(pid: number): Promise<boolean> {
  return isAlive(pid) && (process.platform === 'win32' || (await commandLine(pid)) !== '');
}

/** The command line of a process, joined by spaces; empty for a zombie or if there is none. */
export async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const parts = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return parts.replaceAll('\0', ' ').trim();
  }
  const command = { file: 'ps', args: ['-ww', '-o', 'command=', '-p', String(pid)] };
  const outcome = await run(command, { cwd: '/', timeoutSeconds: PS_SECONDS }).catch(() => undefined);
  return outcome?.code === 0 ? outcome.output : '';
}
