// The process that started us: we stop when it ends, and receive the signals that it gets.
import { readFile } from 'node:fs/promises';
import { startedByNpm } from '../settings.ts';

const LOOK_MS = 250;

type ForwardedMessage = { signal: NodeJS.Signals };

let isFollowing = false;
const listeners = new Set<() => void>();

/**
 * Receives the signals that `bin/slotkeeper.js` sends through its channel. Without a listener of `onForwardedSignal`,
 * the signal has its usual effect.
 */
export function followLauncher(): void {
  isFollowing = true;
  process.on('message', ({ signal }: ForwardedMessage) => {
    if (listeners.size === 0) process.kill(process.pid, signal);
    for (const listener of listeners) listener();
  });
  // The channel must not keep a command alive.
  process.channel?.unref();
}

/**
 * Calls back for each signal that the launcher gets. A signal to the whole process group reaches us directly as well.
 */
export function onForwardedSignal(listener: () => void): void {
  listeners.add(listener);
}

/**
 * Calls `lost` once when the process that started us has ended: a killed launcher or `npm start` would otherwise leave
 * a server that holds the port. Returns a function that ends the watch.
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
 * There is often a shell between npm and us, so the grandparent is watched as well where it is known (on Linux;
 * elsewhere shells replace themselves).
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

/** The parent's pid of a process, or null if unknown. */
async function parentOf(pid: number): Promise<number | null> {
  try {
    // pid (name) state ppid …; the name may contain blanks and parentheses.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return null;
  }
}
