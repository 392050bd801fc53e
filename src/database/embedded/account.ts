// The operating-system account under which the server runs. PostgreSQL refuses root, and initdb an account without a
// name. In a user namespace the programs see another, known uid, while for the system they keep theirs: no file needs
// another owner, so it is the first choice. No account is ever created.
import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import type { Owner } from './files.ts';
import { type Command, run } from './run.ts';

const PROBE_SECONDS = 10;
/** The uids to show in a namespace: PostgreSQL needs one with a name. */
const SHOWN_UIDS = [1000, 65534];
const NOBODY: Owner = { uid: 65534, gid: 65534 };

export interface Account {
  /** For the log; undefined if the server runs as the account of this process. */
  readonly name?: string;
  /** The account that must own the server's files, if it is not this process's. */
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
 * Chooses the account for a server whose files are in `folder`. An account that cannot reach the paths in `needed` is
 * chosen only if there is no other.
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
  // A program that cannot be run counts as one without access.
  const outcome = await run(command, { cwd: '/', timeoutSeconds: PROBE_SECONDS }).catch(() => undefined);
  return outcome?.code === 0;
}
