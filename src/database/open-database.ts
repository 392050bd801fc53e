import type { Releasers } from '../lib/releasers.ts';
import { type DatabaseSettings, findDatabase } from './find-database.ts';
import { migrate, requireMigrated } from './migrate.ts';
import { type Orm, openOrm } from './orm.ts';

/** The connections of a command: one for its transaction, one for a read beside it. */
const POOL_SIZE = 2;

export interface OpenDatabase {
  orm: Orm;
  url: string;
}

/** A command that only reads finds the tables as they are, or is refused. */
export type DatabaseUse = 'read' | 'change';

/**
 * The database for a command, beside whatever servers run on it, with the tables of this version. An OperatorError where
 * there is none: no command is what an installation begins with.
 */
export async function openDatabase(
  settings: DatabaseSettings,
  releasers: Releasers,
  log: (message: string) => void,
  use: DatabaseUse = 'change',
): Promise<OpenDatabase> {
  const { url, release } = await findDatabase(settings, log, { mustExist: true });
  releasers.push(release);
  if (use === 'read') await requireMigrated(url);
  const orm = await openOrm(url, POOL_SIZE);
  releasers.push(() => orm.close());
  if (use === 'change') await migrate(orm, url, { say: log });
  return { orm, url };
}
