import { openStarted } from '../credentials/open-installation.ts';
import { readSettings } from '../settings.ts';
import { writeTasks, writeTasksFile } from '../tasks-file/export.ts';
import { jsonOutput } from './output.ts';
import type { CommandContext } from './run-command.ts';

interface ExportOptions {
  /** The path of a file; standard output where there is none. */
  to?: string;
}

/** Writes all tasks as JSON. */
export async function exportTasks({ to }: ExportOptions, { releasers, output }: CommandContext): Promise<void> {
  // What it says meanwhile does not belong into the file.
  const { orm } = await openStarted(readSettings(), releasers, jsonOutput.say, 'read');
  if (to === undefined) return writeTasks(orm.em, process.stdout);
  await writeTasksFile(orm.em, to);
  output.say(`Written to ${to}.`);
}
