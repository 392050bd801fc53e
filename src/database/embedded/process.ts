// What the operating system knows of a process by its id.
import { readFile } from 'node:fs/promises';
import { run } from './run.ts';

const PS_SECONDS = 5;

/** Whether a process has this id, be it ours or not. A killed child that nobody has waited for has it, too. */
export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Whether a process has this id and is more than the zombie of one: in a container nobody may ever wait for an orphan. */
export async function isRunning(pid: number): Promise<boolean> {
  return isAlive(pid) && (process.platform === 'win32' || (await commandLine(pid)) !== '');
}

/** The command line of a process, its parts joined by blanks; empty for a zombie or where there is none. */
export async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const parts = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return parts.replaceAll('\0', ' ').trim();
  }
  const command = { file: 'ps', args: ['-ww', '-o', 'command=', '-p', String(pid)] };
  const outcome = await run(command, { cwd: '/', timeoutSeconds: PS_SECONDS }).catch(() => undefined);
  return outcome?.code === 0 ? outcome.output : '';
}
