// Brings zones to one name server: files, list of zones, load commands, and the proof by DNS.
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { publicMessage } from '../lib/describe-error.ts';
import { askSerial, NoAnswer } from './ask-serial.ts';
import { type CommandEnd, runCommand } from './command.ts';
import type { DnsServerSettings } from './server-settings.ts';
import { type RenderedZone, ZoneFolder } from './zone-folder.ts';
import { fillIn, ZoneList } from './zone-list.ts';

/** Questions to one server at once. */
const QUESTIONS = 20;
/** Commands for one server at once. */
const LOADS = 4;
const POLL_MS = 100;
const ASK_SECONDS = 2;

export interface ServerPushOptions {
  /** The key of the server in the settings. */
  name: string;
  settings: DnsServerSettings;
  /** The names of all zones that there are, pushed or not. */
  knownZones: ReadonlySet<string>;
  /** Whether zones that there are no longer are taken off the server. */
  removesDeleted: boolean;
  signal: AbortSignal;
  /** The run's log, which all users read. */
  log(message: string, data?: unknown): void;
  /** The log of the process, for what the settings say of the machine. */
  processLog: Logger | undefined;
}

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
export class ServerAway extends Error {}

interface Pending {
  zone: RenderedZone;
  /** What the server answered before. */
  before: number | null;
  /** What it answered last. */
  answered: number | null;
  written: boolean;
  /** Of its load command. */
  commandFault: string | null;
  /** What keeps it from being loaded. */
  fault: string | null;
}

/**
 * Pushes to one server. All steps may be repeated, and each begins with what is: the file, and the serial that the
 * server answers. A push that was killed between any two is therefore completed by the next. Two pushes to one server at
 * once are excluded by the task class.
 */
export class ServerPush {
  readonly #options: ServerPushOptions;
  readonly #folder: ZoneFolder;
  readonly #list: ZoneList | null;

  constructor(options: ServerPushOptions) {
    const { directory, zoneList } = options.settings;
    this.#options = options;
    this.#folder = new ZoneFolder(directory);
    this.#list = zoneList === undefined ? null : new ZoneList(directory, zoneList);
  }

  /** Throws ServerAway, having changed nothing, and what the signal says. */
  async push(zones: readonly RenderedZone[]): Promise<ServerOutcome> {
    const gone = await this.#findGone();
    const pending = await this.#prepare(zones);
    for (const one of pending) await this.#write(one);
    const unserved = pending.filter(({ before, fault }) => before === null && fault === null);
    const listing = await this.#loadList(unserved.length > 0 || gone.length > 0);
    if (listing.loaded) await this.#askAgain(unserved);
    await this.#loadAll(pending.filter(needsLoad));
    await this.#awaitSerials(pending.filter(({ fault }) => fault === null));
    const outcomes: ZoneOutcome[] = [];
    for (const one of pending) outcomes.push(await this.#judge(one, listing.fault));
    // What was removed by a refusal leaves the list too.
    if (outcomes.some(({ serial, fault }) => fault !== null && serial === null)) await this.#loadList(false);
    if (listing.fault === null) await this.#remove(gone);
    return { zones: outcomes, fault: listing.fault };
  }

  /** Zones that were deleted and whose files Slotkeeper wrote. */
  async #findGone(): Promise<string[]> {
    const { knownZones, removesDeleted } = this.#options;
    try {
      const unknown = (await this.#folder.zones()).filter((zone) => !knownZones.has(zone));
      const gone: string[] = [];
      for (const zone of removesDeleted ? unknown : []) if (await this.#folder.isOurs(zone)) gone.push(zone);
      return gone;
    } catch (error) {
      throw new ServerAway(`its directory cannot be used: ${this.#publicMessage(error)}`);
    }
  }

  async #prepare(zones: readonly RenderedZone[]): Promise<Pending[]> {
    try {
      const answers = await this.#askAll(zones, this.#options.settings.timeoutSeconds);
      return zones.map((zone, index) => {
        const before = answers[index] ?? null;
        return { zone, before, answered: before, written: false, commandFault: null, fault: null };
      });
    } catch (error) {
      if (error instanceof NoAnswer) {
        this.#publicMessage(error.cause);
        throw new ServerAway(error.message);
      }
      throw error;
    }
  }

  /** The answers in the order of the zones. */
  async #askAll(zones: readonly RenderedZone[], timeoutSeconds: number): Promise<(number | null)[]> {
    const { settings, signal } = this.#options;
    const answers: (number | null)[] = [];
    for (let start = 0; start < zones.length; start += QUESTIONS) {
      signal.throwIfAborted();
      const batch = zones.slice(start, start + QUESTIONS);
      answers.push(
        ...(await Promise.all(batch.map(({ name }) => askSerial({ ...settings, timeoutSeconds }, name, signal)))),
      );
    }
    return answers;
  }

  async #write(pending: Pending): Promise<void> {
    this.#options.signal.throwIfAborted();
    try {
      pending.written = await this.#folder.write(pending.zone, pending.before);
    } catch (error) {
      pending.fault = `its file could not be written: ${this.#publicMessage(error)}`;
    }
  }

  /** Makes the list say which zones have files, and has the server read it where it changed or `needed`. */
  async #loadList(needed: boolean): Promise<{ loaded: boolean; fault: string | null }> {
    const { settings, signal, log, name } = this.#options;
    if (this.#list === null || settings.zoneList === undefined) return { loaded: false, fault: null };
    signal.throwIfAborted();
    try {
      const undo = await this.#list.write(await this.#listed());
      if (undo === null && !needed) return { loaded: false, fault: null };
      const { fault, output } = await this.#run(settings.zoneList.load);
      log(`${name}: the list of zones is ${undo === null ? 'read again' : 'changed'}${fault ? `, but ${fault}` : ''}`, {
        output,
      });
      // The server must be able to start with what it has read last.
      if (fault !== null) await undo?.();
      return { loaded: fault === null, fault: fault && `its list of zones was not loaded: ${fault}` };
    } catch (error) {
      return { loaded: false, fault: `its list of zones could not be written: ${this.#publicMessage(error)}` };
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

  /** What a program says of itself names the directory and the address as well. */
  async #run(parts: readonly string[]): Promise<CommandEnd> {
    const { settings, signal, processLog, name } = this.#options;
    const { fault, output } = await runCommand(parts, { timeoutSeconds: settings.timeoutSeconds, signal });
    if (fault !== null) processLog?.warn({ server: name, fault, output }, 'a DNS server was not told to load');
    const shown = output.replaceAll(settings.directory, '[directory]').replaceAll(settings.address, '[address]');
    return { fault, output: shown };
  }

  /** What users are told of an error; the rest is told to the log of the process. */
  #publicMessage(error: unknown): string {
    const { name, settings, processLog } = this.#options;
    const { address, port, directory } = settings;
    processLog?.warn({ server: name, address, port, directory, err: error }, 'a DNS server could not be pushed to');
    return publicMessage(error);
  }

  /** A command that names no zone loads all of them at once. */
  async #loadAll(pending: readonly Pending[]): Promise<void> {
    if (pending.length === 0) return;
    const { settings, signal, log, name } = this.#options;
    const forEach = settings.load.some((part) => /\{(zone|file)\}/.test(part));
    const size = forEach ? LOADS : pending.length;
    for (let start = 0; start < pending.length; start += size) {
      signal.throwIfAborted();
      const batch = pending.slice(start, start + size);
      const faults = await Promise.all((forEach ? batch : batch.slice(0, 1)).map(({ zone }) => this.#load(zone)));
      for (const [index, one] of batch.entries()) one.commandFault = (forEach ? faults[index] : faults[0]) ?? null;
    }
    // One line for all: a run's log has a bound, and failures need it.
    const zones = pending.map(({ zone }) => `${zone.name} ${zone.serial}`);
    log(`${name}: told to load ${zones.length === 1 ? '1 zone' : `${zones.length} zones`}`, { zones });
  }

  /** Has the server load the zone's file; what is wrong with the command, or null. */
  async #load({ name: zone }: RenderedZone): Promise<string | null> {
    const { settings, log, name } = this.#options;
    const values = { zone, file: this.#folder.fileOf(zone) };
    const { fault, output } = await this.#run(settings.load.map((part) => fillIn(part, values)));
    if (fault !== null) log(`${name}: ${zone} could not be loaded: ${fault}`, { output });
    return fault;
  }

  /** Until every zone is served with its serial, or the time is over; a zone whose command failed is asked for once. */
  async #awaitSerials(pending: readonly Pending[]): Promise<void> {
    const { settings, signal } = this.#options;
    const deadline = Date.now() + settings.timeoutSeconds * 1_000;
    let open = pending.filter(isOpen);
    while (open.length > 0) {
      await this.#askAgain(open);
      open = open.filter((one) => isOpen(one) && one.commandFault === null);
      if (open.length === 0 || Date.now() >= deadline) return;
      await pause(POLL_MS, undefined, { signal });
    }
  }

  /** A server that gives no answer while it loads is asked again, like one that answers another serial. */
  async #askAgain(pending: readonly Pending[]): Promise<void> {
    const zones = pending.map(({ zone }) => zone);
    try {
      const seconds = Math.min(ASK_SECONDS, this.#options.settings.timeoutSeconds);
      const answers = await this.#askAll(zones, seconds);
      for (const [index, one] of pending.entries()) one.answered = answers[index] ?? null;
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      for (const one of pending) one.answered = null;
    }
  }

  /** Confirms the file of a zone that is served, and takes back that of one that is not. */
  async #judge(pending: Pending, listFault: string | null): Promise<ZoneOutcome> {
    const { zone, before, answered, commandFault, fault } = pending;
    const { name, log, settings } = this.#options;
    if (fault === null && !isOpen(pending)) {
      await this.#folder.confirm(zone.name);
      return { zone, serial: answered, fault: null };
    }
    if (fault !== null) return { zone, serial: answered, fault };
    const undone = await this.#folder.putBack(zone.name, before);
    // A server that started with the refused file serves nothing until it has the former one.
    if (undone === 'PUT_BACK' && answered === null) await this.#load(zone);
    const why = commandFault ?? listFault;
    const found = [
      `serial ${zone.serial} was expected`,
      answered === null ? 'the server does not serve the zone' : `the server answers ${answered}`,
      ...(why === null ? [`${settings.timeoutSeconds} seconds after it was told to load it`] : [why]),
      ...(undone === 'PUT_BACK' ? ['the former file is back'] : undone === 'REMOVED' ? ['its file is removed'] : []),
    ];
    log(`${name}: ${zone.name} was not taken`, { expected: zone.serial, answered, file: undone });
    return { zone, serial: answered, fault: found.join(', ') };
  }

  async #remove(gone: readonly string[]): Promise<void> {
    const { name, log } = this.#options;
    for (const zone of gone) {
      await this.#folder.remove(zone);
      log(`${name}: ${zone} is removed, since there is no such zone any more`);
    }
  }
}

/** Not served yet as it is to be. */
function isOpen({ answered, zone }: Pending): boolean {
  return answered !== zone.serial;
}

/** A server that serves the serial has the file, unless the file was changed beneath it under the same serial. */
function needsLoad(pending: Pending): boolean {
  const { before, written, fault } = pending;
  return fault === null && (isOpen(pending) || (written && before !== null));
}
