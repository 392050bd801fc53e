// Has one name server load zones, by the commands in its settings.
import { type CommandEnd, runCommand } from './command.ts';
import type { PendingZone } from './pending-zone.ts';
import type { PushReport } from './push-report.ts';
import type { DnsServerSettings } from './server-settings.ts';
import type { RenderedZone, ZoneFolder } from './zone-folder.ts';
import { fillIn } from './zone-list.ts';

/** Commands for one server at once. */
const LOADS = 4;

export class LoadCommands {
  readonly #settings: DnsServerSettings;
  readonly #folder: ZoneFolder;
  readonly #report: PushReport;
  readonly #signal: AbortSignal;

  constructor(settings: DnsServerSettings, folder: ZoneFolder, report: PushReport, signal: AbortSignal) {
    this.#settings = settings;
    this.#folder = folder;
    this.#report = report;
    this.#signal = signal;
  }

  /** How a command ended, as users may know it. */
  async run(parts: readonly string[]): Promise<CommandEnd> {
    const { timeoutSeconds } = this.#settings;
    return this.#report.publicEnd(await runCommand(parts, { timeoutSeconds, signal: this.#signal }));
  }

  /** Has the server load the zone's file. Returns what is wrong with the command, or null. */
  async load({ name: zone }: RenderedZone): Promise<string | null> {
    const values = { zone, file: this.#folder.fileOf(zone) };
    const { fault, output } = await this.run(this.#settings.load.map((part) => fillIn(part, values)));
    if (fault !== null) this.#report.log(`${zone} could not be loaded: ${fault}`, { output });
    return fault;
  }

  /** Sets the zones' `commandFault`. A command that names no zone loads all of them at once. */
  async loadAll(pending: readonly PendingZone[]): Promise<void> {
    if (pending.length === 0) return;
    const forEach = this.#settings.load.some((part) => /\{(zone|file)\}/.test(part));
    const size = forEach ? LOADS : pending.length;
    for (let start = 0; start < pending.length; start += size) {
      this.#signal.throwIfAborted();
      const batch = pending.slice(start, start + size);
      const faults = await Promise.all((forEach ? batch : batch.slice(0, 1)).map(({ zone }) => this.load(zone)));
      for (const [index, one] of batch.entries()) one.commandFault = (forEach ? faults[index] : faults[0]) ?? null;
    }
    // One line for all: a run's log has a bound, and failures need it.
    const zones = pending.map(({ zone }) => `${zone.name} ${zone.serial}`);
    this.#report.log(`told to load ${zones.length === 1 ? '1 zone' : `${zones.length} zones`}`, { zones });
  }
}
