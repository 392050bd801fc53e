// Where backups may be stored. The API knows locations only by name, never by path.
import { isAbsolute, join, resolve } from 'node:path';

export interface BackupLocation {
  name: string;
  /** Absolute path; created if it does not exist. */
  folder: string;
  /** At least this many backups of an installation are kept here, whatever a task says: 1 to MAX_KEEP. */
  keepAtLeast: number;
}

/** The most backups that a task or a location may keep. */
export const MAX_KEEP = 10_000;
const NAME = /^[A-Za-z0-9][\w-]{0,49}$/;
const KEEP_AT_LEAST = /:keepAtLeast=(.*)$/;

/** Parses `name=/folder,name2=/folder2:keepAtLeast=14`; null for any other text. */
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
  const isValid = locations.every(
    ({ name, folder, keepAtLeast }) =>
      NAME.test(name) && isAbsolute(folder) && keepAtLeast >= 1 && keepAtLeast <= MAX_KEEP,
  );
  return isValid && names.size === locations.length ? locations : null;
}

/** Used without BACKUP_LOCATIONS. */
export function defaultLocations(dataDir: string): BackupLocation[] {
  return [{ name: 'default', folder: join(resolve(dataDir), 'backups'), keepAtLeast: 1 }];
}
