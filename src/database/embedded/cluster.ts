// The cluster on disk. It appears complete or not at all: initdb works in a folder beside it, which is then renamed,
// because a killed initdb leaves a cluster that looks complete and is not.
import { randomBytes, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { chown, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf, reasonOf } from '../../lib/describe-error.ts';
import { OperatorError } from '../../lib/operator-error.ts';
import { syncToDisk } from '../../lib/sync-to-disk.ts';
import type { Place } from './place.ts';
import { isRunning } from './process.ts';
import { lastLine, run } from './run.ts';

/** The server's only role, a superuser: the cluster belongs to the product alone. */
export const ROLE = 'slotkeeper';

/** Distinguishes our unfinished folders from those of an earlier process with the same pid, as in every container. */
const thisProcess = randomUUID().slice(0, 8);
/** No initdb takes this long, so an older folder is not in use, even if its pid now belongs to another process. */
const LEFTOVER_SECONDS = 600;

export interface Cluster {
  /** PostgreSQL's data directory. */
  readonly folder: string;
  readonly logFile: string;
  readonly password: string;
  /** Whether this call created it. */
  readonly isNew: boolean;
}

/**
 * Opens the cluster of a place, and creates it first if there is none. Any number of processes may do so at once: one
 * of their clusters is kept. Removes the leftovers of killed processes.
 *
 * @throws OperatorError if it cannot be created, or the folder holds no complete cluster.
 */
export async function openCluster(place: Place, options: { timeoutSeconds: number; sync: boolean }): Promise<Cluster> {
  await removeLeftovers(place.home);
  const isNew = !(await exists(place.home)) && (await makeCluster(place, options));
  const folder = join(place.home, 'cluster');
  const passwordFile = join(place.home, 'password');
  if (!(await exists(join(folder, 'PG_VERSION')))) {
    throw new OperatorError(`${place.home} exists but holds no database: move it away, or restore it from a backup.`);
  }
  try {
    const password = (await readFile(passwordFile, 'utf8')).trim();
    return { folder, logFile: join(place.home, 'server.log'), password, isNew };
  } catch (error) {
    throw new OperatorError(`The database's password cannot be read: ${reasonOf(error)}.`);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Returns false if another process was first. */
async function makeCluster(place: Place, options: { timeoutSeconds: number; sync: boolean }): Promise<boolean> {
  const parent = dirname(place.home);
  const half = await makeHalf(place);
  try {
    await initialize(place, half, options);
    if (options.sync) await syncToDisk(half);
    await rename(half, place.home);
    if (options.sync) await syncToDisk(parent);
    return true;
  } catch (error) {
    await rm(half, { recursive: true, force: true, maxRetries: 3 });
    if (['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(codeOf(error) ?? '') && (await exists(place.home))) return false;
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(`Could not create a database in ${parent}: ${reasonOf(error)}.`);
  }
}

async function makeHalf({ home }: Place): Promise<string> {
  try {
    return await mkdtemp(`${home}.making-${process.pid}-${thisProcess}-`);
  } catch (error) {
    throw new OperatorError(`Could not create a database in ${dirname(home)}: ${reasonOf(error)}.`);
  }
}

async function initialize(
  { account, binaries }: Place,
  half: string,
  options: { timeoutSeconds: number; sync: boolean },
): Promise<void> {
  const passwordFile = join(half, 'password');
  const pidFile = join(half, 'initdb.pid');
  await writeFile(passwordFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  if (account.owner) {
    for (const path of [half, passwordFile]) await chown(path, account.owner.uid, account.owner.gid);
  }
  const command = account.command(binaries.initdb, [
    `--username=${ROLE}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
    '--no-instructions',
    ...(options.sync ? [] : ['--no-sync']),
  ]);
  const { code, output } = await run(command, {
    cwd: half,
    timeoutSeconds: options.timeoutSeconds,
    clusterFolder: join(half, 'cluster'),
    // Written in time: initdb takes hundreds of milliseconds, and the file is read only after this process was killed.
    onSpawn: (pid) => writeFileSync(pidFile, `${pid}\n`),
  });
  if (code !== 0) {
    const why = code === null ? 'initdb was ended by a signal or its time limit' : lastLine(output);
    throw new OperatorError(`Could not create a database in ${dirname(half)}: ${why}.`);
  }
  await rm(pidFile);
}

/** Removes the folders of processes that were killed while they created a cluster. */
async function removeLeftovers(home: string): Promise<void> {
  const prefix = `${basename(home)}.making-`;
  const names = await readdir(dirname(home)).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(prefix))) {
    const leftover = join(dirname(home), name);
    if (await isInUse(leftover, name.slice(prefix.length))) continue;
    // A folder that cannot be removed only takes disk space.
    await rm(leftover, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
  }
}

async function isInUse(leftover: string, suffix: string): Promise<boolean> {
  const found = await stat(leftover).catch(() => undefined);
  if (!found || Date.now() - found.mtimeMs > LEFTOVER_SECONDS * 1000) return false;
  const [pid, maker] = suffix.split('-');
  const isMakerRunning = Number(pid) === process.pid ? maker === thisProcess : await isRunning(Number(pid));
  if (isMakerRunning) return true;
  // The process that created it was killed, but its initdb may still be writing.
  const initdb = Number(await readFile(join(leftover, 'initdb.pid'), 'utf8').catch(() => Number.NaN));
  return isRunning(initdb);
}
