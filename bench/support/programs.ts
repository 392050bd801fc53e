// Servers under test, each in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const TICKS_A_SECOND = 100;
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const KEY = 'bench';
const SECRET = 'bench-secret';

export interface Program {
  child: ChildProcess;
  /** What it said that it listens on, such as `http://127.0.0.1:34567`; empty where it was not asked to listen. */
  address: string;
  stop(): Promise<void>;
}

export interface ProgramOptions {
  /** What the last line of getting ready looks like; the first group, where there is one, is the address. */
  ready?: RegExp;
  env?: Record<string, string>;
  args?: readonly string[];
  /** Whether it has processes of its own, which are to end with it. */
  hasWorkers?: boolean;
}

/** Starts a program with this Node, or any other command, and resolves once it says that it is ready. */
export async function startProgram(
  program: string,
  { ready = /listens on (\S+)/, env = {}, args = [], hasWorkers = false }: ProgramOptions = {},
): Promise<Program> {
  const [command, commandArgs] = program.endsWith('.ts')
    ? [process.execPath, [program, ...args]]
    : [program, [...args]];
  const child = spawn(command, commandArgs, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that all of it can be ended.
    detached: hasWorkers,
  });
  let output = '';
  const listening = Promise.withResolvers<string>();
  const read = (chunk: Buffer) => {
    // What follows is of no interest, but must be read.
    if (output.length < 100_000) output += chunk.toString();
    const found = ready.exec(output);
    if (found !== null) listening.resolve(found[1] ?? '');
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  child.once('error', (error) => listening.reject(error));
  const exited = once(child, 'exit');
  exited.then(() => listening.reject(new Error(`${program} ended before it was ready: ${output}`)));
  const stop = async () => {
    if (hasWorkers && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    else child.kill('SIGTERM');
    await exited;
  };
  return { child, address: await listening.promise, stop };
}

export interface Product extends Program {
  /** For the `Authorization` header. */
  authorization: string;
  key: string;
  secret: string;
  graphql<T>(query: string, variables?: Record<string, unknown>): Promise<T>;
}

/** The product as `npm start` runs it, on a database of its own; `env` are its settings. */
export async function startProduct(
  databaseUrl: string,
  env: Record<string, string> = {},
  ready?: RegExp,
): Promise<Product> {
  const program = await startProgram(MAIN, {
    ...(ready === undefined ? {} : { ready }),
    env: {
      DATABASE_URL: databaseUrl,
      PORT: '0',
      LOG_LEVEL: 'warn',
      MASTER_KEY: '0'.repeat(64),
      ADMIN_API_KEY: KEY,
      ADMIN_API_SECRET: SECRET,
      ...env,
    },
  });
  const authorization = `Basic ${Buffer.from(`${KEY}:${SECRET}`).toString('base64')}`;
  const graphql = async <T>(query: string, variables: Record<string, unknown> = {}): Promise<T> => {
    const response = await fetch(`${program.address}/graphql`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data: T; errors?: unknown };
    if (errors !== undefined) throw new Error(JSON.stringify(errors));
    return data;
  };
  return { ...program, authorization, key: KEY, secret: SECRET, graphql };
}

/** Milliseconds of processor time that a process has used. Linux only. */
export async function cpuMilliseconds({ pid }: ChildProcess): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_A_SECOND;
}

/** The memory that a process holds. Linux only. */
export async function residentMiB({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
}

/** For a program that cannot choose one by itself. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
