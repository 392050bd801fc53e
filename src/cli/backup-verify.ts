// npm run verify-backup -- FILE: whether the file is whole, and what is in it. Needs no database.

import { verifyBackup } from '../backup/read-backup.ts';
import { readFileArgument, runCommand, say } from './run-command.ts';

await runCommand(async () => {
  const path = readFileArgument('verify-backup');
  const { createdAt, version, schemaVersion, postgresql, tables } = await verifyBackup(path);
  for (const { name, rows } of tables) say(`${name}: ${rows} rows`);
  say(
    `${path} is whole: made at ${createdAt} by Slotkeeper ${version} (${schemaVersion}) on PostgreSQL ${postgresql}.`,
  );
});
