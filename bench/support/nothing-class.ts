// A task class that does nothing: what is measured is what the product does around it.
import { z } from 'zod';
import { defineTaskClass } from '../../src/runner/tasks/task-class.ts';

export default defineTaskClass({
  name: '\\bench\\NothingTask',
  title: 'Nothing',
  description: 'Does nothing.',
  data: z.looseObject({}),
  run: async () => 'Done.',
});
