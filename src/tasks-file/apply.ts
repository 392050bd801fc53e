import { basename } from 'node:path';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { recordAudit } from '../credentials/audit.ts';
import { lockUsers } from '../credentials/users.ts';
import { moveSequence } from '../database/sequence.ts';
import { inTransaction } from '../database/transaction.ts';
import { wake } from '../database/wake.ts';
import type { User } from '../entities/index.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Jobs } from '../scheduling/jobs.ts';
import type { KnownClasses } from '../task-classes/known-classes.ts';
import type { Actor } from '../tasks/actor.ts';
import { addTask } from '../tasks/add-task.ts';
import { deleteTask } from '../tasks/delete-task.ts';
import { type TaskChanges, updateTask } from '../tasks/update-task.ts';
import { findPlanFaults } from './faults.ts';
import { type FileTask, refuseFaults, type TasksFile } from './file.ts';
import { FileClasses } from './file-classes.ts';
import { type PlannedChange, type PlanOptions, planTasks, type TaskPlan } from './plan.ts';

interface CheckOptions extends PlanOptions {
  taskClasses: KnownClasses;
  /** The time zone of new tasks that name none. */
  timeZone: string;
  /** The acting user, and the owner of new tasks that name none. */
  actor: User;
}

interface ApplyOptions extends CheckOptions {
  jobs: Jobs;
  /** The path of the file. */
  from: string;
}

export interface Applied {
  plan: TaskPlan;
  /** The ids of the added tasks, in their order. */
  addedIds: number[];
}

const ATTEMPTS = 5;

/** A task was changed between the plan and the locks. */
class ChangedMeanwhile extends Error {}

/** The plan, if it can be applied; otherwise an OperatorError with all obstacles. */
export async function checkedPlan(em: EntityManager, file: TasksFile, options: CheckOptions) {
  const { taskClasses, timeZone, actor, ...planOptions } = options;
  const classes = new FileClasses(em, taskClasses);
  const plan = await planTasks(em, file, { ...planOptions, classes, defaults: { timeZone, owner: actor.name } });
  const faults = [...file.faults];
  const owners = await findPlanFaults(em, plan, { classes, timeZone }, faults);
  refuseFaults(faults);
  return { plan, owners };
}

/**
 * Makes the tasks here those of the file, in one transaction and by the same rules as the mutations: if it is killed it
 * has done nothing. The plan is made in that transaction, and again if another transaction was faster. A plan with
 * conflicts is returned without being applied.
 */
export async function applyTasks(em: EntityManager, file: TasksFile, options: ApplyOptions): Promise<Applied> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    try {
      return await inTransaction(em, (transaction) => applyIn(transaction, file, options));
    } catch (error) {
      if (!(error instanceof ChangedMeanwhile)) throw error;
    }
  }
  throw new OperatorError('Others change these tasks all the time; nothing was changed. Try again.');
}

async function applyIn(em: EntityManager, file: TasksFile, options: ApplyOptions): Promise<Applied> {
  // Names of users stay, and imports and those who apply a file at the same time wait for each other.
  await lockUsers(em);
  const { plan, owners } = await checkedPlan(em, file, options);
  if (plan.conflicts.length > 0) return { plan, addedIds: [] };
  await lockUnchanged(em, plan);
  const { actor: viewer, jobs, taskClasses, timeZone } = options;
  const actor: Actor = { viewer, jobs, taskClasses, timeZone };
  const changes = [...plan.change.map((change) => ({ id: change.here.id, change })), ...plan.remove];
  for (const each of changes.toSorted((left, right) => left.id - right.id)) {
    if ('change' in each) await updateTask(actor, em, each.id, changesOf(each.change, owners));
    else await deleteTask(actor, em, each.id);
    // Or the next flush would look at the tasks of all before.
    em.clear();
  }
  const addedIds = await addTasks(actor, em, plan.add, owners);
  await record(em, plan, options);
  return { plan, addedIds };
}

/** Locks in the order of ids, as all do. */
async function lockUnchanged(em: EntityManager, { change, remove }: TaskPlan): Promise<void> {
  const versions = new Map([...change.map(({ here }) => here), ...remove].map(({ id, version }) => [id, version]));
  const { rows } = await sql<{ id: number; version: number }>`
    select id, version from task where id = any(${[...versions.keys()]}::int[]) order by id for no key update
  `.execute(em.getKysely());
  if (rows.some(({ id, version }) => versions.get(id) !== version)) throw new ChangedMeanwhile();
}

function changesOf({ wanted, fields }: PlannedChange, owners: ReadonlyMap<string, number>): TaskChanges {
  const changed = fields.map((field): TaskChanges => {
    if (field === 'owner') return { ownerId: owners.get(wanted.owner) };
    return field === 'data' ? { dataText: wanted.data } : { [field]: wanted[field] };
  });
  return Object.assign({}, ...changed);
}

async function addTasks(
  actor: Actor,
  em: EntityManager,
  tasks: readonly FileTask[],
  owners: ReadonlyMap<string, number>,
): Promise<number[]> {
  const highest = tasks.reduce((most, { id }) => Math.max(most, id ?? 0), 0);
  // First, so that nobody is given one of these ids meanwhile.
  if (highest > 0) await moveSequence(em, 'task', highest);
  const ids: number[] = [];
  for (const task of tasks) {
    const { id, version, name, className, active = true, timeZone, data = null, policy } = task;
    const given = {
      name,
      className,
      active,
      repeatItems: task.repeatItems ?? [],
      timeZone,
      ownerId: task.owner === undefined ? undefined : owners.get(task.owner),
      policy,
      dataText: data,
    };
    ids.push(await addTask(actor, em, given, id === undefined ? {} : { id, version: version ?? 1 }));
  }
  return ids;
}

async function record(em: EntityManager, plan: TaskPlan, { actor, from, force }: ApplyOptions): Promise<void> {
  const { add, change, remove } = plan;
  const counts = { added: add.length, changed: change.length, deleted: remove.length, force };
  if (add.length + change.length + remove.length === 0) return;
  await recordAudit(
    em,
    { actorId: actor.id, apiKey: null, origin: 'npm run apply' },
    { action: 'apply', target: basename(from), change: counts },
  );
  // Delivered with the commit.
  await wake(em, 'slotkeeper_schedule', 'slotkeeper_events', 'slotkeeper_jobs');
}
