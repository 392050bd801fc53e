// The product beside two real name servers, and what a test of pushes asks of them.
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import type { DnsServersSettings } from '../../src/dns/server-settings.ts';
import { startTestApp, type TestApp } from './app.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { type RunningServer, startBind, startKnot } from './name-servers.ts';

export const PUSH = '\\scheduler\\Tasks\\DNSPushTask';

export interface PushRun {
  id: string;
  state: string;
  message: string;
  events: { edges: { node: { message: string | null } }[] };
}

export const RUN = 'id state message events(filter: { types: [LOG] }) { edges { node { message } } }';

/** What a push ended with, and the lines that it logged. */
export interface Pushed {
  state: string;
  message: string;
  lines: string[];
}

/** BIND and Knot, and an application that pushes to them; each test begins without zones, there and here. */
export class PushStage {
  readonly database: TestDatabase;
  readonly bind: RunningServer;
  readonly knot: RunningServer;
  app: TestApp;
  task = '';

  private constructor(database: TestDatabase, bind: RunningServer, knot: RunningServer, app: TestApp) {
    this.database = database;
    this.bind = bind;
    this.knot = knot;
    this.app = app;
  }

  static async open(): Promise<PushStage> {
    const [database, bind, knot] = await Promise.all([testDatabase(), startBind(), startKnot()]);
    const app = await startTestApp(database.url, {
      settings: { DNS_SERVERS: { bind: bind.settings, knot: knot.settings } },
    });
    const stage = new PushStage(database, bind, knot, app);
    stage.task = await stage.addTask();
    for (const name of ['bind', 'knot']) await stage.addServer(name);
    return stage;
  }

  async close(): Promise<void> {
    await this.app.stop();
    await Promise.all([this.bind.remove(), this.knot.remove()]);
    await this.database.close();
  }

  get both(): RunningServer[] {
    return [this.bind, this.knot];
  }

  get servers(): DnsServersSettings {
    return { bind: this.bind.settings, knot: this.knot.settings };
  }

  /** Puts an application with these settings in the place of the present one. */
  async restart(servers: DnsServersSettings = this.servers): Promise<void> {
    await this.app.stop();
    this.app = await startTestApp(this.database.url, { settings: { DNS_SERVERS: servers, LEASE_SECONDS: 10 } });
  }

  async clear(): Promise<void> {
    await this.database.orm.em.fork().getConnection().execute('truncate dns_zone cascade');
    expect(await this.push()).toMatchObject({ state: 'SUCCEEDED' });
  }

  async addTask(): Promise<string> {
    const { addTask } = await this.app.query<{ addTask: { task: { id: string } } }>(
      'mutation ($className: String!) { addTask(input: { name: "Push", className: $className }) { task { id } } }',
      { className: PUSH },
    );
    return addTask.task.id;
  }

  async addServer(name: string): Promise<string> {
    const { addDnsServer } = await this.app.query<{ addDnsServer: { dnsServer: { id: string } } }>(
      'mutation ($name: String!) { addDnsServer(input: { name: $name }) { dnsServer { id } } }',
      { name },
    );
    return addDnsServer.dnsServer.id;
  }

  /** A zone that can be pushed, with these records besides. */
  async addZone(name: string, records: object[] = []): Promise<void> {
    await this.app.query(
      'mutation ($name: String!, $soa: DnsSoaInput!) { addDnsZone(input: { name: $name, soa: $soa }) { dnsZone { id } } }',
      { name, soa: { primaryServer: 'ns1.example.com', contact: 'hostmaster@example.com' } },
    );
    const servers = name.endsWith('.arpa')
      ? [{ name: '@', type: 'NS', value: 'ns1.example.com' }]
      : [
          { name: '@', type: 'NS', value: 'ns1' },
          { name: 'ns1', type: 'A', value: '192.0.2.1' },
        ];
    await this.add(name, [...servers, ...records]);
  }

  /** The ids of the records. */
  async add(zone: string, records: object[]): Promise<string[]> {
    const { addDnsRecords } = await this.app.query<{ addDnsRecords: { dnsRecords: { id: string }[] } }>(
      `mutation ($zone: DnsZoneBy!, $records: [DnsRecordInput!]!) {
        addDnsRecords(input: { zone: $zone, records: $records }) { dnsRecords { id } }
      }`,
      { zone: { name: zone }, records },
    );
    return addDnsRecords.dnsRecords.map(({ id }) => id);
  }

  async push(data: object = {}, task = this.task): Promise<Pushed> {
    const { state, message, events } = await this.begin(data, 60, task);
    return { state, message, lines: events.edges.map(({ node }) => node.message ?? '') };
  }

  async begin(data: object = {}, waitSeconds = 0, task = this.task): Promise<PushRun> {
    const { executeTask } = await this.app.query<{ executeTask: { run: PushRun } }>(
      `mutation ($task: ID!, $data: JSON, $waitSeconds: Int!) {
        executeTask(input: { task: { id: $task }, data: $data, waitSeconds: $waitSeconds }) { run { ${RUN} } }
      }`,
      { task, data, waitSeconds },
    );
    return executeTask.run;
  }

  async run(id: string): Promise<PushRun> {
    const { run } = await this.app.query<{ run: PushRun }>(`query ($id: ID!) { run(id: $id) { ${RUN} } }`, { id });
    return run;
  }

  /** The serial that the zone has here. */
  async serialOf(zone: string): Promise<number> {
    const { dnsZone } = await this.app.query<{ dnsZone: { serial: number } }>(
      'query ($zone: String!) { dnsZone(by: { name: $zone }) { serial } }',
      { zone },
    );
    return dnsZone.serial;
  }

  /** The serials that BIND and Knot answer; null where they do not serve the zone. */
  served(zone: string): Promise<(number | null)[]> {
    return Promise.all(this.both.map((server) => server.serialOf(zone)));
  }

  /** What is known here of the zone on each server. */
  async states(zone: string): Promise<object[]> {
    const { dnsZone } = await this.app.query<{ dnsZone: { servers: object[] } }>(
      'query ($zone: String!) { dnsZone(by: { name: $zone }) { servers { server { name } serial error } } }',
      { zone },
    );
    return dnsZone.servers;
  }

  /** Files of the servers that are neither zones nor the list of them. */
  async leftovers(): Promise<string[]> {
    const names = await Promise.all(this.both.map(({ settings }) => readdir(settings.directory)));
    return names.flat().filter((name) => !name.endsWith('.zone') && name !== 'zones.conf');
  }
}

/** A stage for the tests of the block; call it there, and the function that it returns in the tests. */
export function pushStage(): () => PushStage {
  let stage: PushStage | undefined;
  const open = () => {
    if (stage === undefined) throw new Error('the stage is not open');
    return stage;
  };
  beforeAll(async () => {
    stage = await PushStage.open();
  });
  beforeEach(() => open().clear());
  afterAll(() => stage?.close());
  return open;
}
