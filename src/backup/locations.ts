// Where backups may lie. The API knows the names of the locations only, never a path.
import { isAbsolute, join, resolve } from 'node:path';

export interface BackupLocation {
  name: string;
  /** Absolute; made where it does not exist. */
  folder: string;
  /** So many backups of an installation stay here, whatever a task says: 1 to MAX_KEEP. */
  keepAtLeast: number;
}

/** Backups that a task or a location keeps, at most. */
export const MAX_KEEP = 10_000;
const NAME = /^[A-Za-z0-9][\w-]{0,49}$/;
const KEEP_AT_LEAST = /:keepAtLeast=(.*)$/;

/** The locations of `name=/folder,name2=/folder2:keepAtLeast=14`; null for any other text. */
export function parseLocations(text: string): BackupLocation[] | null {
  const locations = text.split(',').map((part) => {
    const at = part.indexOf('=');
    const [suffix = '', digits = '1'] = KEEP_AT_LEAST.exec(part.trim()) ?? [];
    const folder = part
      .slice(at + 1)
      .trim()
      .slice(0, suffix === '' ? undefined : -suffix.length);
    return { name: part.slice(0, at).trim(), folder, keepAtLeast: /^\d{1,5}$/.test(digits) ? Number(digits) : 0 };
  });
  const names = new Set(locations.map(({ name }) => name));
  const isRight = locations.every(
    ({ name, folder, keepAtLeast }) =>
      NAME.test(name) && isAbsolute(folder) && keepAtLeast >= 1 && keepAtLeast <= MAX_KEEP,
  );
  return isRight && names.size === locations.length ? locations : null;
}

/** Where there is no setting. */
export function defaultLocations(dataDir: string): BackupLocation[] {
  return [{ name: 'default', folder: join(resolve(dataDir), 'backups'), keepAtLeast: 1 }];
}
