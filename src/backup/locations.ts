// Where backups may lie. The API knows the names of the locations only, never a path.
import { isAbsolute, join, resolve } from 'node:path';

export interface BackupLocation {
  name: string;
  /** Absolute; made where it does not exist. */
  folder: string;
}

const NAME = /^[A-Za-z0-9][\w-]{0,49}$/;

/** The locations of `name=/folder,name2=/folder2`; null for any other text. */
export function parseLocations(text: string): BackupLocation[] | null {
  const locations = text.split(',').map((part) => {
    const at = part.indexOf('=');
    return { name: part.slice(0, at).trim(), folder: part.slice(at + 1).trim() };
  });
  const names = new Set(locations.map(({ name }) => name));
  const isRight = locations.every(({ name, folder }) => NAME.test(name) && isAbsolute(folder));
  return isRight && names.size === locations.length ? locations : null;
}

/** Where there is no setting. */
export function defaultLocations(dataDir: string): BackupLocation[] {
  return [{ name: 'default', folder: join(resolve(dataDir), 'backups') }];
}
