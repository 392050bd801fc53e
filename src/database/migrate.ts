import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import type pg from 'pg';
import { codeOf, reasonOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { applyMigrations } from './apply-migrations.ts';
import { connect } from './connect.ts';
import type { Patience } from './lock-patience.ts';
import { notStarted } from './not-started.ts';
import { MIGRATIONS_PATH, MIGRATIONS_TABLE, type Orm } from './orm.ts';

/** The advisory lock under which one process at a time migrates; an arbitrary number. */
const MIGRATION_LOCK = 7_205_759;
/** PostgreSQL's code. */
const INSUFFICIENT_PRIVILEGE = '42501';

/** The names of this version's migrations, in the order of application. */
export async function readMigrationsInCode(): Promise<string[]> {
  const files = (await readdir(MIGRATIONS_PATH)).filter((name) => name.endsWith('.ts'));
  return files.map((name) => basename(name, '.ts')).sort();
}

/** Waits until no other process migrates, and keeps others from migrating until the session ends. */
export async function lockMigrations(client: pg.Client): Promise<void> {
  await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
}

/**
 * Migrates the tables to this version of the code. Processes that start at once wait for each other on an advisory lock
 * in a separate session, which ends with that session even if the process is killed. All pending migrations are one
 * transaction, which lets older processes that still run go first.
 */
export async function migrate(orm: Orm, url: string, patience: Patience): Promise<void> {
  const inCode = await readMigrationsInCode();
  const client = await connect(url);
  try {
    await lockMigrations(client);
    const executed = (await orm.migrator.getExecuted()).map(({ name }) => name);
    refuseNewer(executed, inCode);
    if (executed.length < inCode.length) await applyMigrations(orm, client, patience);
  } catch (error) {
    if (codeOf(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    const { username } = new URL(url);
    throw new OperatorError(
      `The user "${decodeURIComponent(username)}" may not create the tables (${reasonOf(error)}): make this user the owner of the database "${nameOf(url)}".`,
    );
  } finally {
    await client.end();
  }
}

/**
 * Checks, for a command that only reads, that the tables are those of this version. It changes nothing and waits for no
 * lock. Throws an OperatorError that says how to migrate.
 */
export async function requireMigrated(url: string): Promise<void> {
  const inCode = await readMigrationsInCode();
  const executed = await readExecuted(url);
  if (executed.length === 0) {
    throw notStarted(`The database "${nameOf(url)}" holds no installation of Slotkeeper`);
  }
  refuseNewer(executed, inCode);
  const pending = inCode.filter((name) => !executed.includes(name));
  if (pending.length === 0) return;
  throw new OperatorError(
    `The database has the tables of an older version of Slotkeeper (it lacks ${pending.join(', ')}), and this command changes nothing: use the command of that version, or start a process of this version first, which migrates the tables.`,
  );
}

async function readExecuted(url: string): Promise<string[]> {
  const client = await connect(url);
  try {
    const table = await client.query<{ name: string | null }>('select to_regclass($1) as name', [MIGRATIONS_TABLE]);
    if (table.rows[0]?.name === null) return [];
    const { rows } = await client.query<{ name: string }>(`select name from ${MIGRATIONS_TABLE}`);
    return rows.map(({ name }) => name);
  } finally {
    await client.end();
  }
}

function refuseNewer(executed: readonly string[], inCode: readonly string[]): void {
  const unknown = executed.filter((name) => !inCode.includes(name));
  if (unknown.length === 0) return;
  throw new OperatorError(
    `The database was made by a newer version of Slotkeeper (it has ${unknown.join(', ')}): start that version, or restore a backup from before the upgrade.`,
  );
}

function nameOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1));
}
