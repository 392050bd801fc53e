// Trivial jobs that wait, drained by one process. A run of the product is on the ledger, taken, begun, ended and in
// the history with three events; a bare job of the peers is only taken and ended.
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import type { Drained } from '../peers/protocol.ts';
import { connect, startDatabases } from '../support/database.ts';
import { type Product, startProduct, startProgram } from '../support/programs.ts';
import { inTurn, median, publish, ROUNDS, SMOKE } from '../support/report.ts';
import { NOTHING_CLASS_FILE, queueRuns, secondsOfRuns, waitUntilRun } from '../support/tasks.ts';

const JOBS = SMOKE ? 200 : 20_000;
const WITHIN_MS = 180_000;

interface Side {
  name: string;
  drain(databaseUrl: string): Promise<number>;
}

const peer = (name: string, file: string, concurrency: number, ready?: (databaseUrl: string) => unknown): Side => ({
  name: `${name}, ${concurrency} at once`,
  drain: async (databaseUrl) => {
    await ready?.(databaseUrl);
    const program = await startProgram(fileURLToPath(new URL(`../peers/${file}.ts`, import.meta.url)), {
      env: { DATABASE_URL: databaseUrl },
      args: ['drain', String(JOBS), String(concurrency)],
      ready: /result (.*)\n/,
    });
    await program.stop();
    return (JSON.parse(program.address) as Drained).jobsPerSecond;
  },
});

/** Follows every event, as a dashboard does, and tells how many came. */
async function follow(product: Product): Promise<{ received(): number; close(): void }> {
  const socket = new WebSocket(`${product.address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  let received = 0;
  const acknowledged = Promise.withResolvers<void>();
  socket.on('message', (data) => {
    received += 1;
    if (data.toString().includes('connection_ack')) acknowledged.resolve();
  });
  socket.on('open', () =>
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: product.authorization } })),
  );
  await acknowledged.promise;
  const query = 'subscription { runEvents { cursor type } }';
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
  return { received: () => received, close: () => socket.terminate() };
}

const product = (concurrency: number, followed: boolean): Side => ({
  name: `Slotkeeper, CONCURRENCY ${concurrency}${followed ? ', followed live' : ''}`,
  drain: async (databaseUrl) => {
    await queueRuns(databaseUrl, JOBS);
    const client = await connect(databaseUrl);
    const server = await startProduct(databaseUrl, {
      TASK_MODULES: NOTHING_CLASS_FILE,
      CONCURRENCY: String(concurrency),
    });
    const follower = followed ? await follow(server) : undefined;
    await waitUntilRun(client, JOBS, WITHIN_MS);
    const seconds = await secondsOfRuns(client);
    follower?.close();
    await client.end();
    await server.stop();
    return JOBS / seconds;
  },
});

const FLOOR = 'floor: the same rows by plain SQL';
const sides = [
  product(10, false),
  product(50, false),
  product(200, false),
  product(200, true),
  peer(FLOOR, 'same-rows', 200, (databaseUrl) => queueRuns(databaseUrl, JOBS)),
  peer('pg-boss', 'pg-boss', 200),
  peer('graphile-worker', 'graphile-worker', 10),
  peer('graphile-worker', 'graphile-worker', 200),
];

const databases = await startDatabases();
let number = 0;
try {
  const measured = await inTurn(sides, ROUNDS, async (side) => {
    number += 1;
    const rate = await side.drain(await databases.create(`steady_${number}`));
    process.stderr.write(`${side.name}: ${Math.round(rate)} a second\n`);
    return rate;
  });
  const of = (name: string) => median(measured.get(name) ?? []);
  const bare = of('pg-boss, 200 at once');
  const floor = of(`${FLOOR}, 200 at once`);
  await publish({
    subject: 'steady',
    title: `Steady state: ${JOBS} trivial jobs that wait, drained by one process`,
    tables: [
      {
        title: 'Complete runs, or bare jobs, a second',
        columns: ['', 'a second', 'of pg-boss', 'of the floor'],
        rows: sides.map(({ name }) => [
          name,
          Math.round(of(name)),
          (of(name) / bare).toFixed(2),
          (of(name) / floor).toFixed(2),
        ]),
      },
    ],
    targets: [
      {
        what: 'Slotkeeper, CONCURRENCY 200, to 2,000 runs a second',
        ratio: of('Slotkeeper, CONCURRENCY 200') / 2_000,
        atLeast: 1,
      },
      {
        what: 'Slotkeeper, CONCURRENCY 200, to pg-boss draining bare jobs',
        ratio: of('Slotkeeper, CONCURRENCY 200') / bare,
        atLeast: 0.5,
      },
    ],
    measurements: [...measured],
  });
} finally {
  await databases.release();
}
