import type { Logger } from 'pino';
import { z } from 'zod';
import { readRows } from '../../database/rows.ts';
import { assignSerial, type NumberedZone } from '../../dns/assign-serial.ts';
import { normalName } from '../../dns/names.ts';
import { type ServerOutcome, ServerPush } from '../../dns/server-push.ts';
import type { DnsServersSettings } from '../../dns/server-settings.ts';
import { recordStates } from '../../dns/server-states.ts';
import type { RenderedZone } from '../../dns/zone-folder.ts';
import { reasonOf } from '../../lib/describe-error.ts';
import { defineTaskClass, PermanentError, type TaskContext } from '../task-class.ts';

/** Zones whose texts are in memory at once. */
const BATCH = 100;
/** Failures that a message names; the log has all. */
const NAMED = 5;
const MAX_NAMED = 500;

/** An old caller may send an empty text for a key that it leaves out. */
const optionalName = (description: string) =>
  z
    .string()
    .trim()
    .max(1_000)
    .transform((name) => (name === '' ? null : name))
    .nullish()
    .describe(description);

const data = z.looseObject({
  server: optionalName('The name of the one server to push to; all that are enabled unless given.'),
  zone: optionalName('The name of the one zone to push; all unless given.'),
});

/** Zones that an attempt has given a new serial, kept for the next: it finds them changed already. */
const checkpoint = z.object({ changed: z.int() });

type Context = TaskContext<z.infer<typeof data>>;

/**
 * Pushes zones to DNS servers: gives each zone whose content changed a new serial, writes its file on each server, has
 * the server load it and asks the server for the serial. `servers` are the settings by name.
 *
 * A zone's serial is committed before its file is written, and what is pushed is decided by the file and the server's
 * answer, so an attempt may be killed anywhere and made again.
 */
export function dnsPushTask(servers: DnsServersSettings, processLog?: Logger) {
  return defineTaskClass({
    name: '\\scheduler\\Tasks\\DNSPushTask',
    title: 'Push DNS zones',
    description: 'Pushes zones to DNS servers: all zones to all servers, to one server, or one zone.',
    data,
    // Two at once would restore each other's files.
    exclusive: true,
    async run(context) {
      const zones = await findZones(context);
      const push = new Push(context, await findTargets(context, servers, zones.known, processLog), zones.ids.length);
      for (let start = 0; start === 0 || start < zones.ids.length; start += BATCH) {
        await push.batch(zones.ids.slice(start, start + BATCH));
      }
      return push.end();
    },
  });
}

interface Zones {
  /** Of those to push. */
  ids: number[];
  /** The names of all. */
  known: ReadonlySet<string>;
}

async function findZones({ em, data: { zone } }: Context): Promise<Zones> {
  const rows = await readRows(em).selectFrom('dns_zone').select(['id', 'name']).orderBy('id').execute();
  const known = new Set(rows.map(({ name }) => name));
  if (zone == null) return { ids: rows.map(({ id }) => id), known };
  const name = normalName(zone);
  const ids = rows.filter((row) => row.name === name).map(({ id }) => id);
  if (ids.length === 0) throw new PermanentError(`There is no DNS zone "${zone}".`);
  return { ids, known };
}

/** A server as the run sees it. */
interface Target {
  id: number;
  name: string;
  /** Null for one that this runner has no settings for. */
  push: ServerPush | null;
  /** What is wrong with the server; this run pushes nothing more to it. */
  fault: string | null;
}

async function findTargets(
  context: Context,
  servers: DnsServersSettings,
  known: ReadonlySet<string>,
  processLog: Logger | undefined,
): Promise<Target[]> {
  const {
    em,
    data: { server, zone },
    signal,
    log,
  } = context;
  const rows = await readRows(em).selectFrom('dns_server').select(['id', 'name', 'enabled']).orderBy('id').execute();
  const wanted = server == null ? rows.filter(({ enabled }) => enabled) : rows.filter(({ name }) => name === server);
  const [first] = wanted;
  if (first === undefined) {
    const missing =
      server == null
        ? 'There is no DNS server to push to: addDnsServer adds one.'
        : `There is no DNS server "${server}".`;
    throw new PermanentError(missing);
  }
  if (!first.enabled) throw new PermanentError(`The DNS server "${first.name}" is not enabled.`);
  return wanted.map(({ id, name }) => {
    const settings = Object.hasOwn(servers, name) ? servers[name] : undefined;
    if (settings === undefined) {
      return { id, name, push: null, fault: `this runner's settings (DNS_SERVERS) have no server ${name}` };
    }
    const options = { name, settings, knownZones: known, removesDeleted: zone == null, signal, log, processLog };
    return { id, name, push: new ServerPush(options), fault: null };
  });
}

/** One run's progress and account. */
class Push {
  readonly #context: Context;
  readonly #targets: Target[];
  readonly #total: number;
  readonly #failures: string[] = [];
  /** The pushed zones, all zones, and the zones that every reachable server serves. */
  #done = 0;
  #zones = 0;
  #served = 0;
  #changed: number;
  readonly #failedServers = new Set<Target>();

  constructor(context: Context, targets: Target[], total: number) {
    const { checkpoint: saved } = context.run;
    this.#context = context;
    this.#targets = targets;
    this.#total = total;
    this.#changed = saved === null ? 0 : checkpoint.parse(saved).changed;
    for (const target of targets) if (target.fault !== null) this.#failServer(target, target.fault);
  }

  async batch(ids: readonly number[]): Promise<void> {
    const rendered = await this.#assignSerials(ids);
    const unserved = new Set<number>();
    // The servers do not wait for each other, and one that fails does not stop the others.
    const ends = await Promise.allSettled(this.#targets.map((target) => this.#pushTo(target, rendered, unserved)));
    this.#context.signal.throwIfAborted();
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const reached = this.#targets.some(({ fault }) => fault === null);
    if (reached) this.#served += rendered.length - unserved.size;
    this.#done += ids.length;
    this.#context.progress(this.#done, Math.max(this.#total, 1));
  }

  /** The zones that can be pushed, each with the serial of its content. */
  async #assignSerials(ids: readonly number[]): Promise<RenderedZone[]> {
    const { signal } = this.#context;
    const rendered: RenderedZone[] = [];
    for (const id of ids) {
      signal.throwIfAborted();
      const numbered = await this.#assignSerial(id);
      if (numbered === null) continue;
      this.#zones += 1;
      if (numbered.changed) this.#changed += 1;
      if (numbered.zone === null) this.#fail(`${numbered.name}: ${numbered.faults.join('; ')}`);
      else rendered.push(numbered.zone);
    }
    return rendered;
  }

  /** Null for a zone that was deleted since the run began. */
  async #assignSerial(id: number): Promise<NumberedZone | null> {
    const numbered: { zone: NumberedZone | null } = { zone: null };
    await this.#context.checkpoint(async (transaction) => {
      numbered.zone = await assignSerial(transaction, id);
      return numbered.zone?.changed ? { changed: this.#changed + 1 } : undefined;
    });
    return numbered.zone;
  }

  async #pushTo(target: Target, zones: readonly RenderedZone[], unserved: Set<number>): Promise<void> {
    const { zones: outcomes, fault } = await this.#outcomeOf(target, zones);
    if (fault !== null) this.#fail(`${target.name}: ${fault}`, target);
    for (const { zone, fault: why } of target.fault === null ? outcomes : []) {
      if (why === null) continue;
      unserved.add(zone.id);
      this.#fail(`${target.name}, ${zone.name}: ${why}`, target);
    }
    await recordStates(this.#context.em, target.id, outcomes);
  }

  /** A server that fails as a whole is skipped from then on, with the zones that it would have got. */
  async #outcomeOf(target: Target, zones: readonly RenderedZone[]): Promise<ServerOutcome> {
    if (target.push !== null && target.fault === null) {
      try {
        return await target.push.push(zones);
      } catch (error) {
        this.#context.signal.throwIfAborted();
        this.#failServer(target, reasonOf(error));
      }
    }
    return { zones: zones.map((zone) => ({ zone, serial: null, fault: target.fault })), fault: null };
  }

  #failServer(target: Target, fault: string): void {
    target.fault = fault;
    this.#fail(`${target.name}: ${fault}`, target);
  }

  #fail(failure: string, target?: Target): void {
    this.#context.log(failure);
    this.#failures.push(failure.length > MAX_NAMED ? `${failure.slice(0, MAX_NAMED)}…` : failure);
    if (target !== undefined) this.#failedServers.add(target);
  }

  /** The run's message, or its failure. */
  end(): string {
    const servers = this.#targets.length;
    const changed = this.#changed === 1 ? '1 zone' : `${this.#changed} zones`;
    const account = `DNS push: ${this.#served} of ${this.#zones} zones on ${servers - this.#failedServers.size} of ${servers} servers; ${changed} changed.`;
    const count = this.#failures.length;
    if (count === 0) return account;
    const more = count > NAMED ? ` (and ${count - NAMED} more)` : '';
    const named = this.#failures.slice(0, NAMED).join(' | ');
    throw new Error(`${account} ${count} ${count === 1 ? 'failure' : 'failures'}: ${named}${more}`);
  }
}
