// A task class that does nothing, or waits as for another machine: what is measured is what the product does around it.
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { defineTaskClass } from '../../src/task-classes/task-class.ts';

const WAIT_MS = Number(process.env.BENCH_WAIT_MS ?? 0);

export const NOTHING_CLASS = '\\bench\\NothingTask';

export default defineTaskClass({
  name: NOTHING_CLASS,
  title: 'Nothing',
  description: 'Does nothing, or waits.',
  data: z.looseObject({}),
  async run() {
    if (WAIT_MS > 0) await pause(WAIT_MS);
    return 'Done.';
  },
});
