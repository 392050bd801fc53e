import type { Settings } from '../../env.ts';
import { dnsPushTask } from './dns-push-task.ts';
import { processHoldingTask } from './process-holding-task.ts';
import type { TaskClass } from './task-class.ts';

/** The classes that this build can run, in the order in which they are listed to users. */
export class TaskClasses {
  readonly all: readonly TaskClass[];
  readonly #byName: ReadonlyMap<string, TaskClass>;

  constructor(all: readonly TaskClass[]) {
    this.all = all;
    this.#byName = new Map(all.map((taskClass) => [taskClass.name, taskClass]));
  }

  named(name: string): TaskClass | undefined {
    return this.#byName.get(name);
  }
}

/** What the classes that the product comes with are made of. */
export interface TaskClassParts {
  settings: Settings;
}

/** The classes that the product comes with. A new one is one file here and one entry in this list. */
export function builtInTaskClasses({ settings }: TaskClassParts): TaskClass[] {
  return [processHoldingTask(settings.HOLDING_DAYS), dnsPushTask(settings.DNS_SERVERS)];
}
