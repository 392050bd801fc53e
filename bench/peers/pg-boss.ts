// pg-boss alone: bare jobs in batches, and its schedules.
import { PgBoss } from 'pg-boss';
import { Lateness, patternOf, readOrder, Throughput, tell } from './protocol.ts';

const QUEUE = 'nothing';
const INSERT_AT_ONCE = 1_000;

const order = readOrder();
const boss = new PgBoss({ connectionString: process.env.DATABASE_URL ?? '', schedule: order.mode === 'fire' });
boss.on('error', () => undefined);
await boss.start();
await boss.createQueue(QUEUE);

if (order.mode === 'drain') {
  for (let sent = 0; sent < order.count; sent += INSERT_AT_ONCE) {
    await boss.insert(QUEUE, Array(Math.min(INSERT_AT_ONCE, order.count - sent)).fill({ data: {} }));
  }
  const throughput = new Throughput(order.count);
  const measured = throughput.measured();
  // Its batches, one after the other: "work" would wait for its polling interval in between.
  throughput.begun();
  for (let left = order.count; left > 0; ) {
    const jobs = await boss.fetch(QUEUE, { batchSize: order.concurrency });
    await boss.complete(
      QUEUE,
      jobs.map(({ id }) => id),
    );
    left -= jobs.length;
    throughput.done(jobs.length);
  }
  tell(await measured);
} else {
  const lateness = new Lateness(order);
  for (let key = 0; key < order.count; key += 1) await boss.schedule(QUEUE, patternOf(order), {}, { key: String(key) });
  await boss.work(QUEUE, { batchSize: order.concurrency, pollingIntervalSeconds: 0.5 }, async (jobs) => {
    for (const _ of jobs) lateness.begun();
  });
  process.stdout.write('ready\n');
  tell(await lateness.measured());
}
await boss.stop({ graceful: false });
process.exit();
