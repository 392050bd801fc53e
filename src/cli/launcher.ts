import { readFile } from 'node:fs/promises';

const LOOK_MS = 250;

/**
 * Calls `lost` once when the process that started us is gone: a `npm start` that is killed, or that keeps a signal to
 * itself, would otherwise leave the server behind with the port. There is often a shell between npm and us, so the
 * parent's own parent is watched as well, where the system tells it (Linux; elsewhere shells replace themselves).
 * Returns what ends the watch.
 */
export async function watchLauncher(lost: () => void): Promise<() => void> {
  const parent = process.ppid;
  const grandparent = await parentOf(parent);
  const timer = setInterval(async () => {
    const alone = process.ppid !== parent || (await parentOf(parent)) !== grandparent;
    if (!alone) return;
    clearInterval(timer);
    lost();
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** The parent's pid of a process, or null where it cannot be told. */
async function parentOf(pid: number): Promise<number | null> {
  try {
    // pid (name) state ppid …; the name may hold blanks and parentheses.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return null;
  }
}
