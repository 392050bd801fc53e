// The zones that one name server should know: those with a file in its folder, except deleted ones. Its list names
// them, if the settings have one.
import type { LoadCommands } from './load-commands.ts';
import type { PushReport } from './push-report.ts';
import type { DnsServerSettings } from './server-settings.ts';
import type { ZoneFolder } from './zone-folder.ts';
import { ZoneList } from './zone-list.ts';

export interface KnownZonesOptions {
  settings: DnsServerSettings;
  /** The names of all zones that there are, pushed or not. */
  knownZones: ReadonlySet<string>;
  /** Whether zones that there are no longer are taken off the server. */
  removesDeleted: boolean;
  signal: AbortSignal;
}

/** The result for the list. */
interface Listing {
  /** Whether the server has read it. */
  loaded: boolean;
  fault: string | null;
}

export class KnownZones {
  readonly #options: KnownZonesOptions;
  readonly #folder: ZoneFolder;
  readonly #commands: LoadCommands;
  readonly #report: PushReport;

  constructor(options: KnownZonesOptions, folder: ZoneFolder, commands: LoadCommands, report: PushReport) {
    this.#options = options;
    this.#folder = folder;
    this.#commands = commands;
    this.#report = report;
  }

  /**
   * Zones to remove from the server: they were deleted, and Slotkeeper wrote their files. Throws errors of the folder.
   */
  async findGone(): Promise<string[]> {
    const { knownZones, removesDeleted } = this.#options;
    const unknown = (await this.#folder.zones()).filter((zone) => !knownZones.has(zone));
    const gone: string[] = [];
    for (const zone of removesDeleted ? unknown : []) if (await this.#folder.isOurs(zone)) gone.push(zone);
    return gone;
  }

  /** Updates the list of zones with files, and has the server read it if it changed or if `needed`. */
  async loadList(needed: boolean): Promise<Listing> {
    const { settings, signal } = this.#options;
    if (settings.zoneList === undefined) return { loaded: false, fault: null };
    signal.throwIfAborted();
    try {
      const undo = await new ZoneList(settings.directory, settings.zoneList).write(await this.#listed());
      if (undo === null && !needed) return { loaded: false, fault: null };
      const { fault, output } = await this.#commands.run(settings.zoneList.load);
      const did = undo === null ? 'read again' : 'changed';
      this.#report.log(`the list of zones is ${did}${fault ? `, but ${fault}` : ''}`, { output });
      // The server must be able to start with the files that it read last.
      if (fault !== null) await undo?.();
      return { loaded: fault === null, fault: fault && `its list of zones was not loaded: ${fault}` };
    } catch (error) {
      const fault = `its list of zones could not be written: ${this.#report.publicMessage(error)}`;
      return { loaded: false, fault };
    }
  }

  async #listed(): Promise<{ zone: string; file: string }[]> {
    const { knownZones, removesDeleted } = this.#options;
    const listed: { zone: string; file: string }[] = [];
    for (const zone of await this.#folder.zones()) {
      const belongs = knownZones.has(zone) || (!removesDeleted && (await this.#folder.isOurs(zone)));
      if (belongs) listed.push({ zone, file: this.#folder.fileOf(zone) });
    }
    return listed;
  }
}
