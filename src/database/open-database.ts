import type { Releasers } from '../lib/releasers.ts';
import { type DatabaseSettings, findDatabase } from './find-database.ts';
import { migrate, requireMigrated } from './migrate.ts';
import { type Orm, openOrm } from './orm.ts';

/** A command needs one connection for its transaction and one for a read beside it. */
const POOL_SIZE = 2;

export interface OpenDatabase {
  orm: Orm;
  url: string;
}

/** `read` refuses tables of another version; `change` migrates older ones. */
export type DatabaseUse = 'read' | 'change';

/**
 * Opens the database for a command, with the tables of this version; servers may run on it meanwhile. Throws an
 * OperatorError if there is no installation: only a server creates one.
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
