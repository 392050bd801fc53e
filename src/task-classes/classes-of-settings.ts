import { builtInTaskClasses, TaskClasses, type TaskClassParts } from './registry.ts';
import { checkNames, loadTaskModules } from './task-modules.ts';

/** The classes that a command knows by their code, as a server with these settings does. */
export async function classesOfSettings(
  parts: TaskClassParts & { settings: { TASK_MODULES: readonly string[] } },
): Promise<TaskClasses> {
  const classes = [...builtInTaskClasses(parts), ...(await loadTaskModules(parts.settings.TASK_MODULES))];
  checkNames(classes);
  return new TaskClasses(classes);
}
