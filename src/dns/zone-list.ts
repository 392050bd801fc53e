// The file by which a name server learns which zones there are, made from the template of the settings.
import { join } from 'node:path';
import { readIfThere, writeAtomically } from './atomic-file.ts';
import type { DnsServerSettings } from './server-settings.ts';

type ZoneListSettings = NonNullable<DnsServerSettings['zoneList']>;

/** The text of an argument or template for one zone. */
export function fillIn(template: string, { zone, file }: { zone: string; file: string }): string {
  return template.replaceAll('{zone}', () => zone).replaceAll('{file}', () => file);
}

export class ZoneList {
  readonly #file: string;
  readonly #settings: ZoneListSettings;

  constructor(directory: string, settings: ZoneListSettings) {
    this.#file = join(directory, settings.file);
    this.#settings = settings;
  }

  /** Makes it list these zones; returns what undoes it, or null where it listed them already. */
  async write(zones: readonly { zone: string; file: string }[]): Promise<(() => Promise<void>) | null> {
    const { header, entry } = this.#settings;
    const text = zones.length === 0 ? '' : header + zones.map((one) => fillIn(entry, one)).join('');
    const former = await readIfThere(this.#file);
    if (former === text) return null;
    await writeAtomically(this.#file, text);
    return () => writeAtomically(this.#file, former ?? '');
  }
}
