// BullMQ's job schedulers on a Redis server.
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { Lateness, patternOf, readOrder, Throughput, tell } from './protocol.ts';

const QUEUE = 'nothing';
const AT_ONCE = 100;

const order = readOrder();
const connection = new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null });
const queue = new Queue(QUEUE, { connection });

async function inGroups(work: (key: number) => Promise<unknown>): Promise<void> {
  for (let key = 0; key < order.count; key += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, order.count - key) }, (_, n) => work(key + n)));
  }
}

if (order.mode === 'drain') {
  await inGroups(() => queue.add('nothing', {}));
  const throughput = new Throughput(order.count);
  const measured = throughput.measured();
  const worker = new Worker(QUEUE, async () => throughput.begun(), { connection, concurrency: order.concurrency });
  worker.on('completed', () => throughput.done());
  tell(await measured);
} else {
  const lateness = new Lateness(order);
  await inGroups((key) => queue.upsertJobScheduler(`nothing-${key}`, { pattern: patternOf(order), tz: 'UTC' }));
  new Worker(QUEUE, async () => lateness.begun(), { connection, concurrency: order.concurrency });
  process.stdout.write('ready\n');
  tell(await lateness.measured());
}
process.exit();
