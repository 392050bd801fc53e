import { defineEntity, p } from '@mikro-orm/core';

const RunnerSchema = defineEntity({
  name: 'Runner',
  tableName: 'runner',
  properties: {
    /** New at each start of a process. */
    id: p.uuid().primary(),
    host: p.text(),
    pid: p.integer(),
    /** The task classes whose code it has. */
    classNames: p.array(),
    /** Attempts that it makes at once; 0 for a process of a version that did not tell. */
    places: p.integer().default(0),
    startedAt: p.datetime().defaultRaw('now()'),
    /** It counts as alive until then; it moves this on while it is. */
    livesUntil: p.datetime().index(),
  },
});

/** A process that runs tasks, and the classes that it can run. */
export class Runner extends RunnerSchema.class {}
RunnerSchema.setClass(Runner);

export { RunnerSchema };
