// graphile-worker: waiting jobs, and cron items.
import { EventEmitter } from 'node:events';
import { Logger, makeWorkerUtils, parseCronItems, run, type WorkerEvents } from 'graphile-worker';
import { Lateness, patternOf, readOrder, Throughput, tell } from './protocol.ts';

const order = readOrder();
const connectionString = process.env.DATABASE_URL ?? '';
const options = {
  connectionString,
  concurrency: order.concurrency,
  noHandleSignals: true,
  maxPoolSize: Math.min(order.concurrency + 2, 20),
  logger: new Logger(() => () => undefined),
};

const utils = await makeWorkerUtils(options);
await utils.migrate();
if (order.mode === 'drain') {
  await utils.addJobs(Array.from({ length: order.count }, () => ({ identifier: 'nothing', payload: {} })));
  await utils.release();
  const throughput = new Throughput(order.count);
  const measured = throughput.measured();
  const events = new EventEmitter() as WorkerEvents;
  // Ended for good, in the database.
  events.on('job:complete', () => throughput.done());
  await run({
    ...options,
    events,
    // What its own benchmarks recommend for throughput.
    preset: { worker: { localQueue: { size: order.concurrency * 2 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    taskList: {
      nothing: async () => throughput.begun(),
    },
  });
  tell(await measured);
} else {
  await utils.release();
  const lateness = new Lateness(order);
  const items = Array.from({ length: order.count }, (_, key) => ({
    task: 'nothing',
    match: patternOf(order),
    identifier: `nothing-${key}`,
  }));
  await run({
    ...options,
    parsedCronItems: parseCronItems(items),
    taskList: { nothing: async () => lateness.begun() },
  });
  process.stdout.write('ready\n');
  tell(await lateness.measured());
}
process.exit();
