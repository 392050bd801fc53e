// The server process: reads its pid file, starts and stops it.
import { createHash, randomUUID } from 'node:crypto';
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatorError } from '../../lib/operator-error.ts';
import type { Cluster } from './cluster.ts';
import type { Place } from './place.ts';
import { commandLine, isAlive, isRunning } from './process.ts';
import { lastLine, run } from './run.ts';

type ServerState = { kind: 'down' } | { kind: 'starting or stopping' } | { kind: 'ready'; port: number };

const MAX_LOG_BYTES = 10_000_000;
const LOG_TAIL_BYTES = 16_384;
const STOP_LOOK_MILLISECONDS = 10;
/** An empty pid file is being written, unless it stays empty for this long. */
const EMPTY_PID_FILE_SECONDS = 5;

/** Suits a laptop. The log is for failures of the server itself: the error of a statement goes to its client. */
const SETTINGS: Readonly<Record<string, string>> = {
  max_connections: '200',
  shared_buffers: '64MB',
  max_wal_size: '512MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'log',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] ',
};

/**
 * Reads the pid file. If it names a process that is not the postmaster of this cluster, the file is removed and that is
 * logged: pids are reused, in containers after every restart, and PostgreSQL itself would refuse to start. If the
 * process has ended, the file is left to PostgreSQL, which also ensures that no backend of the killed server still
 * writes.
 */
export async function inspect(cluster: Cluster, log: (message: string) => void): Promise<ServerState> {
  const file = join(cluster.folder, 'postmaster.pid');
  const content = await readFile(file, 'utf8').catch(() => undefined);
  if (content === undefined) return { kind: 'down' };
  const lines = content.split('\n').map((line) => line.trim());
  const pid = Math.abs(Number(lines[0]));
  if (!Number.isInteger(pid) || pid === 0) return inspectUnreadable(file, content, log);
  if (!isAlive(pid)) return { kind: 'down' };
  if (!(await isPostmasterOf(cluster, pid))) {
    if (await removePidFile(file, content)) {
      log(`Removed ${file}: it names process ${pid}, which is not the PostgreSQL server of this folder.`);
    }
    return { kind: 'down' };
  }
  const port = Number(lines[3]);
  return lines[7] === 'ready' && port > 0 ? { kind: 'ready', port } : { kind: 'starting or stopping' };
}

async function inspectUnreadable(file: string, content: string, log: (message: string) => void): Promise<ServerState> {
  const found = await stat(file).catch(() => undefined);
  if (!found) return { kind: 'down' };
  if (Date.now() - found.mtimeMs < EMPTY_PID_FILE_SECONDS * 1000) return { kind: 'starting or stopping' };
  if (await removePidFile(file, content)) log(`Removed ${file}: it names no process.`);
  return { kind: 'down' };
}

async function isPostmasterOf(cluster: Cluster, pid: number): Promise<boolean> {
  // Windows has neither /proc nor ps, so the pid alone must do.
  if (process.platform === 'win32') return true;
  const command = await commandLine(pid);
  if (!command.includes('postgres')) return false;
  if (command.includes(clusterName(cluster))) return true;
  // The folder may have been moved, or an operator started the server: a postmaster's working directory is its folder.
  const [ours, theirs] = await Promise.all(
    [cluster.folder, `/proc/${pid}/cwd`].map((path) => stat(path).catch(() => undefined)),
  );
  return ours !== undefined && ours.dev === theirs?.dev && ours.ino === theirs.ino;
}

/**
 * Removes the pid file if its content is still the given one. The file is moved away before it is compared, because
 * another process may have removed the old file and started a server meanwhile; that server's file is put back. (If a
 * third process starts a server in between, PostgreSQL's shared memory key, derived from the folder's inode, makes that
 * start fail.)
 */
async function removePidFile(file: string, content: string): Promise<boolean> {
  const aside = `${file}.${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch {
    return false;
  }
  const isSame = (await readFile(aside, 'utf8')) === content;
  if (!isSame) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
  return isSame;
}

/** A name that is visible in the server's command line, whatever characters the folder's path has. */
function clusterName(cluster: Cluster): string {
  return `slotkeeper-${createHash('sha256').update(cluster.folder).digest('hex').slice(0, 16)}`;
}

/**
 * Starts the server and waits until it accepts connections. Returns undefined, or the reason of the failure, which may
 * be the start by another process.
 *
 * @throws OperatorError if a setting cannot be passed on.
 */
export async function start(
  place: Place,
  cluster: Cluster,
  options: { settings: Readonly<Record<string, string>>; timeoutSeconds: number },
): Promise<string | undefined> {
  const timeoutSeconds = Math.max(1, Math.ceil(options.timeoutSeconds));
  const settings = {
    ...SETTINGS,
    ...options.settings,
    cluster_name: clusterName(cluster),
    listen_addresses: '127.0.0.1',
    port: String(await pickPort(cluster)),
    // A socket's path may have at most 107 bytes, which the path of a checkout easily exceeds.
    unix_socket_directories: '',
  };
  const logSize = await rotateLog(cluster);
  // The log is named relative to the working directory, and the cluster by the environment: pg_ctl puts its arguments
  // into a shell's command line, which would change some characters of a path.
  const args = [
    'start',
    '-w',
    '-s',
    '-t',
    String(timeoutSeconds),
    '-l',
    basename(cluster.logFile),
    '-o',
    flags(settings),
  ];
  const { code, output } = await run(place.account.command(place.binaries.pgCtl, args), {
    cwd: dirname(cluster.logFile),
    clusterFolder: cluster.folder,
    timeoutSeconds: timeoutSeconds + 5,
  });
  if (code === 0) return undefined;
  return (await lastFailure(cluster, logSize)) ?? lastLine(output);
}

function flags(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => {
      if (!/^[a-z_.]+$/.test(name) || /["$`\\\n]/.test(value)) {
        throw new OperatorError(`PostgreSQL cannot be given the setting ${name}=${value}.`);
      }
      return `-c "${name}=${value}"`;
    })
    .join(' ');
}

/** The port of the last start if it is free, so that an operator's notes stay valid; otherwise any free port. */
async function pickPort(cluster: Cluster): Promise<number> {
  const last = await readFile(join(cluster.folder, 'postmaster.opts'), 'utf8').catch(() => '');
  const lastPort = Number(/"port=(\d+)"/.exec(last)?.[1] ?? 0);
  return await freePort(lastPort).catch(() => freePort(0));
}

function freePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: wanted, exclusive: true }, () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Rotates a large log; returns the size of the log to which the next start appends. */
async function rotateLog({ logFile }: Cluster): Promise<number> {
  const found = await stat(logFile).catch(() => undefined);
  if (!found) return 0;
  if (found.size < MAX_LOG_BYTES) return found.size;
  await rename(logFile, `${logFile}.1`).catch(() => undefined);
  return 0;
}

/** The last fatal line that the server logged after the given offset. */
async function lastFailure({ logFile }: Cluster, from: number): Promise<string | undefined> {
  const file = await open(logFile, 'r').catch(() => undefined);
  if (!file) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LOG_TAIL_BYTES), 0, LOG_TAIL_BYTES, from);
    const failures = buffer.toString('utf8', 0, bytesRead).matchAll(/(?:FATAL|PANIC): +(.*)/g);
    return [...failures].at(-1)?.[1];
  } finally {
    await file.close();
  }
}

/**
 * Stops the server, which ends its sessions, and waits until it has ended. Returns undefined, or the reason of the
 * failure.
 *
 * We wait ourselves: pg_ctl watches the pid file whichever server wrote it, so it would also wait for the server that
 * another process starts as soon as this one has ended.
 */
export async function stop(place: Place, cluster: Cluster, timeoutSeconds: number): Promise<string | undefined> {
  const until = performance.now() + timeoutSeconds * 1000;
  const pid = await postmasterPid(cluster);
  if (pid === undefined) return undefined;
  const { code, output } = await run(place.account.command(place.binaries.pgCtl, ['stop', '-m', 'fast', '-W', '-s']), {
    cwd: dirname(cluster.logFile),
    clusterFolder: cluster.folder,
    timeoutSeconds,
  });
  while ((await postmasterPid(cluster)) === pid && (await isRunning(pid))) {
    if (code !== 0) return lastLine(output);
    if (performance.now() > until) return `it is still running after ${timeoutSeconds} s`;
    await sleep(STOP_LOOK_MILLISECONDS);
  }
  return undefined;
}

async function postmasterPid(cluster: Cluster): Promise<number | undefined> {
  const content = await readFile(join(cluster.folder, 'postmaster.pid'), 'utf8').catch(() => undefined);
  return content === undefined ? undefined : Number.parseInt(content, 10);
}
