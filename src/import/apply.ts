import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { recordAudit } from '../credentials/audit.ts';
import { insertUser, lockUsers } from '../credentials/users.ts';
import { readClock } from '../database/clock.ts';
import { moveSequence } from '../database/sequence.ts';
import { inTransaction } from '../database/transaction.ts';
import { appendEvents } from '../events/log.ts';
import { codeOf } from '../lib/describe-error.ts';
import type { TaskClasses } from '../task-classes/registry.ts';
import { insertTask } from '../tasks/insert-task.ts';
import { policyOfClass } from '../tasks/policy.ts';
import type { OldTask } from './old-task.ts';
import { type ImportPlan, planImport } from './plan.ts';

interface ImportOptions {
  /** The zone of the old server's clock, and of the tasks. */
  timeZone: string;
  /** Adds all tasks paused, also those that were active. */
  paused: boolean;
  taskClasses: TaskClasses;
  /** The names of owners that are not here yet, as far as they are known. */
  userNames: ReadonlyMap<number, string>;
  /** For the record. */
  from: string;
}

const ATTEMPTS = 5;
/** PostgreSQL's code. */
const UNIQUE_VIOLATION = '23505';

/**
 * Adds the missing tasks, with their ids and their owners, in one transaction: if it is killed it has done nothing, and
 * repeating it does what is left. The work is determined in the transaction, under the lock that excludes other imports
 * and changes of users; and again if another transaction took an id in the meantime.
 */
export async function applyImport(
  em: EntityManager,
  tasks: readonly OldTask[],
  options: ImportOptions,
): Promise<ImportPlan> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTransaction(em, (transaction) => applyIn(transaction, tasks, options));
    } catch (error) {
      if (attempt === ATTEMPTS || codeOf(error) !== UNIQUE_VIOLATION) throw error;
    }
  }
}

async function applyIn(em: EntityManager, tasks: readonly OldTask[], options: ImportOptions): Promise<ImportPlan> {
  await lockUsers(em);
  // First, so that from now on nobody else is given one of these ids, neither who adds a task meanwhile nor an item of ours
  // that has to have a new one.
  await moveSequence(em, 'task', highest(tasks.map(({ id }) => id)));
  await moveSequence(em, 'repeat_item', highest(tasks.flatMap(({ itemIds }) => itemIds)));
  const plan = await planImport(em, tasks);
  for (const id of plan.newUsers) await addUser(em, id, options.userNames.get(id));
  const added = plan.tasks.filter(({ verdict }) => verdict === 'ADD').map(({ task }) => task);
  const now = await readClock(em);
  for (const task of added) await addTask(em, task, now, options);
  await appendEvents(
    em,
    added.map(({ id, name, ownerId }) => ({ type: 'TASK_ADDED', taskId: id, taskName: name, actorId: ownerId })),
  );
  if (added.length + plan.newUsers.length > 0) {
    await recordAudit(
      em,
      { actorId: null, apiKey: null, origin: 'npm run import' },
      { action: 'import', target: options.from, change: { tasks: added.length, users: plan.newUsers } },
    );
  }
  return plan;
}

const highest = (ids: readonly number[]) => ids.reduce((most, id) => Math.max(most, id), 0);

async function addUser(em: EntityManager, id: number, name: string | undefined): Promise<void> {
  const names = [
    ...(name === undefined ? [] : [name, `${name} (${id})`]),
    `user ${id}`,
    `user ${id} of the old server`,
  ];
  for (const each of names) {
    if ((await insertUser(em, { legacyId: id, name: each, role: 'OPERATOR' })) !== null) return;
  }
  throw new Error(`no name is free for user ${id}`);
}

async function addTask(em: EntityManager, task: OldTask, now: Date, options: ImportOptions): Promise<void> {
  const { timeZone, paused, taskClasses } = options;
  const { id, name, className, data, ownerId, rules } = task;
  const policy = policyOfClass(taskClasses.named(className)?.defaults ?? {});
  const active = task.active && !paused;
  const itemIds = await freeItemIds(em, task);
  const checked = { name, className, data, active, ownerId, timeZone, rules, policy };
  await insertTask(em, checked, now, { id, itemIds });
  if (task.lastRun !== null) {
    await sql`
      update task set last_run_at = ${task.lastRun}::timestamp at time zone ${timeZone} where id = ${task.id}
    `.execute(em.getKysely());
  }
}

/** The old ids of the items if all are free; otherwise null, and the items get new ids. */
async function freeItemIds(em: EntityManager, { rules, itemIds }: OldTask): Promise<number[] | null> {
  if (itemIds.length !== rules.length || new Set(itemIds).size < itemIds.length) return null;
  const { rows } = await sql`select from repeat_item where id = any(${itemIds}::int[]) limit 1`.execute(em.getKysely());
  return rows.length === 0 ? itemIds : null;
}
