import { openStarted } from '../credentials/open-installation.ts';
import { readSettings } from '../settings.ts';
import { writeTasks, writeTasksFile } from '../tasks-file/export.ts';
import { jsonOutput } from './output.ts';
import type { CommandContext } from './run-command.ts';

interface ExportOptions {
  /** The path of a file; standard output unless given. */
  to?: string;
}

/** Writes all tasks as JSON. */
export async function exportTasks({ to }: ExportOptions, { releasers, output }: CommandContext): Promise<void> {
  // Messages go to standard error: standard output may be the file.
  const { orm } = await openStarted(readSettings(), releasers, jsonOutput.say, 'read');
  if (to === undefined) return writeTasks(orm.em, process.stdout);
  await writeTasksFile(orm.em, to);
  output.say(`Written to ${to}.`);
}
