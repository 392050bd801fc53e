import { verifyBackup } from '../backup/read-backup.ts';
import type { CommandContext } from './run-command.ts';

interface VerifyOptions {
  file: string;
}

/** Checks that a backup is intact, and lists its tables. */
export async function verify({ file }: VerifyOptions, { output }: CommandContext): Promise<void> {
  const { createdAt, version, schemaVersion, postgresql, installation, tables } = await verifyBackup(file);
  const lines = [
    ...tables.map(({ name, rows }) => `${name}: ${rows} rows`),
    `${file} is intact: made at ${createdAt} by Slotkeeper ${version} (${schemaVersion}) on PostgreSQL ${postgresql}.`,
  ];
  const counts = tables.map(({ name, rows }) => ({ name, rows }));
  output.result(lines.join('\n'), {
    file,
    createdAt,
    version,
    schemaVersion,
    postgresql,
    installation,
    tables: counts,
  });
}
