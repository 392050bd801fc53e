// Who started us, and must neither be outlived nor keep a signal to itself.
import { readFile } from 'node:fs/promises';
import { startedByNpm } from '../settings.ts';

const LOOK_MS = 250;

type ForwardedMessage = { signal: NodeJS.Signals };

let isFollowing = false;
const listeners = new Set<() => void>();

/**
 * Takes the signals that `bin/slotkeeper.js` sends through its channel. Where nobody waits for one with
 * `onForwardedSignal`, it does what the signal itself would have done.
 */
export function followLauncher(): void {
  isFollowing = true;
  process.on('message', ({ signal }: ForwardedMessage) => {
    if (listeners.size === 0) process.kill(process.pid, signal);
    for (const listener of listeners) listener();
  });
  // It does not keep a command from ending.
  process.channel?.unref();
}

/** Calls back for each signal that the launcher has got; of one for the whole process group we get a copy as well. */
export function onForwardedSignal(listener: () => void): void {
  listeners.add(listener);
}

/**
 * Calls `lost` once when what started us is gone: a launcher or a `npm start` that is killed would otherwise leave the
 * server behind with the port. Returns what ends the watch.
 */
export async function watchLauncher(lost: () => void): Promise<() => void> {
  if (isFollowing) {
    if (!process.connected) lost();
    process.once('disconnect', lost);
    process.channel?.unref();
    return () => process.off('disconnect', lost);
  }
  return startedByNpm() ? watchParents(lost) : () => undefined;
}

/**
 * There is often a shell between npm and us, so the parent's own parent is watched as well, where the system tells it
 * (Linux; elsewhere shells replace themselves).
 */
async function watchParents(lost: () => void): Promise<() => void> {
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
