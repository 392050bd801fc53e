// Brings zones to one name server: files, list of zones, load commands, and the proof by DNS.
import { NoAnswer } from './ask-serial.ts';
import { KnownZones, type KnownZonesOptions } from './known-zones.ts';
import { LoadCommands } from './load-commands.ts';
import { isOpen, needsLoad, type PendingZone } from './pending-zone.ts';
import { PushReport, type PushReportOptions } from './push-report.ts';
import { ServedSerials } from './served-serials.ts';
import type { DnsServerSettings } from './server-settings.ts';
import { type RenderedZone, ZoneFolder } from './zone-folder.ts';

type ServerPushOptions = KnownZonesOptions & PushReportOptions;

/** What became of one zone. */
export interface ZoneOutcome {
  zone: RenderedZone;
  /** What the server answers now; null where it does not serve the zone. */
  serial: number | null;
  /** Null where it serves the zone as it is. */
  fault: string | null;
}

export interface ServerOutcome {
  zones: ZoneOutcome[];
  /** What is wrong with the server itself; null for nothing. */
  fault: string | null;
}

/** The server cannot be pushed to at all: it does not answer, or its directory cannot be used. */
class ServerAway extends Error {}

/**
 * Pushes to one server. All steps may be repeated, and each begins with what is: the file, and the serial that the
 * server answers. A push that was killed between any two is therefore completed by the next. Two pushes to one server at
 * once are excluded by the task class.
 */
export class ServerPush {
  readonly #settings: DnsServerSettings;
  readonly #signal: AbortSignal;
  readonly #report: PushReport;
  readonly #folder: ZoneFolder;
  readonly #commands: LoadCommands;
  readonly #known: KnownZones;
  readonly #serials: ServedSerials;

  constructor(options: ServerPushOptions) {
    const { settings, signal } = options;
    this.#settings = settings;
    this.#signal = signal;
    this.#report = new PushReport(options);
    this.#folder = new ZoneFolder(settings.directory);
    this.#commands = new LoadCommands(settings, this.#folder, this.#report, signal);
    this.#known = new KnownZones(options, this.#folder, this.#commands, this.#report);
    this.#serials = new ServedSerials(settings, signal);
  }

  /** Throws ServerAway, having changed nothing, and what the signal says. */
  async push(zones: readonly RenderedZone[]): Promise<ServerOutcome> {
    const gone = await this.#findGone();
    const pending = await this.#prepare(zones);
    for (const one of pending) await this.#write(one);
    const unserved = pending.filter(({ before, fault }) => before === null && fault === null);
    const listing = await this.#known.loadList(unserved.length > 0 || gone.length > 0);
    if (listing.loaded) await this.#serials.askAgain(unserved);
    await this.#commands.loadAll(pending.filter(needsLoad));
    await this.#serials.awaitAll(pending.filter(({ fault }) => fault === null));
    const outcomes: ZoneOutcome[] = [];
    for (const one of pending) outcomes.push(await this.#judge(one, listing.fault));
    // What was removed by a refusal leaves the list too.
    if (outcomes.some(({ serial, fault }) => fault !== null && serial === null)) await this.#known.loadList(false);
    if (listing.fault === null) await this.#remove(gone);
    return { zones: outcomes, fault: listing.fault };
  }

  async #findGone(): Promise<string[]> {
    try {
      return await this.#known.findGone();
    } catch (error) {
      throw new ServerAway(`its directory cannot be used: ${this.#report.publicMessage(error)}`);
    }
  }

  async #prepare(zones: readonly RenderedZone[]): Promise<PendingZone[]> {
    try {
      const answers = await this.#serials.ask(zones);
      return zones.map((zone, index) => {
        const before = answers[index] ?? null;
        return { zone, before, answered: before, written: false, commandFault: null, fault: null };
      });
    } catch (error) {
      if (error instanceof NoAnswer) {
        this.#report.publicMessage(error.cause);
        throw new ServerAway(error.message);
      }
      throw error;
    }
  }

  async #write(pending: PendingZone): Promise<void> {
    this.#signal.throwIfAborted();
    try {
      pending.written = await this.#folder.write(pending.zone, pending.before);
    } catch (error) {
      pending.fault = `its file could not be written: ${this.#report.publicMessage(error)}`;
    }
  }

  /** Confirms the file of a zone that is served, and takes back that of one that is not. */
  async #judge(pending: PendingZone, listFault: string | null): Promise<ZoneOutcome> {
    const { zone, answered, fault } = pending;
    if (fault !== null) return { zone, serial: answered, fault };
    if (isOpen(pending)) return { zone, serial: answered, fault: await this.#takeBack(pending, listFault) };
    await this.#folder.confirm(zone.name);
    return { zone, serial: answered, fault: null };
  }

  /** Takes back the file of a zone that the server did not take; says what was found and done. */
  async #takeBack({ zone, before, answered, commandFault }: PendingZone, listFault: string | null): Promise<string> {
    const undone = await this.#folder.putBack(zone.name, before);
    // A server that started with the refused file serves nothing until it has the former one.
    if (undone === 'PUT_BACK' && answered === null) await this.#commands.load(zone);
    const why = commandFault ?? listFault;
    const found = [
      `serial ${zone.serial} was expected`,
      answered === null ? 'the server does not serve the zone' : `the server answers ${answered}`,
      ...(why === null ? [`${this.#settings.timeoutSeconds} seconds after it was told to load it`] : [why]),
      ...(undone === 'PUT_BACK' ? ['the former file is back'] : undone === 'REMOVED' ? ['its file is removed'] : []),
    ];
    this.#report.log(`${zone.name} was not taken`, { expected: zone.serial, answered, file: undone });
    return found.join(', ');
  }

  async #remove(gone: readonly string[]): Promise<void> {
    for (const zone of gone) {
      await this.#folder.remove(zone);
      this.#report.log(`${zone} is removed, since the zone was deleted`);
    }
  }
}
