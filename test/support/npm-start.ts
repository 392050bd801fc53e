// The product as a newcomer starts it: `npm start`, or another command, in a process group of its own, as a terminal makes one.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { KeyAndSecret } from '../../src/credentials/credentials.ts';
import { clientOf, HOLDING, type TestApp } from './app.ts';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
/** Far more than it takes, also where other tests start at the same time. */
const WAIT_MS = 90_000;

/** Without the folders that npm puts first for its scripts: the tests run under npm themselves. */
const NEWCOMERS_PATH = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules') && !folder.includes('node-gyp-bin'))
  .join(delimiter);

/** The environment of somebody who types a command, with these settings. */
export function environment(settings: Record<string, string>): NodeJS.ProcessEnv {
  return { PATH: NEWCOMERS_PATH, HOME: process.env.HOME, ...settings };
}

/** What a command writes, and how it ends. */
export interface Ended {
  output: string;
  code: number | null;
}

/** A command and its arguments. */
export type StartCommand = readonly [string, ...string[]];

/** A `npm start` with only these settings in its environment; on a free port unless told otherwise. */
export class NpmStart {
  readonly child: ChildProcess;
  readonly #dataDir: string | undefined;
  readonly #exited: Promise<unknown>;
  #output = '';

  constructor(settings: Record<string, string>, [program, ...args]: StartCommand = ['npm', 'start']) {
    const env = environment({ PORT: '0', ...settings });
    this.#dataDir = settings.DATA_DIR;
    this.child = spawn(program, args, { cwd: PROJECT, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#exited = once(this.child, 'exit');
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
  }

  get output(): string {
    return this.#output;
  }

  /** What it wrote, without npm's own lines and the log. */
  get said(): string[] {
    return this.#output.split('\n').filter((line) => !/^(> |npm |\{"level"|$)/.test(line));
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('it could not be started');
    return this.child.pid;
  }

  /** The process that serves; npm is its parent, or the parent of the shell between. */
  get servingPid(): number {
    return Number(/"pid":(\d+)/.exec(this.#output)?.[1]);
  }

  /** The pair that a first start prints; null where none was printed. */
  get printedKey(): KeyAndSecret | null {
    const [, key, secret] = /ADMIN_API_KEY=(\S+)\s+ADMIN_API_SECRET=(\S+)/.exec(this.#output) ?? [];
    return key === undefined || secret === undefined ? null : { key, secret };
  }

  get printedCommands(): string[] {
    return this.#output.split('\n').flatMap((line) => /^ {2}(curl .*)$/.exec(line)?.[1] ?? []);
  }

  /** Where it listens, once all of the introduction is there. */
  async listening(): Promise<string> {
    const address = () => /listens on (http:\S+)\n/.exec(this.#output)?.[1];
    await expect
      .poll(() => address() !== undefined || this.child.exitCode !== null, { timeout: WAIT_MS, interval: 20 })
      .toBe(true);
    const found = address();
    if (found === undefined) throw new Error(`it ended before it listened: ${this.#output}`);
    return found;
  }

  async client({ key, secret }: KeyAndSecret): Promise<TestApp> {
    return clientOf(await this.listening(), () => this.gone(), { key, secret });
  }

  /** The pair that this first start has printed. */
  keyPair(): KeyAndSecret {
    if (this.printedKey === null) throw new Error(`no key was printed: ${this.#output}`);
    return this.printedKey;
  }

  async addTask(pair: KeyAndSecret, name: string): Promise<void> {
    const app = await this.client(pair);
    await app.query(
      'mutation ($name: String!, $c: String!) { addTask(input: {name: $name, className: $c}) { task { id } } }',
      {
        name,
        c: HOLDING,
      },
    );
  }

  async taskNames(pair: KeyAndSecret): Promise<string[]> {
    const app = await this.client(pair);
    const { tasks } = await app.query<{ tasks: { edges: { node: { name: string } }[] } }>(
      '{ tasks { edges { node { name } } } }',
    );
    return tasks.edges.map(({ node }) => node.name);
  }

  /** A signal to the process group, as a terminal sends it for Ctrl-C. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  async ended(): Promise<Ended> {
    await this.#exited;
    return { output: this.#output, code: this.child.exitCode };
  }

  /** Fulfilled when npm has ended and nothing of what it started runs any more. */
  async gone(): Promise<void> {
    await this.#exited;
    await expect.poll(() => processesWith(this.#dataDir ?? ''), { timeout: WAIT_MS, interval: 20 }).toEqual([]);
  }

  /** For cleaning up after a test that failed. */
  async kill(): Promise<void> {
    const left = (await processesWith(this.#dataDir ?? '')).map(({ pid }) => pid);
    if (this.child.exitCode === null && this.child.signalCode === null) left.push(-this.pid);
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
    await this.#exited;
  }
}

/** Starts in folders below one that is removed after the tests; what a failed test leaves running is killed. */
export function startsIn(prefix: string): {
  root(): string;
  start(dataDir: string, command?: StartCommand): NpmStart;
} {
  let root = '';
  const started: NpmStart[] = [];
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), prefix));
  });
  afterEach(async () => {
    for (const npm of started.splice(0)) await npm.kill();
  });
  afterAll(() => rm(root, { recursive: true, force: true }));
  return {
    root: () => root,
    start: (dataDir, command) => {
      const npm = new NpmStart({ DATA_DIR: dataDir }, command);
      started.push(npm);
      return npm;
    },
  };
}

/** A command of the shell, to its end. */
export async function shell(command: string, settings: Record<string, string> = {}): Promise<Ended> {
  const child = spawn('bash', ['-c', command], { cwd: PROJECT, env: environment(settings) });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code] = await once(child, 'close');
  return { output, code };
}

/** The processes that use a data folder: told to in their environment, or at work in it; none where there is no /proc. */
export async function processesWith(dataDir: string): Promise<{ pid: number; line: string }[]> {
  if (dataDir === '') return [];
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const read = (file: string) => readFile(join('/proc', pid, file), 'utf8').catch(() => '');
      const [line, variables] = await Promise.all([read('cmdline'), read('environ')]);
      const folder = await readlink(join('/proc', pid, 'cwd')).catch(() => '');
      const isIts = folder.startsWith(`${dataDir}/`) || variables.split('\0').includes(`DATA_DIR=${dataDir}`);
      return isIts ? [{ pid: Number(pid), line: line.replaceAll('\0', ' ') }] : [];
    }),
  );
  return found.flat();
}
