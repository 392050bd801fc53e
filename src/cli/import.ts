import { openInstallation } from '../credentials/open-installation.ts';
import type { EntityManager } from '../database/orm.ts';
import { wake } from '../database/wake.ts';
import { applyImport } from '../import/apply.ts';
import { findClassFaults } from '../import/class-faults.ts';
import { importHistory } from '../import/history.ts';
import { chooseHistory } from '../import/history-choice.ts';
import { OldServer } from '../import/old-server.ts';
import { readOldTasks } from '../import/old-task.ts';
import { type ImportPlan, planImport } from '../import/plan.ts';
import { type ShowOptions, showPlan } from '../import/show.ts';
import { readOwnerNames } from '../import/user-names.ts';
import { readSettings } from '../settings.ts';
import { classesOfSettings } from '../task-classes/classes-of-settings.ts';
import { KnownClasses } from '../task-classes/known-classes.ts';
import { showProgress } from './progress.ts';
import type { CommandContext } from './run-command.ts';
import { readSecretInput } from './secret-input.ts';

interface ImportCommandOptions {
  /** The URL of the old api.php. */
  from: string;
  key: string;
  dryRun?: boolean;
  paused?: boolean;
  history: boolean;
}

/** Imports the tasks of an old installation and their history. */
export async function importTasks(options: ImportCommandOptions, { releasers, output }: CommandContext): Promise<void> {
  const { from, key, paused = false, dryRun: isDry = false } = options;
  const { say } = output;
  const settings = readSettings();
  const timeZone = settings.TIME_ZONE;
  const server = new OldServer(from, { key, secret: await readSecretInput() });
  releasers.push(() => server.close());
  const { orm, url, vault } = await openInstallation(settings, releasers, say, isDry ? 'read' : 'change');
  const taskClasses = await classesOfSettings({ settings, databaseUrl: url, vault });

  const tasks = readOldTasks(await server.getTasks(), timeZone);
  const plan = await planImport(orm.em.fork(), tasks);
  const classFaults = await findClassFaults(orm.em.fork(), tasks, new KnownClasses(taskClasses));
  const read = options.history ? readHistory : readNames;
  const { lines, ...history } = await read(orm.em, server, plan, { timeZone, isDry, say });
  const report = (reported: ImportPlan, outcome: string) => {
    const shown = { timeZone, classFaults, ...history, now: new Date() };
    output.result([showPlan(reported, shown), ...lines, outcome].join('\n'), jsonOf(reported, shown));
  };
  if (isDry) return report(plan, 'Nothing was stored (--dry-run).');
  const { userNames } = history;
  const applied = await applyImport(orm.em, tasks, { timeZone, paused, taskClasses, userNames, from: server.host });
  // Without it, PostgreSQL's query planner would still assume that the tables are as small as they were.
  await orm.em.fork().getConnection().execute('analyze task, repeat_item, schedule_version, imported_log');
  // Runners set their alarms again, and clients that follow the log see the tasks.
  await wake(orm.em.fork(), 'slotkeeper_schedule', 'slotkeeper_events');
  report(applied, paused ? 'Stored, and paused.' : 'Stored.');
}

interface ReadOptions {
  timeZone: string;
  isDry: boolean;
  say(text: string): void;
}

/** What the output reports about the histories. */
interface ReadHistory {
  userNames: Map<number, string>;
  historyLeft: Map<number, string>;
  /** How many rows are new here, and how many were here before; null with --no-history. */
  rows: { added: number; present: number } | null;
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
  });
  const lines = [`${added} rows of their history to add, ${rows - added} here already`];
  if (repeated > 0) {
    lines.push(
      `? rows whose log_id their task here already has: ${repeated}; clients that use log_id as a key see only one of the two`,
    );
  }
  return { userNames, historyLeft, rows: { added, present: rows - added }, lines };
}

/** Without the history, the names of the owners are still needed, and only the history has them. */
async function readNames(_em: EntityManager, server: OldServer, { tasks, newUsers }: ImportPlan): Promise<ReadHistory> {
  const newcomers = new Set(newUsers);
  const wanted = tasks.map(({ task }) => task).filter(({ ownerId }) => newcomers.has(ownerId));
  const show = showProgress('names of owners, from the history of tasks', wanted.length);
  const { names, faults } = await readOwnerNames(server, wanted, (done, found) => show(done, `${found} names`));
  return { userNames: names, historyLeft: new Map(), rows: null, lines: faults };
}

/** The plan for scripts. */
function jsonOf({ tasks, newUsers }: ImportPlan, options: ShowOptions & Pick<ReadHistory, 'rows'>) {
  const { classFaults, userNames, historyLeft, rows } = options;
  return {
    newUsers: newUsers.map((id) => ({ id, name: userNames.get(id) ?? null })),
    tasks: tasks.map(({ task: { id, name, className }, verdict, differences }) => ({
      id,
      name,
      className,
      verdict,
      differences,
      historyLeft: historyLeft.get(id) ?? null,
      dataFault: classFaults.ofData.get(id) ?? null,
    })),
    unknownClasses: [...classFaults.unknown],
    history: rows,
  };
}
