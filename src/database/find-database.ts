import { checkDatabase } from './connect.ts';
import { startEmbedded } from './embedded.ts';

/** The settings that say which database it is. */
export interface DatabaseSettings {
  /** The operator's own; undefined for the embedded one. */
  DATABASE_URL?: string | undefined;
  DATA_DIR: string;
}

interface FoundDatabase {
  url: string;
  /** To be called when this process no longer needs the server: the last process stops it. */
  release(): Promise<void>;
}

/**
 * The operator's own database, or the embedded one of the data folder, started where it does not run, and unless it
 * `mustExist` made where there is none.
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
