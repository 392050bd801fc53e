import { pino } from 'pino';
import { openInstallation } from '../credentials/open-installation.ts';
import type { EntityManager } from '../database/orm.ts';
import { User } from '../entities/index.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { Jobs } from '../scheduling/jobs.ts';
import { readSettings } from '../settings.ts';
import { classesOfSettings } from '../task-classes/classes-of-settings.ts';
import { KnownClasses } from '../task-classes/known-classes.ts';
import { applyTasks, checkedPlan } from '../tasks-file/apply.ts';
import { refuseConflicts } from '../tasks-file/conflicts.ts';
import { readTasksFile, type TasksFile } from '../tasks-file/file.ts';
import type { TaskPlan } from '../tasks-file/plan.ts';
import { showPlan } from '../tasks-file/show.ts';
import type { CommandContext } from './run-command.ts';

interface ApplyCommandOptions {
  file: string;
  dryRun?: boolean;
  delete?: boolean;
  force?: boolean;
  /** The name of an admin. */
  as?: string;
}

/** Makes the tasks here match the file. */
export async function apply(options: ApplyCommandOptions, { releasers, output }: CommandContext): Promise<void> {
  const { file: from, dryRun = false, delete: remove = false, force = false } = options;
  const settings = readSettings();
  const file = await readTasksFile(from);
  if (remove && !force) refuseEmpty(file, from);
  const { orm, url, vault } = await openInstallation(settings, releasers, output.say, dryRun ? 'read' : 'change');
  const actor = await findActor(orm.em.fork(), options.as);
  const timeZone = settings.TIME_ZONE;
  const taskClasses = new KnownClasses(await classesOfSettings({ settings, databaseUrl: url, vault }));
  const planOptions = { remove, force, taskClasses, timeZone, actor };
  if (dryRun) {
    const { plan } = await checkedPlan(orm.em.fork(), file, planOptions);
    const shown = showPlan(plan, { timeZone, now: new Date() });
    const outcome = plan.conflicts.length > 0 ? '' : '\nNothing was changed (--dry-run).';
    output.result(`${shown}${outcome}`, jsonOf(plan));
    return refuseConflicts(orm.em, plan);
  }
  const jobs = new Jobs(url, pino({ level: 'silent' }), false, settings.LEASE_SECONDS);
  releasers.push(() => jobs.stop());
  await jobs.start();
  const { plan, addedIds } = await applyTasks(orm.em, file, { ...planOptions, jobs, from });
  await refuseConflicts(orm.em, plan);
  const isDone = plan.add.length + plan.change.length + plan.remove.length > 0;
  const outcome = isDone ? 'Applied. Export again before the next change: ids and versions are new.' : 'Nothing to do.';
  const shown = showPlan(plan, { timeZone, now: new Date(), addedIds });
  output.result(`${shown}\n${outcome}`, jsonOf(plan, addedIds));
}

/** The admin of that name, or the first admin. */
async function findActor(em: EntityManager, name: string | undefined): Promise<User> {
  const admins = await em.find(User, { role: 'ADMIN', disabledAt: null }, { orderBy: { id: 'asc' } });
  const actor = name === undefined ? admins[0] : admins.find((admin) => admin.name === name);
  if (actor !== undefined) return actor;
  const names = admins.map((admin) => JSON.stringify(admin.name)).join(', ');
  throw new OperatorError(`--as must be the name of an admin (${names}), got ${JSON.stringify(name)}.`);
}

/** An export of the wrong, empty database is such a file, and would delete every task here. */
function refuseEmpty({ tasks, faults }: TasksFile, from: string): void {
  if (tasks.length + faults.length > 0) return;
  throw new OperatorError(`${from} has no tasks, so --delete would delete every task here: add --force to do that.`);
}

/** The plan for scripts. A task to add has an id if the file or the database gave it one. */
function jsonOf({ add, change, remove, left, same, conflicts }: TaskPlan, addedIds: readonly number[] = []) {
  return {
    add: add.map(({ id, name }, index) => ({ id: addedIds[index] ?? id, name })),
    change: change.map(({ here, fields }) => ({ id: here.id, name: here.definition.name, fields })),
    delete: remove.map(({ id, name }) => ({ id, name })),
    leftAlone: left.map(({ id, name }) => ({ id, name })),
    same,
    conflicts: conflicts.map(({ file, here }) => ({ id: file.id, name: file.name, isDeletedHere: here === null })),
  };
}
