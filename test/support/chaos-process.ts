// The product in a process of its own, with a task class whose attempts write down by themselves that they were made.
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { z } from 'zod';
import { startApp } from '../../src/app.ts';
import { readSettings } from '../../src/settings.ts';
import { defineTaskClass } from '../../src/task-classes/task-class.ts';

export const RECORDER = '\\test\\Recorder';

const recorder = defineTaskClass({
  name: RECORDER,
  title: 'Recorder',
  description: 'Writes its attempts down.',
  data: z.looseObject({ milliseconds: z.number().max(10_000).default(50) }),
  async run({ em, run, signal, data }) {
    await em.execute('insert into recorded (run_id, attempt, what) values (?, ?, ?)', [run.id, run.attempt, 'begun']);
    await pause(data.milliseconds, undefined, { signal });
    await em.execute('insert into recorded (run_id, attempt, what) values (?, ?, ?)', [run.id, run.attempt, 'ended']);
    return 'recorded';
  },
});

if (process.argv[1] === import.meta.filename) {
  const settings = readSettings();
  const app = await startApp(settings, pino({ level: settings.LOG_LEVEL }), [recorder]);
  process.stdout.write(`listens on ${app.address}\n`);
  process.once('SIGTERM', () => app.stop().then(() => process.exit()));
}
