import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ADMIN, clientOf, MASTER_KEY, type TestApp } from './app.ts';
import { CHILD_ENVIRONMENT } from './child-environment.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface AppProcess extends TestApp {
  child: ChildProcess;
  /** What it wrote so far. */
  output(): string;
}

export interface BegunProcess extends Pick<AppProcess, 'child' | 'output'> {
  listening: Promise<AppProcess>;
}

/** The product in a process of its own, on a free port; resolved once it listens. A runner must be given a METRICS_PORT. */
export function startProcess(...parameters: Parameters<typeof beginProcess>): Promise<AppProcess> {
  return beginProcess(...parameters).listening;
}

/** The same where one has to see what it does before it listens. */
export function beginProcess(databaseUrl: string, settings: Record<string, string> = {}, program = MAIN): BegunProcess {
  const child = spawn(process.execPath, [program], {
    env: {
      ...CHILD_ENVIRONMENT,
      DATABASE_URL: databaseUrl,
      PORT: '0',
      MASTER_KEY: MASTER_KEY.toString('hex'),
      ADMIN_API_KEY: ADMIN.key,
      ADMIN_API_SECRET: ADMIN.secret,
      LOG_LEVEL: 'warn',
      ...settings,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const listening = Promise.withResolvers<string>();
  const read = (chunk: Buffer) => {
    output += chunk.toString();
    const address = /(?:listens on|metrics and health:) (\S+?)\.?\s/.exec(output)?.[1];
    if (address !== undefined) listening.resolve(address);
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const exited = once(child, 'exit');
  exited.then(() => listening.reject(new Error(`the process ended before it listened: ${output}`)));
  const stop = async () => {
    child.kill('SIGTERM');
    await exited;
  };
  const seen = { child, output: () => output };
  const ready = listening.promise.then((address) => ({ ...clientOf(address, stop), ...seen }));
  // Whoever awaits it is told all the same.
  ready.catch(() => undefined);
  return { ...seen, listening: ready };
}

/** The memory that a process holds. */
export async function residentMiB(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
}
