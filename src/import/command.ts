// npm run import -- --from https://old.example/api/v1/api.php --key KEY: brings the tasks of an old installation and their
// history here. The secret comes from standard input, since a command line can be read by every user of the machine.
import { parseArgs } from 'node:util';
import { runCommand, say } from '../backup/command.ts';
import { openInstallation } from '../credentials/open-installation.ts';
import { readSecretInput } from '../credentials/secret-input.ts';
import { StartupError } from '../database/startup-error.ts';
import { wake } from '../database/wake.ts';
import { readSettings } from '../env.ts';
import { classesOfSettings } from '../runner/tasks/classes-of-settings.ts';
import { applyImport } from './apply.ts';
import { importHistory, tasksWithHistory } from './history.ts';
import { OldServer } from './old-server.ts';
import { type OldTask, readOldTasks } from './old-task.ts';
import { type ImportPlan, planImport } from './plan.ts';
import { showProgress } from './progress.ts';
import { showPlan } from './show.ts';

const USAGE =
  'npm run -s import -- --from https://old.example/api/v1/api.php --key KEY [--dry-run] [--paused] [--no-history] < file-with-the-secret';

function readArguments(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      from: { type: 'string' },
      key: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      paused: { type: 'boolean', default: false },
      history: { type: 'boolean', default: true },
    },
    allowNegative: true,
  });
  const { from, key, paused, history } = values;
  if (from === undefined || key === undefined) throw new StartupError(`Usage: ${USAGE}`);
  return { from, key, paused, hasHistory: history, isDry: values['dry-run'] };
}

await runCommand(async (releasers) => {
  const { from, key, paused, hasHistory, isDry } = readArguments(process.argv.slice(2));
  const settings = readSettings();
  const timeZone = settings.TIME_ZONE;
  const server = new OldServer(from, { key, secret: await readSecretInput(USAGE) });
  releasers.push(() => server.close());
  const { orm, url, vault } = await openInstallation(settings, releasers, say);
  const taskClasses = await classesOfSettings({ settings, databaseUrl: url, vault });

  const tasks = readOldTasks(await server.getTasks(), timeZone);
  const plan = await planImport(orm.em.fork(), tasks);
  const wanted = hasHistory ? await tasksWithHistory(orm.em.fork(), plan) : tasks.filter(isOfNewUser(plan));
  const show = showProgress('history of tasks', wanted.length);
  // Who does not want the history wants the names of the owners, which are told there alone.
  const history = await importHistory(orm.em, server, wanted, {
    timeZone,
    isDry: isDry || !hasHistory,
    onTask: (done, rows) => show(done, `${rows} rows`),
  });
  const options = { timeZone, paused, taskClasses, userNames: history.userNames, from: server.host };
  const ofHistory = `${history.added} rows of their history to add, ${history.rows - history.added} here already`;
  if (isDry) {
    say(showPlan(plan, { ...options, now: new Date() }));
    if (hasHistory) say(ofHistory);
    say('Nothing was stored (--dry-run).');
    return;
  }
  const applied = await applyImport(orm.em, tasks, options);
  // Until then the planner of statements takes the tables for as small as they were.
  await orm.em.fork().getConnection().execute('analyze task, repeat_item, schedule_version, imported_log');
  // Runners arm their alarms anew, and those who follow the log see the tasks.
  await wake(orm.em.fork(), 'slotkeeper_schedule', 'slotkeeper_events');
  say(showPlan(applied, { ...options, now: new Date() }));
  if (hasHistory) say(ofHistory);
  say(paused ? 'Stored, and paused.' : 'Stored.');
});

function isOfNewUser({ newUsers }: ImportPlan) {
  return ({ ownerId }: OldTask) => newUsers.includes(ownerId);
}
