// Under which account of the operating system the server runs. PostgreSQL refuses root, and initdb an account without a
// name. A user namespace shows the programs another, known uid, while for the system they stay who they are: it
// needs no file to change hands, so it is the first choice. No account is ever created.
import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { Owner } from './files.ts';
import { type Command, run } from './run.ts';

const PROBE_SECONDS = 10;
/** The uids that a namespace shows: PostgreSQL wants one that the system knows by name. */
const SHOWN_UIDS = [1000, 65534];
const NOBODY: Owner = { uid: 65534, gid: 65534 };

export interface Account {
  /** For the log; undefined where the server simply runs as whoever started the process. */
  readonly name?: string;
  /** Whom the server's files must belong to, where that is not the caller. */
  readonly owner?: Owner;
  command(program: string, args: readonly string[]): Command;
}

const ourselves: Account = { command: (file, args) => ({ file, args }) };

function inNamespace(uid: number): Account {
  const options = ['-U', `--map-user=${uid}`, `--map-group=${uid}`, '--'];
  return {
    name: `this account, seen as uid ${uid} in a user namespace`,
    command: (program, args) => ({ file: 'unshare', args: [...options, program, ...args] }),
  };
}

function as(owner: Owner): Account {
  return { name: `uid ${owner.uid}`, owner, command: (file, args) => ({ file, args, ...owner }) };
}

/**
 * Chooses the account for a server whose files lie in `folder`. The paths in `needed` are what it would have to reach; an
 * account that cannot is chosen only where there is no other.
 */
export async function chooseAccount(folder: string, needed: readonly string[]): Promise<Account> {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && hasName()) return ourselves;
  if (isRoot) {
    const { uid, gid } = await stat(folder);
    if (uid !== 0) return as({ uid, gid });
  }
  for (const uid of await namedUids()) {
    const account = inNamespace(uid);
    if (await canReach(account, needed)) return account;
  }
  return isRoot ? as(NOBODY) : ourselves;
}

function hasName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false;
  }
}

async function namedUids(): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n');
  const named = new Set(lines.map((line) => Number(line.split(':')[2])));
  return SHOWN_UIDS.filter((uid) => named.has(uid));
}

/** Whether the account may execute (a file) or traverse (a folder) all the paths. */
export async function canReach(account: Account, paths: readonly string[]): Promise<boolean> {
  const script = 'for path; do test -x "$path" || exit 1; done';
  const command = account.command('/bin/sh', ['-c', script, 'sh', ...paths]);
  // A program that is not there and one that may not do it come to the same.
  const outcome = await run(command, { cwd: '/', timeoutSeconds: PROBE_SECONDS }).catch(() => undefined);
  return outcome?.code === 0;
}
