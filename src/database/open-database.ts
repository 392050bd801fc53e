import type { Settings } from '../env.ts';
import type { Releasers } from '../releasers.ts';
import { findDatabase } from './find-database.ts';
import { migrate } from './migrate.ts';
import { type Orm, openOrm } from './orm.ts';

/** What a command takes: its transaction, and a read beside it. */
const POOL_SIZE = 2;

export interface OpenDatabase {
  orm: Orm;
  url: string;
}

/** The database for a command, beside whatever servers run on it, with the tables of this version. */
export async function openDatabase(
  settings: Settings,
  releasers: Releasers,
  log: (message: string) => void,
): Promise<OpenDatabase> {
  const { url, release } = await findDatabase(settings, log);
  releasers.push(release);
  const orm = await openOrm(url, POOL_SIZE);
  releasers.push(() => orm.close());
  await migrate(orm, url, { say: log });
  return { orm, url };
}
