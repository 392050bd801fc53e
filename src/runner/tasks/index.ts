import { ProcessHoldingTask } from './process-holding-task.ts';
import type { TaskClass } from './task-class.ts';

const classes: readonly TaskClass[] = [ProcessHoldingTask];

const byName = new Map(classes.map((taskClass) => [taskClass.name, taskClass]));

export function taskClassNamed(name: string): TaskClass | undefined {
  return byName.get(name);
}

/** Every class that this build can run, in the order in which they are listed to users. */
export function allTaskClasses(): readonly TaskClass[] {
  return classes;
}
