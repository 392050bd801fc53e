// Fills an installation through the doors that users have, so that each version writes what it holds in its own way.
import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { HOLDING, type TestApp } from '../support/app.ts';
import { EDITED, tasksOf } from './tasks.ts';

/** Makes a step; null where the version does not know it and may do without. */
export type Attempt = <Result>(what: string, step: () => Promise<Result>) => Promise<Result | null>;

interface Edges {
  edges: { node: { id: string } }[];
}

export class Filler {
  readonly #attempt: Attempt;
  readonly #ids = new Map<string, number>();
  #app: TestApp;

  constructor(app: TestApp, attempt: Attempt) {
    this.#app = app;
    this.#attempt = attempt;
  }

  /** Before the outage. */
  async fill(receiver: string): Promise<void> {
    for (const input of tasksOf(receiver)) {
      const added = await this.#ask<{ addTask: { task: { legacyId: number } } }>(
        'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { legacyId } } }',
        { input },
      );
      if (added !== null) this.#ids.set(input.name, added.addTask.task.legacyId);
    }
    await this.#addPeople();
    await this.#addAddresses();
    await this.#addZone();
    await this.#runTasks();
    await this.#changeTasks();
    await this.#callOldApi();
  }

  /** After it, by the process that was started then: a run under way, one that waits for it, one that waits for its next attempt. */
  async leaveUnfinished(app: TestApp): Promise<void> {
    this.#app = app;
    await this.#run('Is tried again');
    for (let run = 0; run < 3; run += 1) await this.#run('Is under way');
    const newest = await this.#runOf('Is under way');
    await this.#ask('mutation ($run: ID!) { cancelRun(input: { run: $run }) { run { state } } }', { run: newest });
    // Until the attempts have begun, and the one that fails at once has.
    await wait(3_000);
  }

  async #addPeople(): Promise<void> {
    const user = await this.#addUser('ops', 'OPERATOR');
    const key = await this.#addKey(user);
    await this.#ask('mutation ($key: String!) { rotateApiKey(input: { key: $key }) { apiKey { key } } }', { key });
    const viewer = await this.#addKey(await this.#addUser('viewer', 'VIEWER'));
    await this.#ask('mutation ($key: String!) { revokeApiKey(input: { key: $key }) { apiKey { key } } }', {
      key: viewer,
    });
    const gone = await this.#addUser('gone', 'OPERATOR');
    await this.#ask('mutation ($user: ID!) { updateUser(input: { user: $user, disabled: true }) { user { id } } }', {
      user: gone,
    });
    await this.#ask(
      `mutation { importApiKey(input: {
        key: "32-5DAYTJQY2TZHOFOB", secret: "an-old-secret", userLegacyId: 31, userName: "usernamehere"
      }) { apiKey { key } } }`,
    );
    await this.#ask(
      `mutation { setSecret(input: {
        name: "BILLING", value: "a value", allowedHosts: ["billing.example.org"]
      }) { secret { name } } }`,
    );
  }

  async #addUser(name: string, role: string): Promise<string | undefined> {
    const added = await this.#ask<{ addUser: { user: { id: string } } }>(
      'mutation ($name: String!, $role: Role!) { addUser(input: { name: $name, role: $role }) { user { id } } }',
      { name, role },
    );
    return added?.addUser.user.id;
  }

  async #addKey(user: string | undefined): Promise<string | undefined> {
    const made = await this.#ask<{ createApiKey: { apiKey: { key: string } } }>(
      'mutation ($user: ID!) { createApiKey(input: { user: $user }) { apiKey { key } } }',
      { user },
    );
    return made?.createApiKey.apiKey.key;
  }

  async #addAddresses(): Promise<void> {
    const added = await this.#ask<{ addIpBlocks: { ipBlocks: { id: string }[] } }>(
      `mutation { addIpBlocks(input: { cidrs: ["192.0.2.0/25", "192.0.2.128/25", "2001:db8::/48"] }) { ipBlocks { id } } }`,
    );
    await this.#ask('mutation { addIpBlocks(input: { pool: "other", cidrs: ["192.0.2.0/24"] }) { ipBlocks { id } } }');
    const [first, second] = added?.addIpBlocks.ipBlocks ?? [];
    const assign =
      'mutation ($id: ID!) { assignIpBlock(input: { id: $id, assignee: "customer 7" }) { ipBlock { id } } }';
    await this.#ask(assign, { id: first?.id });
    await this.#ask(assign, { id: second?.id });
    // Into the holding tank.
    await this.#ask('mutation ($id: ID!) { unassignIpBlock(input: { id: $id }) { ipBlock { id } } }', {
      id: second?.id,
    });
  }

  async #addZone(): Promise<void> {
    await this.#ask('mutation { addDnsServer(input: { name: "ns1", description: "First" }) { dnsServer { id } } }');
    await this.#ask(
      `mutation { addDnsZone(input: {
        name: "example.com", serial: 2026010105, soa: { primaryServer: "ns1", contact: "hostmaster@example.com" }
      }) { dnsZone { id } } }`,
    );
    await this.#ask(
      `mutation { addDnsRecords(input: { zone: { name: "example.com" }, records: [
        { name: "@", type: NS, value: "ns1" }
        { name: "ns1", type: A, value: "192.0.2.1" }
        { name: "@", type: MX, priority: 10, value: "mail.provider.net" }
        { name: "@", type: TXT, value: "v=spf1 -all" }
        { name: "www", type: CNAME, value: "@", ttl: 300 }
      ] }) { dnsRecords { id } } }`,
    );
  }

  async #runTasks(): Promise<void> {
    await this.#run('Works');
    await this.#run('Works', 'a key of mine');
    await this.#run('Daily');
    await this.#run('Fails');
    await this.#ask('mutation ($run: ID!) { retryRun(input: { run: $run, waitSeconds: 10 }) { run { id } } }', {
      run: await this.#runOf('Fails'),
    });
    const day = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    await this.#ask(
      `mutation ($task: Int!, $from: DateTime!, $to: DateTime!) {
        backfillTask(input: { task: { legacyId: $task }, from: $from, to: $to }) { runs { id } }
      }`,
      { task: this.#ids.get('Daily'), from: `${day}T00:00:00Z`, to: `${day}T23:59:00Z` },
    );
  }

  async #changeTasks(): Promise<void> {
    const change = (field: string, name: string) =>
      this.#ask(`mutation ($task: Int!) { ${field}(input: { task: { legacyId: $task } }) { task { id } } }`, {
        task: this.#ids.get(name),
      });
    await change('pauseTask', 'Paused');
    await change('deleteTask', 'Deleted');
    for (const hour of [2, 3]) {
      await this.#ask(
        `mutation ($task: Int!, $data: JSON, $hour: Int) {
          updateTask(input: { task: { legacyId: $task }, data: $data, repeatItems: [{ hour: $hour }] }) { task { id } }
        }`,
        { task: this.#ids.get(EDITED), data: { holding_days: hour }, hour },
      );
    }
  }

  /** With a call that is repeated under its key. */
  async #callOldApi(): Promise<void> {
    const body = JSON.stringify({
      user_id: 1,
      name: 'Of the old API',
      class_name: HOLDING,
      active: true,
      repeat_items: [{ repeat_hour: 8 }, { repeat_interval: 2, repeat_start: '2026-01-01', repeat_hour: 9 }],
    });
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'a key of an old caller' };
    const call = (action: string, init?: RequestInit) =>
      this.#attempt(action, () => this.#app.legacy(`target=scheduler&action=${action}`, init));
    for (let time = 0; time < 2; time += 1) await call('addTask', { method: 'POST', headers, body });
    await call('getTasks');
    await call(`executeTask&id=${this.#ids.get('Works')}`);
  }

  /** A task whose name says that it does not end is not waited for. */
  async #run(name: string, idempotencyKey?: string): Promise<void> {
    await this.#ask(
      `mutation ($task: Int!, $idempotencyKey: String, $waitSeconds: Int) {
        executeTask(input: {
          task: { legacyId: $task }, idempotencyKey: $idempotencyKey, waitSeconds: $waitSeconds
        }) { run { id } }
      }`,
      { task: this.#ids.get(name), idempotencyKey, waitSeconds: name.startsWith('Is ') ? null : 10 },
    );
  }

  /** The newest one. */
  async #runOf(name: string): Promise<string | undefined> {
    const found = await this.#ask<{ task: { runs: Edges } }>(
      'query ($task: Int!) { task(by: { legacyId: $task }) { runs(first: 1) { edges { node { id } } } } }',
      { task: this.#ids.get(name) },
    );
    return found?.task.runs.edges[0]?.node.id;
  }

  #ask<Data = unknown>(document: string, variables: Record<string, unknown> = {}): Promise<Data | null> {
    return this.#attempt(document, () => this.#app.query<Data>(document, variables));
  }
}

/** Makes it look as if nothing had run for three hours: what was due meanwhile is still to be fired. */
export async function addOutage(client: pg.Client): Promise<void> {
  await client.query(
    `update task set created_at = created_at - interval '3 hours';
     update schedule_version set valid_from = valid_from - interval '3 hours', valid_to = valid_to - interval '3 hours';
     update task set next_run_at = next_run_at - interval '3 hours' where name like 'Often%' or name like 'Hourly%'`,
  );
}
