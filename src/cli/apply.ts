// npm run -s apply -- tasks.json [--dry-run]: makes the tasks here those of the file.
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { openInstallation } from '../credentials/open-installation.ts';
import type { EntityManager } from '../database/orm.ts';
import { User } from '../entities/index.ts';
import { readSettings } from '../env.ts';
import { reasonOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { Jobs } from '../runner/jobs.ts';
import { classesOfSettings } from '../runner/tasks/classes-of-settings.ts';
import { KnownClasses } from '../runner/tasks/known-classes.ts';
import { applyTasks, checkedPlan } from '../tasks-file/apply.ts';
import { refuseConflicts } from '../tasks-file/conflicts.ts';
import { readTasksFile, type TasksFile } from '../tasks-file/file.ts';
import { showPlan } from '../tasks-file/show.ts';
import { runCommand, say } from './run-command.ts';

const USAGE = 'npm run -s apply -- tasks.json [--dry-run] [--delete] [--force] [--as ADMIN]';

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        'dry-run': { type: 'boolean', default: false },
        delete: { type: 'boolean', default: false },
        force: { type: 'boolean', default: false },
        as: { type: 'string' },
      },
    });
    const [from, ...others] = positionals;
    if (from === undefined || others.length > 0) throw new Error('accepted is the name of one file');
    return { from, isDry: values['dry-run'], remove: values.delete, force: values.force, actorName: values.as };
  } catch (error) {
    throw new OperatorError(`${reasonOf(error)}\nUsage: ${USAGE}`);
  }
}

/** The admin of the name, or the first one. */
async function findActor(em: EntityManager, name: string | undefined): Promise<User> {
  const admins = await em.find(User, { role: 'ADMIN', disabledAt: null }, { orderBy: { id: 'asc' } });
  const actor = name === undefined ? admins[0] : admins.find((admin) => admin.name === name);
  if (actor !== undefined) return actor;
  const names = admins.map((admin) => JSON.stringify(admin.name)).join(', ');
  throw new OperatorError(`--as is ${JSON.stringify(name)}; accepted is the name of an admin: ${names}.`);
}

/** An export of the wrong database is such a file, and with it would go every task here. */
function refuseEmpty({ tasks, faults }: TasksFile, from: string): void {
  if (tasks.length + faults.length > 0) return;
  throw new OperatorError(`${from} has no tasks, and --delete would delete every task here; --force does that.`);
}

await runCommand(async (releasers) => {
  const { from, isDry, actorName, remove, force } = readArguments();
  const settings = readSettings();
  const file = await readTasksFile(from);
  if (remove && !force) refuseEmpty(file, from);
  const { orm, url, vault } = await openInstallation(settings, releasers, say, isDry ? 'read' : 'change');
  const actor = await findActor(orm.em.fork(), actorName);
  const timeZone = settings.TIME_ZONE;
  const taskClasses = new KnownClasses(await classesOfSettings({ settings, databaseUrl: url, vault }));
  const options = { remove, force, taskClasses, timeZone, actor };
  if (isDry) {
    const { plan } = await checkedPlan(orm.em.fork(), file, options);
    say(showPlan(plan, { timeZone, now: new Date() }));
    await refuseConflicts(orm.em, plan);
    say('Nothing was changed (--dry-run).');
    return;
  }
  const jobs = new Jobs(url, pino({ level: 'silent' }), false, settings.LEASE_SECONDS);
  releasers.push(() => jobs.stop());
  await jobs.start();
  const { plan, addedIds } = await applyTasks(orm.em, file, { ...options, jobs, from });
  await refuseConflicts(orm.em, plan);
  say(showPlan(plan, { timeZone, now: new Date(), addedIds }));
  const isDone = plan.add.length + plan.change.length + plan.remove.length > 0;
  say(isDone ? 'Applied. Export again before the next change: ids and versions are new.' : 'Nothing to do.');
});
