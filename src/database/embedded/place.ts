// Where the server's files are and which programs it runs: the data folder and npm's programs, unless the server must
// run under an account that cannot reach them.
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, realpath, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { reasonOf } from '../../lib/describe-error.ts';
import { OperatorError } from '../../lib/operator-error.ts';
import { type Account, canReach, chooseAccount } from './account.ts';
import { type Binaries, copyBinaries, findBinaries } from './binaries.ts';
import { giveTo } from './files.ts';

export interface Place {
  readonly account: Account;
  readonly binaries: Binaries;
  /** The folder of all the server's files, with the cluster in `cluster`. It may not exist yet. */
  readonly home: string;
}

/** @throws OperatorError if the folder cannot be created, or no account can serve it. */
export async function findPlace(dataDir: string, log: (message: string) => void): Promise<Place> {
  const binaries = await findBinaries();
  const folder = await makeFolder(dataDir);
  const home = join(folder, 'postgres');
  const existing = await stat(home).catch(() => undefined);
  const account = await chooseAccount(existing ? home : folder, [binaries.postgres, folder]);
  if (!account.owner) return { account, binaries, home };
  try {
    return await placeForOther(account, account.owner.uid, binaries, folder, log);
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(
      `PostgreSQL does not run as root and its files could not be handed to ${account.name} (${reasonOf(error)}): ` +
        'run as an ordinary user, or set DATABASE_URL.',
    );
  }
}

async function makeFolder(dataDir: string): Promise<string> {
  const folder = resolve(dataDir);
  try {
    await mkdir(folder, { recursive: true });
    return await realpath(folder);
  } catch (error) {
    throw new OperatorError(`The data folder ${folder} cannot be used: ${reasonOf(error)}.`);
  }
}

/** A place that another account can reach; logs the account, and the paths if they are not the usual ones. */
async function placeForOther(
  account: Account,
  uid: number,
  npmBinaries: Binaries,
  folder: string,
  log: (message: string) => void,
): Promise<Place> {
  const reachesFolder = await canReach(account, [folder]);
  const reachesBinaries = await canReach(account, [npmBinaries.postgres]);
  const inFolder = join(folder, 'postgres');
  if (reachesFolder && reachesBinaries) {
    log(`PostgreSQL refuses to run as root; it runs as ${account.name}.`);
    await handOver(account, inFolder);
    return { account, binaries: npmBinaries, home: inFolder };
  }
  if (!reachesFolder && (await stat(join(inFolder, 'cluster')).catch(() => undefined))) {
    throw new OperatorError(
      `The database in ${inFolder} must run as ${account.name}, which cannot reach it: ` +
        `make ${folder} accessible to uid ${uid}, or set DATA_DIR to a folder that is.`,
    );
  }
  const elsewhere = await makeElsewhere(folder);
  const binaries = reachesBinaries ? npmBinaries : await copyBinaries(npmBinaries, elsewhere);
  const home = reachesFolder ? inFolder : join(elsewhere, 'postgres');
  log(
    `PostgreSQL refuses to run as root; it runs as ${account.name}, ` +
      `with its programs in ${binaries.folder} and the database in ${home}.`,
  );
  await handOver(account, home);
  return { account, binaries, home };
}

/** Gives the account the files of an earlier start under another account. */
async function handOver({ owner }: Account, home: string): Promise<void> {
  const found = await stat(home).catch(() => undefined);
  if (owner && found && found.uid !== owner.uid) await giveTo(owner, home);
}

/**
 * Creates a folder for this data folder where every account can reach it, if possible one that survives a reboot. Its
 * name is predictable, so it is used only if root owns it and no other account can write to it.
 */
async function makeElsewhere(folder: string): Promise<string> {
  const name = `slotkeeper-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`;
  const candidates = [join('/var/lib', name), join(tmpdir(), name)];
  for (const candidate of candidates) {
    const made = await mkdir(candidate, { recursive: false }).then(
      () => true,
      () => false,
    );
    if (made) await chmod(candidate, 0o755);
    const found = await lstat(candidate).catch(() => undefined);
    if (found?.isDirectory() && found.uid === 0 && (found.mode & 0o022) === 0) return candidate;
  }
  throw new OperatorError(
    `PostgreSQL cannot run as root, and neither ${candidates.join(' nor ')} could be used for it.`,
  );
}
