// Tasks of the file that have no id: each is a new one, unless the very same is here.
import { POLICY_DEFAULTS } from '../entities/task.ts';
import type { KnownClass } from '../task-classes/known-classes.ts';
import { policyOfClass, policyOfColumns, readPolicy } from '../tasks/policy.ts';
import { digestOf, type TaskDefinition } from './definition.ts';
import type { FileTask } from './file.ts';

/** What a new task has that does not say otherwise. */
export interface NewTaskDefaults {
  timeZone: string;
  /** The name of the owner. */
  owner: string;
}

/** What `addTask` makes of it. */
export function definitionOfNew(
  file: FileTask,
  { name: className, defaults }: KnownClass,
  { timeZone, owner }: NewTaskDefaults,
): TaskDefinition {
  // Its bounds are those of the file's form too.
  const policy = readPolicy(file.policy ?? {});
  return {
    name: file.name,
    className,
    active: file.active ?? true,
    owner: file.owner ?? owner,
    timeZone: file.timeZone ?? timeZone,
    repeatItems: file.repeatItems ?? [],
    policy: policyOfColumns({ ...POLICY_DEFAULTS, ...policyOfClass(defaults), ...policy }),
    data: file.data ?? null,
  };
}

/** Found by what they are: there may be hundreds of thousands, all of one name. */
export class NewTasks {
  readonly #left = new Set<FileTask>();
  readonly #byDigest = new Map<string, FileTask[]>();

  /** A definition of null is like no other. */
  add(file: FileTask, definition: TaskDefinition | null): void {
    this.#left.add(file);
    if (definition === null) return;
    const digest = digestOf(definition);
    const equal = this.#byDigest.get(digest);
    if (equal === undefined) this.#byDigest.set(digest, [file]);
    else equal.push(file);
  }

  /** Takes one that is as the task that is here, if there is any: a file that is applied twice adds nothing twice. */
  takeEqual(here: TaskDefinition): boolean {
    if (this.#byDigest.size === 0) return false;
    const file = this.#byDigest.get(digestOf(here))?.pop();
    return file !== undefined && this.#left.delete(file);
  }

  /** In the order of the file. */
  get left(): Iterable<FileTask> {
    return this.#left;
  }
}
