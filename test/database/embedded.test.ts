import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type EmbeddedServer, startEmbedded } from '../../src/database/embedded.ts';
import { OperatorError } from '../../src/lib/operator-error.ts';

const CHILD = join(import.meta.dirname, '..', 'support', 'embedded-child.ts');
const WAIT_SECONDS = 20;
const Line = z.object({
  url: z.string().optional(),
  log: z.string().optional(),
  released: z.boolean().optional(),
  interrupted: z.object({ answer: z.number() }).optional(),
});

let root = '';
/** The data folder that most tests share; each leaves its server stopped. */
let shared = '';
const servers: EmbeddedServer[] = [];
const children: Child[] = [];
const postmasters = new Set<number>();

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'slotkeeper embedded '));
  shared = join(root, 'shared');
});

afterEach(async () => {
  for (const server of servers.splice(0)) await server.release();
  for (const child of children.splice(0)) await child.kill();
});

afterAll(async () => {
  await waitFor('every server to be gone', async () => {
    const alive = await Promise.all([...postmasters].map(isRunning));
    return !alive.includes(true);
  });
  await rm(root, { recursive: true, force: true });
});

/** A process of its own with a share in a server. */
class Child {
  readonly process: ChildProcess;
  readonly #lines: z.infer<typeof Line>[] = [];
  #errors = '';

  constructor(dataDir: string, prefix: readonly string[] = []) {
    const [file = '', ...args] = [...prefix, process.execPath, CHILD, dataDir];
    this.process = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    if (this.process.stdout) {
      createInterface(this.process.stdout).on('line', (line) => this.#lines.push(Line.parse(JSON.parse(line))));
    }
    this.process.stderr?.on('data', (chunk) => {
      this.#errors += String(chunk);
    });
    children.push(this);
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get logged(): string {
    return this.#lines.map((line) => line.log ?? '').join('\n');
  }

  async said<Key extends keyof z.infer<typeof Line>>(key: Key) {
    const find = () => this.#lines.map((line) => line[key]).find((value) => value !== undefined);
    await waitFor(`a child's "${key}"`, () => {
      if (find() === undefined && this.process.exitCode !== null) throw new Error(`The child ended: ${this.#errors}`);
      return find() !== undefined;
    });
    return find();
  }

  async url(): Promise<string> {
    return String(await this.said('url'));
  }

  async release(): Promise<void> {
    this.process.stdin?.end();
    await this.said('released');
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exit = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exit;
  }
}

async function waitFor(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + WAIT_SECONDS * 1000;
  while (!(await condition())) {
    if (performance.now() > until) throw new Error(`Waited ${WAIT_SECONDS} s for ${what}.`);
    await sleep(10);
  }
}

/** Excludes zombies, which keep their pid until their parent waits for them. */
async function isRunning(pid: number): Promise<boolean> {
  const ps = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return ps.stdout.trim() !== '' && !ps.stdout.trim().startsWith('Z');
}

/** Starts in this process, and collects the log. */
async function start(dataDir: string): Promise<EmbeddedServer & { logged: string[] }> {
  const logged: string[] = [];
  const server = await startEmbedded({ dataDir, settings: { fsync: 'off' }, log: (line) => logged.push(line) });
  servers.push(server);
  return { ...server, logged };
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url);
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end();
  }
}

async function answer(url: string): Promise<unknown> {
  const { rows } = await withClient(url, (client) =>
    client.query(`
      SELECT current_database() AS database, current_user AS role, pg_encoding_to_char(encoding) AS encoding,
             concat(datlocprovider, ':', datlocale) AS locale, current_setting('data_checksums') AS checksums,
             current_setting('listen_addresses') AS addresses, current_setting('unix_socket_directories') AS sockets
      FROM pg_database WHERE datname = current_database()`),
  );
  return rows[0];
}

async function postmasterOf(dataDir: string): Promise<number> {
  const content = await readFile(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8');
  const pid = Number(content.split('\n')[0]);
  postmasters.add(pid);
  return pid;
}

async function isStopped(dataDir: string): Promise<boolean> {
  return postmasterOf(dataDir).then(
    () => false,
    () => true,
  );
}

const working = {
  database: 'slotkeeper',
  role: 'slotkeeper',
  encoding: 'UTF8',
  locale: 'b:C.UTF-8',
  checksums: 'on',
  addresses: '127.0.0.1',
  sockets: '',
};

describe('a data folder', () => {
  test('is created at the first start, with a password that only its owner can read', async () => {
    const server = await start(shared);
    expect(await answer(server.url)).toEqual(working);
    expect(server.logged.join()).toContain('Created a new PostgreSQL database');
    const password = join(shared, 'postgres', 'password');
    expect((await stat(password)).mode & 0o777).toBe(0o600);
    expect((await stat(join(shared, 'postgres'))).mode & 0o777).toBe(0o700);
    const wrong = server.url.replace(/:[0-9a-f]{48}@/, ':wrong@');
    await expect(answer(wrong)).rejects.toThrow('password authentication failed');
    await postmasterOf(shared);
    await server.release();
    expect(await isStopped(shared)).toBe(true);
  });

  test('is served at the same address again, and releasing twice is one release', async () => {
    const first = await start(shared);
    await first.release();
    const second = await start(shared);
    expect(second.url).toBe(first.url);
    await Promise.all([second.release(), second.release(), first.release()]);
    expect(await isStopped(shared)).toBe(true);
  });

  test('that is empty serves two processes that start at once', async () => {
    const dataDir = join(root, 'two at once');
    const both = [new Child(dataDir), new Child(dataDir)];
    const [one = '', two = ''] = await Promise.all(both.map((child) => child.url()));
    expect(one).toBe(two);
    expect(await answer(one)).toEqual(working);
    expect(await readdir(dataDir)).toEqual(['postgres']);
    await postmasterOf(dataDir);
    await Promise.all(both.map((child) => child.release()));
    expect(await isStopped(dataDir)).toBe(true);
  });

  test('survives a killed initdb, whose leftovers are removed', async () => {
    const dataDir = join(root, 'killed');
    await mkdir(dataDir);
    const child = new Child(dataDir);
    let remains = '';
    let initdb = 0;
    await waitFor('initdb to run', async () => {
      remains = (await readdir(dataDir)).find((name) => name.startsWith('postgres.making-')) ?? '';
      initdb = Number(await readFile(join(dataDir, remains, 'initdb.pid'), 'utf8').catch(() => 0));
      return initdb > 0;
    });
    await child.kill();
    process.kill(-initdb, 'SIGKILL');
    await waitFor('initdb to be gone', async () => !(await isRunning(initdb)));
    expect(await readdir(dataDir)).toEqual([remains]);
    const server = await start(dataDir);
    expect(await answer(server.url)).toEqual(working);
    expect(await readdir(dataDir)).toEqual(['postgres']);
    await postmasterOf(dataDir);
  });

  test('that holds something else is refused in one sentence', async () => {
    const dataDir = join(root, 'else');
    await mkdir(join(dataDir, 'postgres', 'mine'), { recursive: true });
    await expect(start(dataDir)).rejects.toThrow(OperatorError);
    await expect(start(dataDir)).rejects.toThrow(/holds no database: move it away/);
  });
});

describe('a running server', () => {
  test('is shared, and the last process stops it', async () => {
    const child = new Child(shared);
    const server = await start(shared);
    expect(server.url).toBe(await child.url());
    await postmasterOf(shared);
    await server.release();
    expect(await answer(server.url)).toEqual(working);
    await child.release();
    expect(await isStopped(shared)).toBe(true);
  });

  test('is stopped once when all leave at once, and a process that starts meanwhile gets a working one', async () => {
    for (let round = 0; round < 4; round += 1) {
      const leaving = await Promise.all([start(shared), start(shared), start(shared)]);
      await postmasterOf(shared);
      const [next] = await Promise.all([start(shared), ...leaving.map((server) => server.release())]);
      expect(await answer(next.url)).toEqual(working);
      await next.release();
      expect(await isStopped(shared)).toBe(true);
    }
  });

  test('outlives kill -9 of the process that started it, and the next one takes it over', async () => {
    const child = new Child(shared);
    await child.url();
    const pid = await postmasterOf(shared);
    await child.kill();
    const server = await start(shared);
    expect(await postmasterOf(shared)).toBe(pid);
    expect(await answer(server.url)).toEqual(working);
    await server.release();
    expect(await isStopped(shared)).toBe(true);
  });

  test('does not hear the Ctrl-C of the terminal', async () => {
    const child = new Child(shared);
    await child.url();
    const pid = await postmasterOf(shared);
    process.kill(-child.pid, 'SIGINT');
    expect(await child.said('interrupted')).toEqual({ answer: 1 });
    expect(await postmasterOf(shared)).toBe(pid);
    await child.release();
    expect(await isStopped(shared)).toBe(true);
  });

  test('whose postmaster is killed is started again, and the process that used it continues', async () => {
    const child = new Child(shared);
    await child.url();
    const pid = await postmasterOf(shared);
    process.kill(pid, 'SIGKILL');
    const server = await start(shared);
    expect(await postmasterOf(shared)).not.toBe(pid);
    expect(await answer(server.url)).toEqual(working);
    await child.release();
    await server.release();
    await waitFor('the last one to stop it', () => isStopped(shared));
  });

  test('keeps counting a process whose session it dropped', async () => {
    const child = new Child(shared);
    const url = await child.url();
    await postmasterOf(shared);
    const holders =
      "FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND mode = 'ShareLock'";
    await withClient(url, async (client) => {
      const { rows } = await client.query(`SELECT pid, pg_terminate_backend(pid) ${holders}`);
      expect(rows).toHaveLength(1);
      await waitFor('the share to be taken again', async () => {
        const again = await client.query(`SELECT pid ${holders} AND pid <> $1`, [rows[0].pid]);
        return again.rowCount === 1;
      });
    });
    const server = await start(shared);
    await server.release();
    expect(await answer(url)).toEqual(working);
    await child.release();
    expect(await isStopped(shared)).toBe(true);
  });
});

describe('a start', () => {
  test('removes a pid file that names a process which is not the server of the folder, and says so', async () => {
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    try {
      const file = join(shared, 'postgres', 'cluster', 'postmaster.pid');
      const lines = [stranger.pid, join(shared, 'postgres', 'cluster'), 1, 5432, '', '127.0.0.1', '1 1', 'ready', ''];
      await writeFile(file, lines.join('\n'), { mode: 0o600 });
      const server = await start(shared);
      expect(server.logged.join()).toContain(`it names process ${stranger.pid}`);
      expect(await answer(server.url)).toEqual(working);
      expect(stranger.exitCode).toBeNull();
    } finally {
      stranger.kill();
    }
  });

  test('that cannot succeed gives the reason in one sentence, well before its deadline', async () => {
    const bad = startEmbedded({ dataDir: shared, settings: { shared_buffers: 'lots' }, log: () => undefined });
    await expect(bad).rejects.toThrow(OperatorError);
    await expect(bad).rejects.toThrow(/does not start in .*shared_buffers/);
  });

  test('in a folder that cannot be created says so in one sentence', async () => {
    await writeFile(join(root, 'file'), '');
    await expect(start(join(root, 'file', 'data'))).rejects.toThrow(/^The data folder .*file\/data cannot be used/);
  });
});

// A mount namespace in which `unshare` fails.
const withoutNamespaces = ['unshare', '-m', 'sh', '-c', 'mount --bind /bin/false /usr/bin/unshare && exec "$@"', 'sh'];
const canHide = process.getuid?.() === 0 && spawnSync('unshare', [...withoutNamespaces.slice(1), 'true']).status === 0;

describe.runIf(canHide)('root, where user namespaces are not permitted', () => {
  test('gets a server under an unprivileged account, in the data folder if that account reaches it', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'slotkeeper-reachable-'));
    await chmod(dataDir, 0o755);
    const child = new Child(dataDir, withoutNamespaces);
    try {
      expect(await answer(await child.url())).toEqual(working);
      expect((await stat(join(dataDir, 'postgres', 'cluster'))).uid).toBe(65534);
      expect(child.logged).toContain('it runs as uid 65534');
      await postmasterOf(dataDir);
      await child.release();
      const server = await start(dataDir);
      expect(await answer(server.url)).toEqual(working);
      await server.release();
      expect(await isStopped(dataDir)).toBe(true);
    } finally {
      await child.kill();
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  test('gets it elsewhere if that account cannot reach the data folder, and the log says where', async () => {
    const child = new Child(join(root, 'unreachable'), withoutNamespaces);
    const url = await child.url();
    const elsewhere = /the database in (.*)\/postgres\./.exec(child.logged)?.[1] ?? '';
    try {
      expect(await answer(url)).toEqual(working);
      expect(elsewhere).toMatch(/\/slotkeeper-[0-9a-f]{16}$/);
      expect((await stat(elsewhere)).uid).toBe(0);
      expect((await stat(join(elsewhere, 'postgres', 'password'))).mode & 0o777).toBe(0o600);
      await child.release();
    } finally {
      await child.kill();
      if (elsewhere) await rm(elsewhere, { recursive: true, force: true });
    }
  });
});
