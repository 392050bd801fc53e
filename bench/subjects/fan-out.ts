// What it costs to tell many what happens: subscribers of one run's events over WebSocket on one process. Each side is
// sent events at a pace, for the latency, and as fast as it takes them, for the throughput.
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type pg from 'pg';
import WebSocket from 'ws';
import { connect, startDatabases } from '../support/database.ts';
import { cpuMilliseconds, type Product, type Program, startProduct, startProgram } from '../support/programs.ts';
import { inTurn, median, publish, quantile, ROUNDS, SECONDS, SMOKE } from '../support/report.ts';

const SIZES = SMOKE ? [5] : [100, 1_000];
const EVENTS_A_SECOND = 20;
/** Sent at once for the throughput, in so many deliveries altogether. */
const BURST_DELIVERIES = SMOKE ? 500 : 200_000;
const BURST_STEP = 50;
const CONNECT_AT_ONCE = 50;
const WITHIN_MS = 60_000;

interface Side {
  name: string;
  program: Program;
  connect(): Promise<WebSocket>;
  /** Sends events with these texts in them to all. */
  send(texts: readonly string[]): Promise<unknown>;
}

interface Measured {
  p50: number;
  p99: number;
  /** Of one core, in percent, at the pace. */
  cpu: number;
  deliveriesPerSecond: number;
}

const now = () => performance.timeOrigin + performance.now();

/** Receives on all sockets, and makes sure that each event comes once and in order. */
class Receivers {
  readonly sockets: WebSocket[] = [];
  readonly latencies: number[] = [];
  received = 0;
  readonly #last = new Map<WebSocket, number>();
  #fault: string | undefined;

  constructor(sockets: readonly WebSocket[]) {
    this.sockets.push(...sockets);
    for (const socket of sockets) socket.on('message', (data) => this.#take(socket, data.toString()));
  }

  #take(socket: WebSocket, text: string): void {
    // "sent:NUMBER:MILLISECONDS:" is in the event's message, whatever is around it.
    const [, number = '', at = ''] = /sent:(\d+):([\d.]+):/.exec(text) ?? [];
    if (at === '') return;
    this.received += 1;
    this.latencies.push(now() - Number(at));
    if (Number(number) !== (this.#last.get(socket) ?? 0) + 1)
      this.#fault = `${number} came after ${this.#last.get(socket)}`;
    this.#last.set(socket, Number(number));
  }

  async all(count: number): Promise<void> {
    const deadline = Date.now() + WITHIN_MS;
    while (this.received < count) {
      if (Date.now() > deadline) throw new Error(`${this.received} of ${count} events came in time`);
      await pause(5);
    }
    if (this.#fault !== undefined || this.received > count) throw new Error(this.#fault ?? 'an event came twice');
  }
}

async function measure({ program, connect: open, send }: Side, subscribers: number): Promise<Measured> {
  const sockets: WebSocket[] = [];
  while (sockets.length < subscribers) {
    const more = Math.min(CONNECT_AT_ONCE, subscribers - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: more }, open))));
  }
  const receivers = new Receivers(sockets);
  let number = 0;
  const text = () => {
    number += 1;
    return `sent:${number}:${now()}:`;
  };
  // The subscriptions are under way once an event has come on each.
  await pause(500);
  await send([text()]);
  await receivers.all(subscribers);
  receivers.latencies.length = 0;
  const cpuBefore = await cpuMilliseconds(program.child);
  const begun = performance.now();
  for (let sent = 1; sent <= EVENTS_A_SECOND * SECONDS; sent += 1) {
    await pause(Math.max(0, begun + (sent * 1_000) / EVENTS_A_SECOND - performance.now()));
    await send([text()]);
  }
  await receivers.all(number * subscribers);
  const cpu = ((await cpuMilliseconds(program.child)) - cpuBefore) / (performance.now() - begun);
  const latencies = receivers.latencies.toSorted((left, right) => left - right);
  const burst = Math.ceil(BURST_DELIVERIES / subscribers);
  const burstBegun = performance.now();
  for (let sent = 0; sent < burst; sent += BURST_STEP) {
    await send(Array.from({ length: Math.min(BURST_STEP, burst - sent) }, text));
  }
  await receivers.all(number * subscribers);
  const deliveriesPerSecond = (burst * subscribers * 1_000) / (performance.now() - burstBegun);
  for (const socket of sockets) socket.terminate();
  return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), cpu: cpu * 100, deliveriesPerSecond };
}

async function opened(url: string, protocol?: string): Promise<WebSocket> {
  const socket = new WebSocket(url, protocol);
  await once(socket, 'open');
  return socket;
}

const webSocketOf = (address: string) => `${address.replace('http', 'ws')}/graphql`;

async function subscribed(address: string, run: string, authorization?: string): Promise<WebSocket> {
  const socket = await opened(webSocketOf(address), 'graphql-transport-ws');
  socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
  await once(socket, 'message');
  const query = `subscription { runEvents(run: "${run}") { cursor type message } }`;
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
  return socket;
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

async function productSide(product: Product, client: pg.Client): Promise<Side> {
  const run = await addRun(client);
  return {
    name: 'Slotkeeper',
    program: product,
    connect: () => subscribed(product.address, Buffer.from(`Run:${run}`).toString('base64'), product.authorization),
    send: async (texts) => {
      await client.query(
        `insert into event (type, task_id, task_name, actor_id, run_id, run_state, attempt, message)
         select 'LOG', 1, 'Task', 1, $1, 'RUNNING', 1, text from unnest($2::text[]) as text`,
        [run, texts],
      );
      await client.query(`select pg_notify('slotkeeper_events', '')`);
    },
  };
}

/** A frame as the product sends it. */
function frameOf(text: string): string {
  const payload = { data: { runEvents: { cursor: 'A'.repeat(52), type: 'LOG', message: text } } };
  return JSON.stringify({ id: '1', type: 'next', payload });
}

async function broadcastSide(program: Program): Promise<Side> {
  const sender = await opened(`${program.address}/send`);
  return {
    name: 'plain ws broadcast',
    program,
    connect: () => opened(program.address),
    send: async (texts) => {
      for (const text of texts) sender.send(frameOf(text));
    },
  };
}

function pubSubSide(program: Program): Side {
  return {
    name: 'Yoga, in-memory pub/sub',
    program,
    connect: () => subscribed(program.address, '1'),
    send: (texts) => fetch(`${program.address}/send`, { method: 'POST', body: `${texts.join('\n')}\n` }),
  };
}

const peer = (file: string) => startProgram(fileURLToPath(new URL(`../peers/${file}.ts`, import.meta.url)));

const databases = await startDatabases();
const programs: Program[] = [];
try {
  const url = await databases.create('fan_out');
  const product = await startProduct(url, { ROLE: 'gateway' });
  programs.push(product);
  const client = await connect(url);
  const [broadcast, pubSub] = [await peer('broadcast'), await peer('yoga-pubsub')];
  programs.push(broadcast, pubSub);
  const sides = [await productSide(product, client), await broadcastSide(broadcast), pubSubSide(pubSub)];
  const results = new Map<number, Map<string, Measured[]>>();
  for (const size of SIZES) results.set(size, await inTurn(sides, ROUNDS, (side) => measure(side, size)));
  await client.end();
  const of = (name: string, size: number, key: keyof Measured) =>
    median((results.get(size)?.get(name) ?? []).map((measured) => measured[key]));
  const most = Math.max(...SIZES);
  const ratio = of('Slotkeeper', most, 'deliveriesPerSecond') / of('plain ws broadcast', most, 'deliveriesPerSecond');
  await publish({
    subject: 'fan-out',
    title: 'Fan-out: identical subscribers of one feed over WebSocket',
    tables: SIZES.map((size) => ({
      title: `${size} subscribers`,
      columns: ['', 'deliveries a second', `p50 ms at ${EVENTS_A_SECOND} events/s`, 'p99 ms', 'CPU, % of a core'],
      rows: sides.map(({ name }) => [
        name,
        Math.round(of(name, size, 'deliveriesPerSecond')),
        Math.round(of(name, size, 'p50')),
        Math.round(of(name, size, 'p99')),
        Math.round(of(name, size, 'cpu')),
      ]),
    })),
    targets: [{ what: `${most} subscribers: deliveries a second, to the plain broadcast`, ratio, atLeast: 0.5 }],
    measurements: [...results].map(([size, measured]) => ({ size, measured: [...measured] })),
  });
} finally {
  for (const program of programs) await program.stop();
  await databases.release();
}
