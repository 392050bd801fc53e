// npm run import -- --from https://old.example/api/v1/api.php --key KEY: brings the tasks of an old installation here. The
// secret comes from standard input, since a command line can be read by every user of the machine.
import { parseArgs } from 'node:util';
import { runCommand, say } from '../backup/command.ts';
import { openInstallation } from '../credentials/open-installation.ts';
import { readSecretInput } from '../credentials/secret-input.ts';
import { StartupError } from '../database/startup-error.ts';
import { wake } from '../database/wake.ts';
import { readSettings } from '../env.ts';
import { classesOfSettings } from '../runner/tasks/classes-of-settings.ts';
import { applyImport } from './apply.ts';
import { OldServer } from './old-server.ts';
import { type OldTask, readOldTasks } from './old-task.ts';
import { planImport } from './plan.ts';
import { showPlan } from './show.ts';

const USAGE =
  'npm run -s import -- --from https://old.example/api/v1/api.php --key KEY [--dry-run] [--paused] < file-with-the-secret';

function readArguments(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      from: { type: 'string' },
      key: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      paused: { type: 'boolean', default: false },
    },
  });
  const { from, key, paused } = values;
  if (from === undefined || key === undefined) throw new StartupError(`Usage: ${USAGE}`);
  return { from, key, paused, isDry: values['dry-run'] };
}

await runCommand(async (releasers) => {
  const { from, key, paused, isDry } = readArguments(process.argv.slice(2));
  const settings = readSettings();
  const timeZone = settings.TIME_ZONE;
  const server = new OldServer(from, { key, secret: await readSecretInput(USAGE) });
  releasers.push(() => server.close());
  const { orm, url, vault } = await openInstallation(settings, releasers, say);
  const taskClasses = await classesOfSettings({ settings, databaseUrl: url, vault });

  const tasks = readOldTasks(await server.getTasks(), timeZone);
  const plan = await planImport(orm.em.fork(), tasks);
  const userNames = await findNames(server, tasks, plan.newUsers);
  const options = { timeZone, paused, taskClasses, userNames, from: server.host };
  if (isDry) {
    say(showPlan(plan, { ...options, now: new Date() }));
    say('Nothing was stored (--dry-run).');
    return;
  }
  const applied = await applyImport(orm.em, tasks, options);
  // Runners arm their alarms anew, and those who follow the log see the tasks.
  await wake(orm.em.fork(), 'slotkeeper_schedule', 'slotkeeper_events');
  say(showPlan(applied, { ...options, now: new Date() }));
  say(paused ? 'Stored, and paused.' : 'Stored.');
});

/** The names of users, which the old server tells in the history of their tasks alone. */
async function findNames(server: OldServer, tasks: readonly OldTask[], userIds: readonly number[]) {
  const names = new Map<number, string>();
  for (const task of tasks) {
    const wanted = userIds.filter((id) => !names.has(id));
    if (wanted.length === 0) break;
    if (!wanted.includes(task.ownerId)) continue;
    for (const row of await server.getTaskHistory(task.id)) {
      const [id, name] = [Number(row.get('user_id')), row.get('username')];
      if (wanted.includes(id) && typeof name === 'string' && name !== '' && name.length <= 255) names.set(id, name);
    }
  }
  return names;
}
