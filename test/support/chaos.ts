// Runners and gateways that are killed, frozen and cut off at random, and what must be true when they are left alone.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { MikroORM } from '@mikro-orm/postgresql';
import { createClient } from 'graphql-ws';
import { expect } from 'vitest';
import WebSocket from 'ws';
import { type EmbeddedServer, startEmbedded } from '../../src/database/embedded.ts';
import { openOrm } from '../../src/database/orm.ts';
import { readCoverage } from '../../src/runner/coverage.ts';
import { ADMIN, basic } from './app.ts';
import { RECORDER } from './chaos-process.ts';
import { type AppProcess, startProcess } from './process.ts';
import { type DatabaseProxy, proxyTo } from './proxy.ts';
import { addTasks, everyHourAt, findBroken, rows } from './races.ts';

const PROGRAM = fileURLToPath(new URL('./chaos-process.ts', import.meta.url));
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

/** A member of the cluster that comes back whenever it was killed. */
class Member {
  readonly #role: 'runner' | 'gateway';
  readonly #url: string;
  #process: Promise<AppProcess>;

  constructor(role: 'runner' | 'gateway', url: string) {
    this.#role = role;
    this.#url = url;
    this.#process = this.#start();
  }

  /** Tries until it starts: the database may be away just then. */
  async #start(): Promise<AppProcess> {
    for (;;) {
      const settings = { ROLE: this.#role, LOG_LEVEL: 'fatal', GRACE_SECONDS: '1' };
      const started = await startProcess(this.#url, settings, PROGRAM).catch(() => null);
      if (started !== null) return started;
      await pause(200);
    }
  }

  get process(): Promise<AppProcess> {
    return this.#process;
  }

  async kill(downMs: number): Promise<void> {
    const { child } = await this.#process;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    this.#process = pause(downMs).then(() => this.#start());
    await this.#process;
  }

  async freeze(milliseconds: number): Promise<void> {
    const { child } = await this.#process;
    child.kill('SIGSTOP');
    await pause(milliseconds);
    child.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await (await this.#process).stop();
  }
}

/** Follows all events of runs over WebSockets, from one gateway to the next, resuming by cursor each time. */
class Follower {
  readonly cursors: string[] = [];
  readonly #gateways: readonly Member[];
  readonly #start: string | null;
  #stopped = false;
  #following: Promise<void>;

  /** `start` is where the log stood before anything ran. */
  constructor(gateways: readonly Member[], start: string | null) {
    this.#gateways = gateways;
    this.#start = start;
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#following;
  }

  async #follow(): Promise<void> {
    for (let turn = 0; !this.#stopped; turn += 1) {
      const { address } = await (this.#gateways[turn % GATEWAYS] as Member).process;
      await this.#read(address).catch(() => undefined);
      await pause(50);
    }
  }

  async #read(address: string): Promise<void> {
    const client = createClient({
      url: `${address.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: basic(ADMIN.key, ADMIN.secret) },
      retryAttempts: 0,
    });
    const stop = setInterval(() => {
      if (this.#stopped) client.dispose();
    }, 50);
    try {
      const query = 'subscription ($after: String) { runEvents(after: $after) { cursor } }';
      const events = client.iterate<{ runEvents: { cursor: string } }>({
        query,
        variables: { after: this.cursors.at(-1) ?? this.#start },
      });
      for await (const { data } of events) if (data) this.cursors.push(data.runEvents.cursor);
    } finally {
      clearInterval(stop);
      await client.dispose();
    }
  }
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
    const thawing: Promise<void>[] = [];
    while (Date.now() < until) {
      const roll = this.#random();
      if (roll < 0.45) {
        const member = this.#any(this.members);
        this.log.push(`kill ${this.members.indexOf(member)}`);
        await Promise.race([member.kill(this.#random() * 1_500), pause(5_000)]);
      } else if (roll < 0.6) {
        const member = this.members[Math.floor(this.#random() * RUNNERS)] as Member;
        this.log.push(`freeze ${this.members.indexOf(member)}`);
        thawing.push(member.freeze(FROZEN_MS));
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
    await Promise.all(thawing);
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

/** Asks for runs by hand now and then, each under a key, again until it is answered. Returns how many were asked for. */
async function askForRuns(chaos: Chaos, taskIds: readonly number[], isOver: () => boolean): Promise<number> {
  let asked = 0;
  for (; !isOver(); asked += 1) {
    const variables = { task: taskIds[asked % taskIds.length], key: `ask ${asked}` };
    for (let turn = asked; ; turn += 1) {
      const gateway = await (chaos.gateways[turn % GATEWAYS] as Member).process;
      const reply = await gateway
        .post<{ executeTask: { run: { id: string } } | null }>(
          `mutation ($task: Int!, $key: String!) {
            executeTask(input: { task: { legacyId: $task }, idempotencyKey: $key }) { run { id } }
          }`,
          variables,
        )
        .catch(() => null);
      if (reply?.data?.executeTask) break;
      await pause(100);
    }
    await pause(100);
  }
  return asked;
}

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
    const taskIds = await prepare(orm, options.tasks);
    const begin = new Date();
    const gateway = await (chaos.gateways[0] as Member).process;
    const { events } = await gateway.query<{ events: { pageInfo: { endCursor: string | null } } }>(
      '{ events(last: 1) { pageInfo { endCursor } } }',
    );
    const start = events.pageInfo.endCursor;
    followers.push(new Follower(chaos.gateways, start), new Follower(chaos.gateways.toReversed(), start));
    let over = false;
    const asking = askForRuns(chaos, taskIds.slice(0, 20), () => over);
    await chaos.rage();
    over = true;
    const asked = await asking;
    await Promise.all(chaos.members.map(({ process }) => process));
    await settle(orm, await (chaos.gateways[0] as Member).process, taskIds);
    await check(orm, begin, followers, asked, chaos.log);
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

async function prepare(orm: MikroORM, count: number): Promise<number[]> {
  await rows(orm.em, 'create table recorded (run_id bigint, attempt int, what text)');
  const rule = { ...everyHourAt(0), minute: null };
  const ids = await addTasks(orm.em, {
    count,
    rule,
    from: new Date(),
    catchUp: 'ALL',
    overlap: 'QUEUE',
    retryAttempts: 20,
  });
  await rows(orm.em, 'update task set class_name = ?', [RECORDER]);
  return ids;
}

function blowsOf(log: readonly string[]): string {
  const kinds = Map.groupBy(log, (blow) => blow.replace(/ \d+$/, ''));
  return [...kinds].map(([kind, blows]) => `${kind}: ${blows.length}`).join(', ');
}

/** Pauses all tasks and waits until every run is finished. */
async function settle(orm: MikroORM, gateway: AppProcess, taskIds: readonly number[]): Promise<void> {
  for (const task of taskIds) {
    const pauseTask = 'mutation ($task: Int!) { pauseTask(input: { task: { legacyId: $task } }) { task { active } } }';
    // The last blow may still be felt: a connection that was cut answers with an error once.
    const paused = async () => {
      const reply = await gateway.post<{ pauseTask: unknown }>(pauseTask, { task }).catch(() => null);
      return reply?.data?.pauseTask;
    };
    await expect.poll(paused, { timeout: 10_000 }).toEqual({ task: { active: false } });
  }
  const unfinished = `select count(*)::int as n from run where state in ('QUEUED', 'RUNNING')`;
  const due = 'select count(*)::int as n from task where next_run_at <= now()';
  await expect
    .poll(async () => [...(await rows(orm.em, unfinished)), ...(await rows(orm.em, due))], {
      timeout: 120_000,
      interval: 500,
    })
    .toEqual([{ n: 0 }, { n: 0 }]);
}

async function check(orm: MikroORM, begin: Date, followers: Follower[], asked: number, log: string[]): Promise<void> {
  const { em } = orm;
  const coverage = await readCoverage(em, begin, new Date(), null);
  expect(coverage).toMatchObject({ unaccounted: 0, missing: [] });
  expect(await findBroken(em)).toEqual([]);
  // A run that succeeded did so once, and its code says that it came to its end.
  const doubled = `select run_id from event where type = 'SUCCEEDED' group by run_id having count(*) > 1`;
  expect(await rows(em, doubled)).toEqual([]);
  const unrecorded = `
    select id from run where state = 'SUCCEEDED'
      and not exists (select from recorded r where r.run_id = run.id and r.attempt = run.attempt and r.what = 'ended')`;
  expect(await rows(em, unrecorded)).toEqual([]);
  // What the code says of attempts and what the log says of them is the same: none was made in secret, or twice.
  const secret = `
    select run_id, attempt from recorded where what = 'begun' group by run_id, attempt
    having count(*) > (select count(*) from event e where e.run_id = recorded.run_id and e.attempt = recorded.attempt and e.type = 'STARTED')`;
  expect(await rows(em, secret)).toEqual([]);
  const [manual] = await rows<{ n: number }>(em, `select count(*)::int as n from run where trigger = 'MANUAL'`);
  expect(manual?.n).toBe(asked);

  const stored = await rows<{ seq: number }>(em, 'select seq from event where run_id is not null order by seq');
  const expected = stored.map(({ seq }) => Number(seq));
  for (const follower of followers) {
    const seen = () =>
      follower.cursors.map((cursor) => Number(Buffer.from(cursor, 'base64url').toString().split('.')[1]));
    await expect.poll(() => follower.cursors.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(expected.length);
    expect(seen()).toEqual(expected);
  }
  const [counts] = await rows<{ states: string }>(
    em,
    `select string_agg(n || ' ' || state, ', ') as states from (select state, count(*) as n from run group by state) as s`,
  );
  process.stdout.write(
    `${blowsOf(log)}; ${coverage?.expected} slots: ${coverage?.ran} ran, ${coverage?.skipped} skipped, 0 unaccounted; runs: ${counts?.states}; ${expected.length} events\n`,
  );
}
