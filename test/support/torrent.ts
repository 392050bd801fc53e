// Writers that commit out of order on purpose, and subscribers that drop and resume at random.
import { setTimeout as pause } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { expect } from 'vitest';
import { openOrm } from '../../src/database/orm.ts';
import { inTransaction } from '../../src/database/transaction.ts';
import { appendEvents } from '../../src/events/log.ts';
import type { TestApp } from './app.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { startProcess } from './process.ts';
import { addTasks, rows } from './races.ts';
import { seqOf, TRANSPORTS, type Transport } from './streams.ts';

const WRITERS = 8;
const SUBSCRIBERS = 50;
/** Between an insert and its commit, or the next one. */
const DELAY_MS = 150;
const SUBSCRIPTION = 'subscription ($after: String) { runEvents(after: $after) { cursor } }';

const any = (below: number) => Math.floor(Math.random() * below);

/** On two gateways of their own, what each subscriber sees ends up as what the table has; returns what there was. */
export async function followTorrent(seconds: number): Promise<string> {
  const database = await testDatabase();
  // The very first start makes the admin, before a second one could want to.
  const gateways = [await startProcess(database.url, { ROLE: 'gateway' })];
  try {
    gateways.push(await startProcess(database.url, { ROLE: 'gateway' }));
    return await follow(database, gateways, seconds);
  } finally {
    await Promise.all(gateways.map(({ stop }) => stop()));
    await database.close();
  }
}

async function follow(database: TestDatabase, gateways: readonly TestApp[], seconds: number): Promise<string> {
  const [task = 0] = await addTasks(database.orm.em, { count: 1 });
  const until = performance.now() + seconds * 1_000;
  const first = gateways[0] as TestApp;
  // Something to have seen, so that each begins with a cursor.
  await write(database.orm.em, task, 1);
  const { events } = await first.query<{ events: { pageInfo: { endCursor: string } } }>(
    '{ events(last: 1) { pageInfo { endCursor } } }',
  );
  const start = events.pageInfo.endCursor;
  let isOver = false;
  const readers = Array.from({ length: SUBSCRIBERS }, (_, index) => {
    const transports = Object.values(TRANSPORTS);
    return new Reader(gateways, transports[index % transports.length] as Transport, start, index);
  });
  const reading = readers.map((reader) => reader.read(() => isOver));
  await Promise.all(Array.from({ length: WRITERS }, () => writeUntil(database, task, until)));
  await rows(database.orm.em, `select pg_notify('slotkeeper_events', '')`);

  await first.query('{ events(last: 1) { pageInfo { endCursor } } }');
  const stored = await rows<{ seq: number }>(database.orm.em, 'select seq from event where seq > ? order by seq', [
    seqOf(start),
  ]);
  const expected = stored.map(({ seq }) => Number(seq));
  for (const { seen } of readers) {
    await expect.poll(() => seen.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(expected.length);
  }
  isOver = true;
  await Promise.all(reading);
  for (const { seen } of readers) expect(seen).toEqual(expected);
  const resumptions = readers.reduce((sum, { opened }) => sum + opened - 1, 0);
  return `${expected.length} events, each seen once and in order by ${SUBSCRIBERS} subscribers that resumed ${resumptions} times`;
}

async function writeUntil({ url }: TestDatabase, task: number, until: number): Promise<void> {
  const orm = await openOrm(url, 1);
  try {
    while (performance.now() < until) {
      await write(orm.em, task, 1 + any(2));
      // Now and then nobody is woken: a process may be killed after its commit.
      if (any(5) > 0) await rows(orm.em, `select pg_notify('slotkeeper_events', '')`);
    }
  } finally {
    await orm.close();
  }
}

function write(em: EntityManager, task: number, count: number): Promise<void> {
  return inTransaction(em, async (transaction) => {
    const [run] = await transaction.execute<{ id: number }[]>(
      `insert into run (task_id, trigger, state, actor_id, queued_at) values (?, 'MANUAL', 'QUEUED', 1, now()) returning id`,
      [task],
    );
    const event = { taskId: task, taskName: 'Task', actorId: 1, runId: run?.id ?? 0, runState: 'QUEUED', attempt: 0 };
    for (let written = 0; written < count; written += 1) {
      await appendEvents(transaction, [{ ...event, type: 'QUEUED', runState: 'QUEUED' }]);
      await pause(any(DELAY_MS));
    }
  });
}

class Reader {
  readonly seen: number[] = [];
  opened = 0;
  readonly #gateways: readonly TestApp[];
  readonly #transport: Transport;
  readonly #index: number;
  #cursor: string;

  constructor(gateways: readonly TestApp[], transport: Transport, start: string, index: number) {
    this.#gateways = gateways;
    this.#transport = transport;
    this.#cursor = start;
    this.#index = index;
  }

  /** Opens, reads for a while, drops, and goes on at the other gateway. */
  async read(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const gateway = this.#gateways[(this.#index + this.opened) % this.#gateways.length] as TestApp;
      // Over Server-Sent Events every other time as a browser does, which keeps the address and sends what it has seen.
      const asEventSource = this.#transport !== TRANSPORTS.WebSocket && this.opened % 2 === 1;
      const stream = await this.#transport(gateway, {
        query: SUBSCRIPTION,
        variables: asEventSource ? {} : { after: this.#cursor },
        lastEventId: asEventSource ? this.#cursor : undefined,
      });
      this.opened += 1;
      const end = performance.now() + 100 + any(3_000);
      while (performance.now() < end && !isOver()) await pause(20);
      await stream.close();
      for (const { data, errors } of stream.received) {
        if (errors !== undefined || !data) throw new Error(JSON.stringify(errors));
        this.#cursor = (data.runEvents as { cursor: string }).cursor;
        this.seen.push(seqOf(this.#cursor));
      }
    }
  }
}
