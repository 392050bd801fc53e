// What it costs to tell many what happens: subscribers of one run's events over WebSocket on one gateway process, beside
// the floor, a plain `ws` server that broadcasts the same bytes. `npm run bench:fan-out -- SUBSCRIBERS SECONDS ROUNDS`
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import WebSocket from 'ws';
import { startEmbedded } from '../src/database/embedded.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const FLOOR = fileURLToPath(new URL('./fan-out-floor.ts', import.meta.url));
const EVENTS_A_SECOND = 20;
const CONNECT_AT_ONCE = 50;
const TICKS_A_SECOND = 100;
const KEY = 'bench';
const SECRET = 'bench-secret';

const subscribers = Number(process.argv[2] ?? 1_000);
const seconds = Number(process.argv[3] ?? 30);
const rounds = Number(process.argv[4] ?? 2);

interface Round {
  who: string;
  delivered: number;
  inOrder: boolean;
  p50: number;
  p99: number;
  /** Of one core, in percent. */
  cpu: number;
}

interface Side {
  who: string;
  process: ChildProcess;
  connect(): Promise<WebSocket>;
  /** Sends one event with this text in it to all. */
  send(text: string): Promise<unknown>;
}

/** Milliseconds of processor time that a process has used. */
async function cpuOf({ pid }: ChildProcess): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_A_SECOND;
}

async function measure({ who, process: server, connect, send }: Side): Promise<Round> {
  const latencies: number[] = [];
  const last = new Map<WebSocket, number>();
  let inOrder = true;
  const sockets: WebSocket[] = [];
  while (sockets.length < subscribers) {
    sockets.push(
      ...(await Promise.all(Array.from({ length: Math.min(CONNECT_AT_ONCE, subscribers - sockets.length) }, connect))),
    );
  }
  for (const socket of sockets) {
    socket.on('message', (data) => {
      // "sent:NUMBER:MILLISECONDS:" is in the event's message, whatever is around it.
      const [, number = '', at = ''] = /sent:(\d+):([\d.]+):/.exec(data.toString()) ?? [];
      if (at === '') return;
      latencies.push(performance.timeOrigin + performance.now() - Number(at));
      inOrder &&= Number(number) === (last.get(socket) ?? 0) + 1;
      last.set(socket, Number(number));
    });
  }
  const total = EVENTS_A_SECOND * seconds;
  const before = await cpuOf(server);
  const begun = performance.now();
  for (let number = 1; number <= total; number += 1) {
    await pause(Math.max(0, begun + (number * 1_000) / EVENTS_A_SECOND - performance.now()));
    await send(`sent:${number}:${performance.timeOrigin + performance.now()}:`);
  }
  for (let waited = 0; latencies.length < total * subscribers && waited < 200; waited += 1) await pause(50);
  const cpu = ((await cpuOf(server)) - before) / (performance.now() - begun);
  for (const socket of sockets) socket.terminate();
  latencies.sort((left, right) => left - right);
  const at = (share: number) => Math.round((latencies[Math.floor(latencies.length * share)] ?? Number.NaN) * 10) / 10;
  return { who, delivered: latencies.length, inOrder, p50: at(0.5), p99: at(0.99), cpu: Math.round(cpu * 100) };
}

async function opened(url: string, protocol?: string): Promise<WebSocket> {
  const socket = new WebSocket(url, protocol);
  await once(socket, 'open');
  return socket;
}

async function productSide(gateway: ChildProcess, address: string, client: pg.Client, runId: number): Promise<Side> {
  const authorization = `Basic ${Buffer.from(`${KEY}:${SECRET}`).toString('base64')}`;
  const run = Buffer.from(`Run:${runId}`).toString('base64');
  const query = `subscription { runEvents(run: "${run}") { cursor type message } }`;
  return {
    who: 'Slotkeeper',
    process: gateway,
    connect: async () => {
      const socket = await opened(`${address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
      await once(socket, 'message');
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
      return socket;
    },
    send: async (text) => {
      await client.query(
        `insert into event (type, task_id, task_name, actor_id, run_id, run_state, attempt, message)
         values ('LOG', 1, 'Task', 1, $1, 'RUNNING', 1, $2)`,
        [runId, text],
      );
      await client.query(`select pg_notify('slotkeeper_events', '')`);
    },
  };
}

/** A frame as the product sends it. */
function frameOf(text: string): string {
  const cursor = 'A'.repeat(52);
  const payload = { data: { runEvents: { cursor, type: 'LOG', message: text } } };
  return JSON.stringify({ id: '1', type: 'next', payload });
}

async function floorSide(server: ChildProcess, address: string): Promise<Side> {
  const sender = await opened(`${address}/send`);
  return {
    who: 'plain ws broadcast',
    process: server,
    connect: () => opened(address),
    send: async (text) => sender.send(frameOf(text)),
  };
}

function start(program: string, env: Record<string, string>): { process: ChildProcess; address: Promise<string> } {
  const child = spawn(process.execPath, [program], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const address = new Promise<string>((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const found = /listens on (\S+)/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', () => reject(new Error(`it ended: ${output}`)));
  });
  return { process: child, address };
}

/** A task with a run that is under way, whose events are followed. */
async function addRun(client: pg.Client): Promise<number> {
  await client.query(
    `insert into task (name, class_name, active, owner_id, time_zone, created_at, updated_at)
     values ('Task', 'class', true, 1, 'UTC', now(), now())`,
  );
  const { rows } = await client.query<{ id: number }>(
    `insert into run (task_id, trigger, state, actor_id, queued_at) values (1, 'MANUAL', 'QUEUED', 1, now()) returning id`,
  );
  return Number(rows[0]?.id);
}

const dataDir = await mkdtemp(join(tmpdir(), 'slotkeeper-bench-'));
const server = await startEmbedded({ dataDir, log: () => undefined });
const gateway = start(MAIN, {
  DATABASE_URL: server.url,
  DATA_DIR: dataDir,
  ROLE: 'gateway',
  PORT: '0',
  LOG_LEVEL: 'warn',
  ADMIN_API_KEY: KEY,
  ADMIN_API_SECRET: SECRET,
});
const floor = start(FLOOR, {});
const client = new pg.Client(server.url);
try {
  const [gatewayAddress, floorAddress] = await Promise.all([gateway.address, floor.address]);
  await client.connect();
  const sides = [
    await productSide(gateway.process, gatewayAddress, client, await addRun(client)),
    await floorSide(floor.process, floorAddress),
  ];
  const results: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const side of sides) {
      const result = await measure(side);
      results.push(result);
      process.stdout.write(`${JSON.stringify(result)}\n`);
    }
  }
  process.stdout.write(
    [
      `${subscribers} subscribers, ${EVENTS_A_SECOND} events a second for ${seconds} s, in turn; milliseconds from before the insert to the client:`,
      '',
      '| | delivered | in order | p50 | p99 | CPU, % of a core |',
      '|---|---|---|---|---|---|',
      ...results.map(({ who, delivered, inOrder, p50, p99, cpu }) => {
        const all = EVENTS_A_SECOND * seconds * subscribers;
        return `| ${who} | ${delivered} of ${all} | ${inOrder ? 'yes' : 'NO'} | ${p50} | ${p99} | ${cpu} |`;
      }),
      '',
    ].join('\n'),
  );
} finally {
  await client.end();
  for (const { process: child } of [gateway, floor]) {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  }
  await server.release();
  await rm(dataDir, { recursive: true, force: true });
}
