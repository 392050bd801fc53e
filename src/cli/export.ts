// npm run -s export > tasks.json: all tasks as JSON, for git.
import { parseArgs } from 'node:util';
import { openStarted } from '../credentials/open-installation.ts';
import { readSettings } from '../env.ts';
import { writeTasks, writeTasksFile } from '../tasks-file/export.ts';
import { runCommand, say } from './run-command.ts';

await runCommand(async (releasers) => {
  const { values } = parseArgs({ options: { to: { type: 'string' } } });
  // What it has to say does not belong into the file.
  const { orm } = await openStarted(readSettings(), releasers, (text) => process.stderr.write(`${text}\n`), 'read');
  if (values.to === undefined) return writeTasks(orm.em, process.stdout);
  await writeTasksFile(orm.em, values.to);
  say(`Written to ${values.to}.`);
});
