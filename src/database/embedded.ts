// The PostgreSQL server that comes with the product: one per data folder, shared by all processes that use the folder.
// None of them owns it: the first process starts it, the last one stops it, and a killed process leaves it running for
// the next.
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, reasonOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { type Cluster, openCluster, ROLE } from './embedded/cluster.ts';
import { findPlace, type Place } from './embedded/place.ts';
import { inspect, start, stop } from './embedded/postmaster.ts';
import { type Address, connect, isPassing, Share } from './embedded/share.ts';
import { notStarted } from './not-started.ts';

const DATABASE = 'slotkeeper';
const DEADLINE_SECONDS = 60;
const STOP_SECONDS = 60;
const LOOK_AGAIN_MILLISECONDS = 10;
/** The backends of a killed postmaster need a moment to exit; until then each start fails. */
const START_AGAIN_MILLISECONDS = 250;
/** Attempts to start the server, if it fails for a reason that does not pass by itself. */
const MOST_HOPELESS_STARTS = 3;
const PASSING_START_FAILURE = /lock file|shared memory block|in use|TCP\/IP socket|shutting down|starting up/;

type Log = (message: string) => void;

interface EmbeddedOptions {
  /** Created if it does not exist. */
  readonly dataDir: string;
  readonly log: Log;
  /**
   * How long the whole start may take, 60 by default: creating a cluster takes about 1, recovery after a crash more.
   */
  readonly deadlineSeconds?: number;
  /** PostgreSQL settings for the server, if this call starts it. `fsync` off also skips the syncs of initdb. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Throws if the folder has no cluster, instead of creating one. */
  readonly mustExist?: boolean;
}

export interface EmbeddedServer {
  /** The connection URL of the `slotkeeper` database. */
  readonly url: string;
  /**
   * Gives up this process's share; the last process stops the server. Does not throw if the server has already stopped.
   */
  release(): Promise<void>;
}

/**
 * Attaches to the server of the data folder; creates and starts it first if necessary.
 *
 * @throws OperatorError with one sentence that an operator can act on.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const deadline = new Deadline(options.deadlineSeconds ?? DEADLINE_SECONDS);
  if (options.mustExist) await requireFolder(options.dataDir);
  const place = await findPlace(options.dataDir, options.log);
  if (options.mustExist) await requireFolder(place.home);
  const sync = options.settings?.fsync !== 'off';
  const cluster = await openCluster(place, { timeoutSeconds: deadline.secondsLeft(), sync });
  if (cluster.isNew) options.log(`Created a new PostgreSQL database in ${place.home}.`);
  const { share, address } = await attach(place, cluster, deadline, options);
  let released: Promise<void> | undefined;
  return {
    url: `postgresql://${ROLE}:${address.password}@127.0.0.1:${address.port}/${DATABASE}`,
    release() {
      released ??= release(share, place, cluster, options.log);
      return released;
    },
  };
}

/** Throws only if the folder does not exist; any other fault is reported where the folder is used. */
async function requireFolder(path: string): Promise<void> {
  const code = await stat(path).then(() => undefined, codeOf);
  if (code === 'ENOENT') throw notStarted(`There is no database in ${resolve(path)}`);
}

class Deadline {
  readonly seconds: number;
  readonly #at: number;

  constructor(seconds: number) {
    this.seconds = seconds;
    this.#at = performance.now() + seconds * 1000;
  }

  secondsLeft(): number {
    return Math.max(0, (this.#at - performance.now()) / 1000);
  }
}

interface Attached {
  readonly share: Share;
  readonly address: Address;
}

/** Connects or starts until it has a share: the server may be starting, stopping or crashed at any moment. */
async function attach(place: Place, cluster: Cluster, deadline: Deadline, options: EmbeddedOptions): Promise<Attached> {
  const starter = new Starter(place, cluster, deadline, options);
  let reason = 'the server was never ready';
  while (deadline.secondsLeft() > 0) {
    const state = await inspect(cluster, options.log);
    if (state.kind === 'ready') {
      const address = { port: state.port, password: cluster.password };
      const share = await take(address, place, cluster, options.log).catch((error: unknown) => {
        if (!isPassing(error)) throw error;
        reason = reasonOf(error);
        return undefined;
      });
      if (share) return { share, address };
    } else if (state.kind === 'down') {
      starter.start();
    }
    starter.throwIfHopeless();
    await sleep(LOOK_AGAIN_MILLISECONDS);
  }
  throw new OperatorError(
    `PostgreSQL did not start in ${place.home} within ${deadline.seconds} s: ${starter.failure ?? reason} ` +
      `(its log is ${cluster.logFile}).`,
  );
}

/** Starts the server in the background, one attempt at a time. */
class Starter {
  failure: string | undefined;
  readonly #place: Place;
  readonly #cluster: Cluster;
  readonly #deadline: Deadline;
  readonly #options: EmbeddedOptions;
  #isBusy = false;
  #hopelessStarts = 0;
  #thrown: unknown;

  constructor(place: Place, cluster: Cluster, deadline: Deadline, options: EmbeddedOptions) {
    this.#place = place;
    this.#cluster = cluster;
    this.#deadline = deadline;
    this.#options = options;
  }

  start(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#attempt()
      .catch((error: unknown) => {
        this.#thrown = error;
      })
      .finally(() => {
        this.#isBusy = false;
      });
  }

  throwIfHopeless(): void {
    if (this.#thrown) throw this.#thrown;
    if (this.#hopelessStarts < MOST_HOPELESS_STARTS) return;
    throw new OperatorError(
      `PostgreSQL does not start in ${this.#place.home}: ${this.failure} (its log is ${this.#cluster.logFile}).`,
    );
  }

  async #attempt(): Promise<void> {
    const settings = this.#options.settings ?? {};
    const timeoutSeconds = this.#deadline.secondsLeft();
    this.failure = await start(this.#place, this.#cluster, { settings, timeoutSeconds });
    if (this.failure === undefined) return;
    if (!PASSING_START_FAILURE.test(this.failure)) this.#hopelessStarts += 1;
    await sleep(START_AGAIN_MILLISECONDS, undefined, { ref: false });
  }
}

/** Takes a share and ensures that the database exists; undefined if the server is being stopped. */
async function take(address: Address, place: Place, cluster: Cluster, log: Log): Promise<Share | undefined> {
  try {
    const share = await Share.take(address);
    if (!share) return undefined;
    await createDatabase(address).catch(async (error: unknown) => {
      await release(share, place, cluster, log);
      throw error;
    });
    return share;
  } catch (error) {
    if (isPassing(error)) throw error;
    const hint = codeOf(error) === '28P01' ? `; does ${place.home}/password belong to another cluster?` : '.';
    throw new OperatorError(`The database in ${place.home} cannot be used: ${reasonOf(error)}${hint}`);
  }
}

async function createDatabase(address: Address): Promise<void> {
  const client = await connect(address);
  try {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE} TEMPLATE template0`);
  } catch (error) {
    // Another process was first.
    if (codeOf(error) !== '42P04' && codeOf(error) !== '23505') throw error;
  } finally {
    await client.end();
  }
}

async function release(share: Share, place: Place, cluster: Cluster, log: Log): Promise<void> {
  const isLast = await share.leave();
  if (isLast) {
    const failure = await stop(place, cluster, STOP_SECONDS).catch(reasonOf);
    if (failure !== undefined) log(`PostgreSQL in ${place.home} could not be stopped: ${failure}.`);
  }
  await share.finish();
}
