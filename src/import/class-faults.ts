import type { EntityManager } from '@mikro-orm/postgresql';
import type { KnownClass, KnownClasses } from '../task-classes/known-classes.ts';
import type { OldTask } from './old-task.ts';
import { printable } from './printable.ts';

const SHOWN_LENGTH = 300;

export interface ClassFaults {
  /** Names of classes that neither this build nor any runner has. */
  unknown: Set<string>;
  /** The faults of data that the old installation accepted, by task id. */
  ofData: Map<number, string>;
}

/** The faults that the classes would find in the tasks if they were added as new ones. */
export async function findClassFaults(
  em: EntityManager,
  tasks: readonly OldTask[],
  known: KnownClasses,
): Promise<ClassFaults> {
  const classes = new Map<string, KnownClass | null>();
  for (const name of new Set(tasks.map(({ className }) => className))) classes.set(name, await known.named(em, name));
  const faults: ClassFaults = { unknown: new Set(), ofData: new Map() };
  for (const { id, className, data } of tasks) {
    const found = classes.get(className) ?? null;
    const fault = found?.findFault(JSON.parse(data ?? '{}')) ?? null;
    if (found === null) faults.unknown.add(className);
    if (fault !== null) faults.ofData.set(id, inWords(['data', ...fault.path].join('.'), fault.message));
  }
  return faults;
}

function inWords(path: string, message: string): string {
  return printable(`${path}: ${message.replaceAll(/\s*\n\s*/g, ' ')}`.slice(0, SHOWN_LENGTH));
}
