import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import type pg from 'pg';
import { applyMigrations } from './apply-migrations.ts';
import { connect } from './connect.ts';
import type { Patience } from './lock-patience.ts';
import { MIGRATIONS_PATH, type Orm } from './orm.ts';
import { codeOf, reasonOf, StartupError } from './startup-error.ts';

/** An arbitrary constant: the advisory lock under which one process at a time migrates. */
const MIGRATION_LOCK = 7_205_759;
/** PostgreSQL's code. */
const INSUFFICIENT_PRIVILEGE = '42501';

/** The names of this version's migrations, in the order in which they are applied. */
export async function readMigrationsInCode(): Promise<string[]> {
  const files = (await readdir(MIGRATIONS_PATH)).filter((name) => name.endsWith('.ts'));
  return files.map((name) => basename(name, '.ts')).sort();
}

/** Waits until nobody else migrates, and keeps others from it until the session ends. */
export async function lockMigrations(client: pg.Client): Promise<void> {
  await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
}

/**
 * Brings the tables up to this version of the code. Processes that start at once wait for each other on an advisory
 * lock of a session of its own, which ends with that session even if the process is killed; all that is pending is one
 * transaction, which gives way to older processes that are still up.
 */
export async function migrate(orm: Orm, url: string, patience: Patience): Promise<void> {
  const inCode = new Set(await readMigrationsInCode());
  const client = await connect(url);
  try {
    await lockMigrations(client);
    const executed = (await orm.migrator.getExecuted()).map(({ name }) => name);
    const unknown = executed.filter((name) => !inCode.has(name));
    if (unknown.length > 0) {
      throw new StartupError(
        `The database was made by a newer version of Slotkeeper (it has ${unknown.join(', ')}): start that version, or restore a backup from before.`,
      );
    }
    if (executed.length < inCode.size) await applyMigrations(orm, client, patience);
  } catch (error) {
    if (codeOf(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    const { username, pathname } = new URL(url);
    throw new StartupError(
      `The user "${decodeURIComponent(username)}" may not make the tables (${reasonOf(error)}): make them the owner of the database "${decodeURIComponent(pathname.slice(1))}".`,
    );
  } finally {
    await client.end();
  }
}
