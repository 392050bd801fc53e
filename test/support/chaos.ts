// Runners and gateways that are killed, frozen and cut off at random, and what must be true when they are left alone.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/postgresql';
import { type EmbeddedServer, startEmbedded } from '../../src/database/embedded.ts';
import { openOrm } from '../../src/database/orm.ts';
import { addRecorders, askForRuns, checkAccounts, waitUntilQuiet } from './accounts.ts';
import { Follower, Member, markLog } from './cluster.ts';
import { type DatabaseProxy, proxyTo } from './proxy.ts';

const RUNNERS = 3;
const GATEWAYS = 2;
/** Longer than a worker may be silent before its attempts are taken from it. */
const FROZEN_MS = 14_000;

/** Numbers that are the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface ChaosOptions {
  seed: number;
  seconds: number;
  tasks: number;
  dataDir: string;
}

class Chaos {
  readonly #options: ChaosOptions;
  readonly #random: () => number;
  #server: EmbeddedServer;
  readonly #proxy: DatabaseProxy;
  readonly members: Member[];
  readonly log: string[] = [];

  constructor(options: ChaosOptions, server: EmbeddedServer, proxy: DatabaseProxy) {
    this.#options = options;
    this.#random = randomOf(options.seed);
    this.#server = server;
    this.#proxy = proxy;
    this.members = [
      ...Array.from({ length: RUNNERS }, () => new Member('runner', proxy.url)),
      ...Array.from({ length: GATEWAYS }, () => new Member('gateway', proxy.url)),
    ];
  }

  get server(): EmbeddedServer {
    return this.#server;
  }

  get gateways(): Member[] {
    return this.members.slice(RUNNERS);
  }

  #any<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.#random() * items.length)] as Item;
  }

  /** One blow after the other, with a short rest between; frozen members thaw while others are hit. */
  async rage(): Promise<void> {
    const until = Date.now() + this.#options.seconds * 1_000;
    const underWay: Promise<void>[] = [];
    while (Date.now() < until) {
      const roll = this.#random();
      if (roll < 0.45) {
        const member = this.#any(this.members);
        this.log.push(`kill ${this.members.indexOf(member)}`);
        const restarted = member.kill(this.#random() * 1_500);
        underWay.push(restarted);
        await Promise.race([restarted, pause(5_000)]);
      } else if (roll < 0.6) {
        const member = this.members[Math.floor(this.#random() * RUNNERS)] as Member;
        this.log.push(`freeze ${this.members.indexOf(member)}`);
        underWay.push(member.freeze(FROZEN_MS));
        await pause(1_000);
      } else if (roll < 0.85) {
        this.log.push('drop connections');
        this.#proxy.drop();
      } else {
        this.log.push('restart PostgreSQL');
        await this.#restart();
      }
      await pause(500 + this.#random() * 1_500);
    }
    // None may still be hit while the accounts are settled.
    await Promise.all(underWay);
  }

  async #restart(): Promise<void> {
    const { dataDir } = this.#options;
    const file = join(dataDir, 'postgres', 'cluster', 'postmaster.pid');
    process.kill(Number((await readFile(file, 'utf8')).split('\n')[0]), 'SIGKILL');
    const old = this.#server;
    this.#server = await startEmbedded({ dataDir, log: () => undefined, settings: SERVER_SETTINGS });
    this.#proxy.retarget(this.#server.url);
    await old.release().catch(() => undefined);
  }
}

const SERVER_SETTINGS = { fsync: 'off', max_connections: '300' };

/** Rages for the time given and then checks that nothing was lost, doubled or left without an account. */
export async function rageAndCheck(options: ChaosOptions): Promise<void> {
  process.stdout.write(`chaos with the seed ${options.seed}\n`);
  const server = await startEmbedded({ dataDir: options.dataDir, log: () => undefined, settings: SERVER_SETTINGS });
  const proxy = await proxyTo(server.url);
  const chaos = new Chaos(options, server, proxy);
  const followers: Follower[] = [];
  let orm: MikroORM | undefined;
  try {
    await Promise.all(chaos.members.map(({ process }) => process));
    orm = await openOrm(proxy.url, 4);
    const gateway = await (chaos.gateways[0] as Member).process;
    const start = await markLog(gateway);
    const taskIds = await addRecorders(orm, options.tasks);
    const begin = new Date();
    followers.push(new Follower(chaos.gateways, start), new Follower(chaos.gateways.toReversed(), start));
    let over = false;
    const asking = askForRuns(chaos.gateways, taskIds.slice(0, 20), () => over);
    await chaos.rage();
    over = true;
    const asked = await asking;
    await Promise.all(chaos.members.map(({ process }) => process));
    await waitUntilQuiet(orm, await (chaos.gateways[0] as Member).process, taskIds);
    const accounts = await checkAccounts(orm, begin, followers, asked);
    process.stdout.write(`${blowsOf(chaos.log)}; ${accounts}\n`);
  } catch (error) {
    process.stdout.write(`${chaos.log.join(', ')}\n`);
    throw error;
  } finally {
    await Promise.all(followers.map((follower) => follower.stop()));
    await Promise.all(chaos.members.map((member) => member.stop()));
    await orm?.close();
    await proxy.cut();
    await chaos.server.release();
    await rm(options.dataDir, { recursive: true, force: true });
  }
}

function blowsOf(log: readonly string[]): string {
  const kinds = Map.groupBy(log, (blow) => blow.replace(/ \d+$/, ''));
  return [...kinds].map(([kind, blows]) => `${kind}: ${blows.length}`).join(', ');
}
