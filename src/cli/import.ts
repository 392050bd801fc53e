// npm run import -- --from https://old.example/api/v1/api.php --key KEY: brings the tasks of an old installation and their
// history here. The secret comes from standard input, since a command line can be read by every user of the machine.
import { parseArgs } from 'node:util';
import { openInstallation } from '../credentials/open-installation.ts';
import type { EntityManager } from '../database/orm.ts';
import { wake } from '../database/wake.ts';
import { readSettings } from '../env.ts';
import { applyImport } from '../import/apply.ts';
import { findClassFaults } from '../import/class-faults.ts';
import { importHistory } from '../import/history.ts';
import { chooseHistory } from '../import/history-choice.ts';
import { OldServer } from '../import/old-server.ts';
import { readOldTasks } from '../import/old-task.ts';
import { type ImportPlan, planImport } from '../import/plan.ts';
import { showPlan } from '../import/show.ts';
import { readOwnerNames } from '../import/user-names.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { classesOfSettings } from '../runner/tasks/classes-of-settings.ts';
import { KnownClasses } from '../runner/tasks/known-classes.ts';
import { showProgress } from './progress.ts';
import { runCommand, say } from './run-command.ts';
import { readSecretInput } from './secret-input.ts';

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
  if (from === undefined || key === undefined) throw new OperatorError(`Usage: ${USAGE}`);
  return { from, key, paused, hasHistory: history, isDry: values['dry-run'] };
}

await runCommand(async (releasers) => {
  const { from, key, paused, hasHistory, isDry } = readArguments(process.argv.slice(2));
  const settings = readSettings();
  const timeZone = settings.TIME_ZONE;
  const server = new OldServer(from, { key, secret: await readSecretInput(USAGE) });
  releasers.push(() => server.close());
  const { orm, url, vault } = await openInstallation(settings, releasers, say, isDry ? 'read' : 'change');
  const taskClasses = await classesOfSettings({ settings, databaseUrl: url, vault });

  const tasks = readOldTasks(await server.getTasks(), timeZone);
  const plan = await planImport(orm.em.fork(), tasks);
  const classFaults = await findClassFaults(orm.em.fork(), tasks, new KnownClasses(taskClasses));
  const read = hasHistory ? readHistory : readNames;
  const { userNames, historyLeft, lines } = await read(orm.em, server, plan, { timeZone, isDry });
  const shown = { timeZone, classFaults, userNames, historyLeft };
  if (isDry) {
    say([showPlan(plan, { ...shown, now: new Date() }), ...lines].join('\n'));
    say('Nothing was stored (--dry-run).');
    return;
  }
  const applied = await applyImport(orm.em, tasks, { timeZone, paused, taskClasses, userNames, from: server.host });
  // Until then the planner of statements takes the tables for as small as they were.
  await orm.em.fork().getConnection().execute('analyze task, repeat_item, schedule_version, imported_log');
  // Runners arm their alarms anew, and those who follow the log see the tasks.
  await wake(orm.em.fork(), 'slotkeeper_schedule', 'slotkeeper_events');
  say([showPlan(applied, { ...shown, now: new Date() }), ...lines].join('\n'));
  say(paused ? 'Stored, and paused.' : 'Stored.');
});

interface ReadOptions {
  timeZone: string;
  isDry: boolean;
}

/** What of the histories is to be told. */
interface ReadHistory {
  userNames: Map<number, string>;
  historyLeft: Map<number, string>;
  lines: string[];
}

async function readHistory(
  em: EntityManager,
  server: OldServer,
  plan: ImportPlan,
  options: ReadOptions,
): Promise<ReadHistory> {
  const { wanted, left: historyLeft } = await chooseHistory(em.fork(), plan);
  const show = showProgress('history of tasks', wanted.length);
  const { rows, added, repeated, userNames } = await importHistory(em, server, wanted, {
    ...options,
    onTask: (done, sum) => show(done, `${sum} rows`),
    say,
  });
  const lines = [`${added} rows of their history to add, ${rows - added} here already`];
  if (repeated > 0) {
    lines.push(
      `? rows whose log_id something that happened to their task here has as well: ${repeated}; whoever tells rows apart by it sees one of two`,
    );
  }
  return { userNames, historyLeft, lines };
}

/** Who does not want the history wants the names of the owners, which are told there alone. */
async function readNames(_em: EntityManager, server: OldServer, { tasks, newUsers }: ImportPlan): Promise<ReadHistory> {
  const newcomers = new Set(newUsers);
  const wanted = tasks.map(({ task }) => task).filter(({ ownerId }) => newcomers.has(ownerId));
  const show = showProgress('names of owners, from the history of tasks', wanted.length);
  const { names, faults } = await readOwnerNames(server, wanted, (done, found) => show(done, `${found} names`));
  return { userNames: names, historyLeft: new Map(), lines: faults };
}
