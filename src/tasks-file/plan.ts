import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { readInstallation } from '../backup/installation.ts';
import { readRows } from '../database/rows.ts';
import { type DefinitionField, fieldsThatDiffer, type StoredTask, type TaskDefinition } from './definition.ts';
import type { FileTask, TasksFile } from './file.ts';
import type { FileClasses } from './file-classes.ts';
import { definitionOfNew, type NewTaskDefaults, NewTasks } from './new-tasks.ts';
import { readStoredTasks } from './stored-tasks.ts';

export interface PlanOptions {
  /** Deletes what is not in the file; otherwise it is left alone. */
  remove: boolean;
  /** Overwrites what somebody changed since the export. */
  force: boolean;
}

interface NewTaskOptions {
  classes: FileClasses;
  defaults: NewTaskDefaults;
}

export interface PlannedChange {
  file: FileTask;
  here: StoredTask;
  /** The task as the file wants it. */
  wanted: TaskDefinition;
  fields: DefinitionField[];
}

export interface Conflict {
  file: FileTask;
  /** Null where the task of the id was deleted here. Of a file from elsewhere, it may be quite another task. */
  here: StoredTask | null;
}

type Named = Pick<StoredTask, 'id' | 'version'> & { name: string };

/** What is to be done so that the tasks here are those of the file. */
export interface TaskPlan {
  /** Whether another installation exported the file: its ids and versions say nothing of the tasks here. */
  isForeign: boolean;
  add: FileTask[];
  change: PlannedChange[];
  remove: Named[];
  /** Here, and not in the file. */
  left: Named[];
  /** How many are as the file has them. */
  same: number;
  conflicts: Conflict[];
}

/** Nothing is changed, and nothing locked. */
export async function planTasks(
  em: EntityManager,
  { tasks, installation }: TasksFile,
  { remove, force, classes, defaults }: PlanOptions & NewTaskOptions,
): Promise<TaskPlan> {
  const isForeign = installation !== undefined && installation !== (await readInstallation(em)).uuid;
  const plan: TaskPlan = { isForeign, add: [], change: [], remove: [], left: [], same: 0, conflicts: [] };
  const known = new Map<number, FileTask>();
  const fresh = new NewTasks();
  for (const task of tasks) {
    if (task.id !== undefined) known.set(task.id, task);
    else {
      const found = await classes.named(task.className);
      fresh.add(task, found && definitionOfNew(task, found, defaults));
    }
  }
  for await (const here of readStoredTasks(readRows(em))) {
    const file = known.get(here.id);
    known.delete(here.id);
    if (file !== undefined) planChange(plan, file, here, force);
    else if (fresh.takeEqual(here.definition)) plan.same += 1;
    else (remove ? plan.remove : plan.left).push({ id: here.id, version: here.version, name: here.definition.name });
  }
  const deleted = await findExisting(em, [...known.keys()]);
  for (const [id, file] of known) {
    if (deleted.has(id)) plan.conflicts.push({ file, here: null });
    else plan.add.push(file);
  }
  for (const file of fresh.left) plan.add.push(file);
  return plan;
}

function planChange(plan: TaskPlan, file: FileTask, here: StoredTask, force: boolean): void {
  const wanted = wantedOf(here.definition, file);
  const fields = fieldsThatDiffer(here.definition, wanted);
  if (fields.length === 0) plan.same += 1;
  else if (force || (file.version === here.version && !plan.isForeign))
    plan.change.push({ file, here, wanted, fields });
  else plan.conflicts.push({ file, here });
}

/** The file's word, and where it has none, what is here. */
function wantedOf(here: TaskDefinition, { policy, ...file }: FileTask): TaskDefinition {
  return {
    name: file.name,
    className: file.className,
    active: file.active ?? here.active,
    owner: file.owner ?? here.owner,
    timeZone: file.timeZone ?? here.timeZone,
    repeatItems: file.repeatItems ?? here.repeatItems,
    policy: { ...here.policy, ...policy, retry: { ...here.policy.retry, ...policy?.retry } },
    data: file.data === undefined ? here.data : file.data,
  };
}

/** Those ids that a task has or had. */
async function findExisting(em: EntityManager, ids: readonly number[]): Promise<Set<number>> {
  if (ids.length === 0) return new Set();
  const { rows } = await sql<{ id: number }>`select id from task where id = any(${ids}::int[])`.execute(em.getKysely());
  return new Set(rows.map(({ id }) => id));
}
