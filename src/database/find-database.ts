import { checkDatabase } from './connect.ts';
import { startEmbedded } from './embedded.ts';

/** The settings that choose the database. */
export interface DatabaseSettings {
  /** The operator's own database; undefined for the embedded one. */
  DATABASE_URL?: string | undefined;
  DATA_DIR: string;
}

interface FoundDatabase {
  url: string;
  /** Call it when this process no longer needs the database: the last process stops the embedded server. */
  release(): Promise<void>;
}

/**
 * Returns the operator's own database, or the embedded one of the data folder, which is started if it does not run, and
 * created if it does not exist, unless `mustExist`.
 */
export async function findDatabase(
  { DATABASE_URL, DATA_DIR }: DatabaseSettings,
  log: (message: string) => void,
  { mustExist = false }: { mustExist?: boolean } = {},
): Promise<FoundDatabase> {
  if (DATABASE_URL === undefined) return startEmbedded({ dataDir: DATA_DIR, log, mustExist });
  await checkDatabase(DATABASE_URL);
  return { url: DATABASE_URL, release: async () => undefined };
}
