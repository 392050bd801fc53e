// The zone files of one name server. Beside a file whose serial the server has not confirmed lies the one that it
// confirmed last, `….former`: it is there before the new file takes its place and goes once the new one is confirmed, so
// that a push that is killed at any moment leaves what the next one needs to know.
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { syncToDisk } from '../lib/sync-to-disk.ts';
import { readIfThere, TEMPORARY, writeAtomically } from './atomic-file.ts';
import { readMark } from './zone-file.ts';

const EXTENSION = '.zone';

/** A zone as it is to be served. */
export interface RenderedZone {
  id: number;
  name: string;
  serial: number;
  /** The text of its file. */
  text: string;
}

export class ZoneFolder {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The path of a zone's file. The slash of a reverse name becomes a plus sign, which no name has. */
  fileOf(zone: string): string {
    return join(this.#directory, `${zone.replaceAll('/', '+')}${EXTENSION}`);
  }

  #formerOf(zone: string): string {
    return `${this.fileOf(zone)}.former`;
  }

  /** The zones that have a file here, sorted; removes what killed pushes left half written. */
  async zones(): Promise<string[]> {
    const names = await readdir(this.#directory);
    for (const name of names.filter((one) => TEMPORARY.test(one)))
      await rm(join(this.#directory, name), { force: true });
    return names
      .filter((name) => name.endsWith(EXTENSION))
      .map((name) => name.slice(0, -EXTENSION.length).replaceAll('+', '/'))
      .sort();
  }

  /** Whether Slotkeeper wrote the zone's file. */
  async isOurs(zone: string): Promise<boolean> {
    return readMark((await readIfThere(this.fileOf(zone))) ?? '') !== null;
  }

  /**
   * Updates the file of the zone; false if it was up to date. `answered` is the serial that the server serves. Throws
   * if another program wrote the file.
   */
  async write({ name, text }: RenderedZone, answered: number | null): Promise<boolean> {
    const file = this.fileOf(name);
    const present = await readIfThere(file);
    if (present === text) return false;
    if (present !== null) {
      const mark = readMark(present);
      if (mark === null) {
        throw new Error(`${basename(file)} was not written by Slotkeeper; move it away to have it pushed`);
      }
      // An unconfirmed file, of a push that was killed, is not worth going back to where there is a confirmed one.
      const unconfirmed = mark.serial !== answered && (await readIfThere(this.#formerOf(name))) !== null;
      if (!unconfirmed) await writeAtomically(this.#formerOf(name), present);
    }
    await writeAtomically(file, text);
    return true;
  }

  /** The server serves the zone's file. */
  async confirm(zone: string): Promise<void> {
    await rm(this.#formerOf(zone), { force: true });
  }

  /**
   * The server refused the zone's file: puts back the one that it confirmed last, or removes that of a zone that it has
   * never served. Says what it did.
   */
  async putBack(zone: string, answered: number | null): Promise<'PUT_BACK' | 'REMOVED' | 'KEPT'> {
    if ((await readIfThere(this.#formerOf(zone))) !== null) {
      await rename(this.#formerOf(zone), this.fileOf(zone));
      await syncToDisk(this.#directory);
      return 'PUT_BACK';
    }
    if (answered !== null) return 'KEPT';
    await this.remove(zone);
    return 'REMOVED';
  }

  async remove(zone: string): Promise<void> {
    await rm(this.#formerOf(zone), { force: true });
    await rm(this.fileOf(zone), { force: true });
    await syncToDisk(this.#directory);
  }
}
