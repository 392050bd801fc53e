// What PostgreSQL reads for each operation of the product, on a large installation: never a whole table, unless all of
// it is asked for.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FieldNode, parse, visit } from 'graphql';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ACTIONS } from '../../src/legacy/actions.ts';
import { schema } from '../../src/schema/index.ts';
import { HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { fillDatabase, GROWING, TASKS } from '../support/big-contents.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Plan, watchPlans, wholeReads } from '../support/plans.ts';
import { rows } from '../support/races.ts';
import { scrape } from '../support/scrape.ts';
import { overWebSocketStream, type Stream } from '../support/streams.ts';
import { type HeldAttempt, heldClass } from '../support/test-classes.ts';

interface Permitted {
  /** A part of the statement's text. */
  text: RegExp;
  reads: string;
  because: string;
}

/** The statements that may read a whole table. */
const PERMITTED: readonly Permitted[] = [
  {
    text: /^insert into app_user .* where not exists \(select from app_user\)/,
    reads: 'Seq Scan on app_user',
    because: 'it ends at the first row',
  },
  {
    text: /^\/\* prepared \*\/ select concat_ws\(' ', \(select concat\(count\(\*\), ':', bit_xor/,
    reads: 'Seq Scan on (task|repeat_item)',
    because: 'getTasks of the old API answers with all tasks, and looks whether any has changed',
  },
  {
    text: /^select "id", "name" from "dns_zone" order by "id"$/,
    reads: 'Index Scan of all dns_zone_pkey',
    because: 'a push compares all zones with what the server has',
  },
  {
    text: /^select v\.time_zone, v\.rules/,
    reads: 'Seq Scan on schedule_version',
    because: 'slotLoad counts the slots of all tasks that are due within the range',
  },
  {
    text: /"name" ilike \$/,
    reads: 'Seq Scan on (task|app_user)|Index Only Scan of all task_by_name',
    because: 'a name may hold the text anywhere, and a trigram index is of no use for one letter or two',
  },
];

const held = heldClass();
const usedFields = new Set<string>();
const usedActions = new Set<string>();
const usedPermits = new Set<Permitted>();
let folder: string;
let database: TestDatabase;
let watch: Awaited<ReturnType<typeof watchPlans>>;
let app: TestApp;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-plans-'));
  database = await testDatabase();
  await (await startTestApp(database.url)).stop();
  await fillDatabase(database);
  watch = await watchPlans(database);
  app = await start();
});

afterAll(async () => {
  await app?.stop();
  watch?.stop();
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

function start(): Promise<TestApp> {
  const server = { address: '127.0.0.1', port: 1, directory: folder, load: ['true'], timeoutSeconds: 0.1 };
  return startTestApp(database.url, {
    taskClasses: [held.taskClass],
    settings: { DNS_SERVERS: { 'server 1': server } },
  });
}

/** Records which root fields are used. */
function note(source: string): string {
  visit(parse(source), {
    OperationDefinition: ({ operation, selectionSet }) => {
      for (const field of selectionSet.selections) usedFields.add(`${operation} ${(field as FieldNode).name.value}`);
    },
  });
  return source;
}

function query<Data = Record<string, never>>(source: string, variables?: Record<string, unknown>): Promise<Data> {
  return app.query<Data>(note(source), variables);
}

async function one<Row>(text: string): Promise<Row> {
  return (await rows<Row>(database.orm.em, text))[0] as Row;
}

function globalId(type: string, id: number | string): string {
  return Buffer.from(`${type}:${id}`).toString('base64');
}

/** The first page, the one after it, the last, and the one before that. */
async function turnPages(field: string, args: string, selection: string): Promise<void> {
  const page = async (place: string) => {
    const fields = `edges { node { ${selection} } } pageInfo { startCursor endCursor hasNextPage hasPreviousPage }`;
    const list = `${field}(${[place, args].filter((text) => text !== '').join(', ')}) { ${fields} }`;
    const data = await query<Record<string, { pageInfo: { startCursor: string | null; endCursor: string | null } }>>(
      `{ ${list} }`,
    );
    return data[field]?.pageInfo;
  };
  const first = await page('first: 25');
  if (first?.endCursor) await page(`first: 25, after: "${first.endCursor}"`);
  const last = await page('last: 25');
  if (last?.startCursor) await page(`last: 25, before: "${last.startCursor}"`);
}

const TASK = `id legacyId name className active data dataText owner { id name } repeatItems { hour } timeZone overlap
  nextRunAt lastRunAt hasRunner deletedAt version runs(first: 3) { edges { node { id state } } }
  events(last: 3) { edges { node { type } } }`;
const RUN = `id state trigger slot skipReason task { id name } actor { id } retryOf { id } runner { host }
  events(last: 3) { edges { node { message } } } retries: task { runs(first: 1) { edges { node { id } } } }`;
const EVENT = 'cursor type at message task { id } run { id } actor { id }';

/** The instant that is `hours` from now. */
function wholeMinute(hours: number): string {
  return new Date(Math.floor(Date.now() / 60_000) * 60_000 + hours * 3_600_000).toISOString();
}

function range(hours: number, from = -hours): string {
  return `from: "${wholeMinute(from)}", to: "${wholeMinute(from + hours)}"`;
}

async function readTasks(): Promise<void> {
  for (const field of ['ID', 'NAME', 'NEXT_RUN_AT', 'LAST_RUN_AT']) {
    for (const direction of ['ASC', 'DESC']) {
      await turnPages('tasks', `orderBy: { field: ${field}, direction: ${direction} }`, TASK);
    }
  }
  const task = globalId('Task', 78);
  const filters = [
    'active: true',
    'active: false',
    `className: ${JSON.stringify(HOLDING)}`,
    'className: "class 20"',
    'className: "none"',
    `dueBefore: "${new Date(Date.now() + 10_000_000).toISOString()}"`,
    `ids: ["${task}", "${globalId('Task', 78)}"]`,
    'includeDeleted: true',
    'lastRunState: SUCCEEDED',
    'lastRunState: FAILED',
    'lastRunState: RUNNING',
    'name: "9999"',
    `owner: "${globalId('User', 200)}"`,
    'timeZone: "UTC"',
  ];
  for (const filter of filters) {
    await turnPages('tasks', `filter: { ${filter} }`, 'id');
    await turnPages('tasks', `filter: { ${filter} }, orderBy: { field: NEXT_RUN_AT }`, 'id');
  }
  await query(`{ task(by: { legacyId: 78 }) { ${TASK} } byId: task(by: { id: "${task}" }) { ${TASK} }
    node(id: "${task}") { id } nodes(ids: ["${task}", "${globalId('User', 5)}", "${globalId('Run', 9)}"]) { id } }`);
}

async function readRuns(): Promise<void> {
  const filters = [
    '',
    ...['SUCCEEDED', 'FAILED', 'SKIPPED', 'CANCELLED', 'RUNNING', 'QUEUED'].map((state) => `states: [${state}]`),
    'states: [FAILED, SKIPPED]',
    'states: [FAILED, SKIPPED], triggers: [SCHEDULE]',
    'triggers: [MANUAL]',
    'triggers: [MANUAL, RETRY]',
    'triggers: [BACKFILL]',
    'triggers: [SCHEDULE]',
    'skipReasons: [MISSED]',
    'skipReasons: [OVERLAP]',
    `retryOf: "${globalId('Run', 20)}"`,
    'task: { legacyId: 78 }',
    'task: { legacyId: 78 }, states: [FAILED]',
    range(48, -96).replace('from', 'slotFrom').replace('to', 'slotTo'),
    `${range(48, -96).replace('from', 'slotFrom').replace('to', 'slotTo')}, states: [FAILED, SKIPPED], triggers: [SCHEDULE]`,
  ];
  for (const filter of filters) {
    for (const field of ['ID', 'SLOT']) {
      await turnPages('runs', `filter: { ${filter} }, orderBy: { field: ${field} }`, 'id');
    }
  }
  await turnPages('runs', '', RUN);
  await query(`{ run(id: "${globalId('Run', 20)}") { ${RUN} } }`);
}

async function readEvents(): Promise<void> {
  const filters = [
    '',
    'types: [LOG]',
    'types: [SUCCEEDED]',
    'types: [TASK_ADDED, TASK_UPDATED]',
    'types: [STARTED, SUCCEEDED, FAILED]',
    'task: { legacyId: 78 }',
    'task: { legacyId: 78 }, types: [TASK_ADDED, STARTED]',
    `run: "${globalId('Run', 20)}"`,
    `run: "${globalId('Run', 20)}", types: [LOG]`,
    `actor: "${globalId('User', 200)}"`,
    `actor: "${globalId('User', 1)}"`,
    `actor: "${globalId('User', 200)}", types: [SUCCEEDED]`,
    range(12, -100),
    `${range(12, -100)}, types: [SUCCEEDED]`,
  ];
  for (const filter of filters) await turnPages('events', `filter: { ${filter} }`, EVENT);
  await turnPages('importedLog', 'task: { legacyId: 78 }', 'logId at message');
}

async function readSlots(): Promise<void> {
  const task = globalId('Task', 78);
  const { slot } = await one<{ slot: Date }>('select slot from run where task_id = 78 and slot is not null limit 1');
  await query(`{
    coverage(task: "${task}", ${range(240)}) { expected }
    explainSlot(task: "${task}", at: "${new Date(slot).toISOString()}") { verdict run { id } }
    missed: explainSlot(task: "${task}", at: "${wholeMinute(-480)}") { verdict }
    slotLoad(${range(48, -96)}, stepMinutes: 60) { busiest { count } gaps { count } }
    ofOne: slotLoad(task: "${task}", ${range(48, -96)}, stepMinutes: 60) { busiest { count } }
    ahead: slotLoad(${range(3, 0)}, stepMinutes: 60) { busiest { count } }
    slotLanes(${range(2, -80)}, first: 20) { edges { node { slots { state } } } pageInfo { hasNextPage } }
    upcoming(${range(24, 0)}, first: 20) { at task { id } }
    previewSchedule(input: { repeatItems: [{ hour: 3 }] }, count: 3) { slots { at } }
    lateness { slots p50Seconds } queue { running ready readySince delayed behind }
    runners { id running classNames } installation { heldSince }
  }`);
  await query(`{ coverage(${range(24)}) { expected } }`);
}

async function readPeople(): Promise<void> {
  const user = globalId('User', 200);
  for (const filter of ['', 'name: "user 99"', 'role: OPERATOR', 'role: VIEWER', 'disabled: true', 'disabled: false']) {
    await turnPages('users', `filter: { ${filter} }`, 'id name role apiKeys(first: 3) { edges { node { key } } }');
  }
  for (const filter of ['', 'revoked: true', 'revoked: false', `user: "${user}"`, `user: "${user}", revoked: false`]) {
    await turnPages('apiKeys', `filter: { ${filter} }`, 'key user { name }');
  }
  for (const filter of ['', `actor: "${user}"`, 'action: "setSecret"', 'action: "none"', 'target: "user 99"']) {
    await turnPages('auditLog', `filter: { ${filter} }`, 'action target actor { name }');
  }
  await turnPages('secrets', '', 'name allowedHosts');
  await query(
    '{ viewer { id name } legacyCallers(first: 50) { action calls apiKey { key } } taskClasses { name liveRunners } }',
  );
}

async function readNetwork(): Promise<void> {
  for (const filter of [
    '',
    'family: 4',
    'family: 6',
    'pool: "default"',
    'state: HOLDING',
    'state: AVAILABLE',
    'state: ASSIGNED',
    'within: "10.3.0.0/16"',
  ]) {
    await turnPages('ipBlocks', `filter: { ${filter} }`, 'id cidr');
  }
  const zone = `id name serial records(first: 3) { edges { node { name } } }
    servers { serial error } zoneFile`;
  for (const filter of ['', 'failed: true', 'failed: false', 'nameContains: "zone99"']) {
    await turnPages('dnsZones', `filter: { ${filter} }`, zone);
  }
  await turnPages(
    'dnsServers',
    '',
    `id name zones(first: 3) { edges { node { serial } } }
    failed: zones(first: 3, filter: { failed: true }) { edges { node { error } } }`,
  );
  await query(`{ dnsZone(by: { name: "zone78.example" }) { ${zone}
    some: records(first: 3, filter: { name: "host1", type: A }) { edges { node { id } } } } }`);
}

/** Adds, changes and removes one of each type. */
async function change(): Promise<void> {
  const { addUser } = await query<{ addUser: { user: { id: string } } }>(
    'mutation { addUser(input: { name: "Somebody", role: OPERATOR, idempotencyKey: "a" }) { user { id } } }',
  );
  const { createApiKey } = await query<{ createApiKey: { apiKey: { key: string } } }>(
    `mutation { createApiKey(input: { user: "${addUser.user.id}" }) { apiKey { key } }
      updateUser(input: { user: "${addUser.user.id}", name: "Someone" }) { user { id } }
      importApiKey(input: { key: "old", secret: "old-secret", userLegacyId: 300 }) { apiKey { key } } }`,
  );
  await query(`mutation { rotateApiKey(input: { key: "${createApiKey.apiKey.key}" }) { apiKey { key } formerApiKey { key } }
    revokeApiKey(input: { key: "${createApiKey.apiKey.key}" }) { apiKey { key } }
    setSecret(input: { name: "hook", value: "secret", allowedHosts: ["example.com"] }) { secret { name } }
    deleteSecret(input: { name: "hook" }) { name } }`);
  const { addIpBlocks } = await query<{ addIpBlocks: { ipBlocks: { id: string }[] } }>(
    'mutation { addIpBlocks(input: { cidrs: ["172.16.0.0/24"] }) { ipBlocks { id } } }',
  );
  const block = addIpBlocks.ipBlocks[0]?.id;
  await query(`mutation { assignIpBlock(input: { id: "${block}", assignee: "a" }) { ipBlock { id } }
    unassignIpBlock(input: { id: "${block}" }) { ipBlock { id } } }`);
  const { addDnsServer } = await query<{ addDnsServer: { dnsServer: { id: string } } }>(
    'mutation { addDnsServer(input: { name: "other" }) { dnsServer { id } } }',
  );
  const { addDnsRecords } = await query<{
    addDnsRecords: { dnsZone: { records: { edges: { node: { id: string } }[] } } };
  }>(`mutation {
    addDnsZone(input: { name: "new.example", soa: { primaryServer: "ns1", contact: "a@example.com" } }) { dnsZone { id } }
    addDnsRecords(input: { zone: { name: "new.example" }, records: [{ name: "@", type: TXT, value: "text" }] }) {
      dnsZone { records(first: 1) { edges { node { id } } } } } }`);
  const record = addDnsRecords.dnsZone.records.edges[0]?.node.id;
  await query(`mutation {
    updateDnsRecord(input: { id: "${record}", value: "other" }) { dnsRecord { id } }
    deleteDnsRecord(input: { id: "${record}" }) { deletedId }
    updateDnsZone(input: { zone: { name: "new.example" }, defaultTtl: 60 }) { dnsZone { id } }
    updateDnsServer(input: { id: "${addDnsServer.dnsServer.id}", description: "other" }) { dnsServer { id } }
    deleteDnsServer(input: { id: "${addDnsServer.dnsServer.id}" }) { deletedId }
    deleteDnsZone(input: { zone: { name: "new.example" } }) { deletedId } }`);
}

async function beginRun(task: string): Promise<HeldAttempt> {
  await query(`mutation { executeTask(input: { task: { id: "${task}" } }) { run { id } } }`);
  return held.next();
}

/** Waits until the newest run of a task has the state, and returns its id. */
async function untilNewest(task: string, state: string): Promise<string> {
  return vi.waitFor(
    async () => {
      const { task: found } = await app.query<{ task: { runs: { edges: { node: { id: string; state: string } }[] } } }>(
        `{ task(by: { id: "${task}" }) { runs(first: 1) { edges { node { id state } } } } }`,
      );
      const run = found.runs.edges[0]?.node;
      expect(run?.state).toBe(state);
      return run?.id ?? '';
    },
    { timeout: 30_000 },
  );
}

let added = 0;

async function addTask(className: string, more = ''): Promise<string> {
  added += 1;
  const { addTask: payload } = await query<{ addTask: { task: { id: string } } }>(
    `mutation ($className: String!) { addTask(input: { name: "Task", className: $className, ${more}
      idempotencyKey: "add ${added}" }) { task { id } } }`,
    { className },
  );
  return payload.task.id;
}

/** Lives of tasks: runs with every outcome, one that waits for another, a backfill. */
async function runTasks(): Promise<void> {
  const task = await addTask(held.taskClass.name, 'repeatItems: [{ hour: 3 }], policy: { overlap: QUEUE },');
  await query(`mutation { updateTask(input: { task: { id: "${task}" }, repeatItems: [{ hour: 4 }] }) { task { id } }
    pauseTask(input: { task: { id: "${task}" } }) { task { id } }
    resumeTask(input: { task: { id: "${task}" } }) { task { id } } }`);
  const first = await beginRun(task);
  await query(`mutation { executeTask(input: { task: { id: "${task}" } }) { run { id } } }`);
  first.context.log('line');
  first.context.progress(0.5);
  first.succeed('Done.');
  (await held.next()).fail('broken');
  const failed = await untilNewest(task, 'FAILED');
  await query(`mutation { retryRun(input: { run: "${failed}" }) { run { id } } }`);
  await held.next();
  const retry = await untilNewest(task, 'RUNNING');
  await query(`mutation { cancelRun(input: { run: "${retry}" }) { run { id } } }`);
  await untilNewest(task, 'CANCELLED');
  // A task whose slots of yesterday were missed.
  const missed = await addTask(HOLDING, 'repeatItems: [{ hour: null, minute: 0 }],');
  await rows(
    database.orm.em,
    `update schedule_version set valid_from = now() - interval '1 day' where task_id = (select max(id) from task)`,
  );
  const { backfillTask } = await query<{ backfillTask: { slots: string[] } }>(
    `mutation { backfillTask(input: { task: { id: "${missed}" }, ${range(3)} }) { slots } }`,
  );
  expect(backfillTask.slots).toHaveLength(3);
  await query(`mutation { deleteTask(input: { task: { id: "${missed}" } }) { task { id } } }`);
  for (const className of [HOLDING, '\\scheduler\\Tasks\\DNSPushTask']) {
    const other = await addTask(className);
    await query(`mutation { executeTask(input: { task: { id: "${other}" }, waitSeconds: 20 }) { run { state } } }`);
  }
  // Refused because the installation is not held.
  await app.post(note('mutation { resumeInstallation(input: {}) { installation { heldSince } } }'));
}

/** Tasks that are due at a start. */
async function fireTasks(): Promise<void> {
  const due = () =>
    rows(
      database.orm.em,
      `update task set next_run_at = date_trunc('minute', now()), following_of = null where id between 1000 and 1200
         and next_run_at is not null`,
    );
  await app.stop();
  await due();
  app = await start();
  await vi.waitFor(
    async () =>
      expect((await one<{ n: number }>(`select count(*)::int as n from task where next_run_at <= now()`)).n).toBe(0),
    { timeout: 60_000 },
  );
}

async function scrapeMetrics(): Promise<void> {
  await scrape(app.address, app.authorization);
  await query('mutation { executeTask(input: { task: { legacyId: 83 }, waitSeconds: 20 }) { run { state } } }');
  // The count of the slots continues after the scrape that started it.
  const unaccounted = async () => (await scrape(app.address, app.authorization)).value('slotkeeper_unaccounted_slots');
  await expect.poll(unaccounted).toBeDefined();
}

async function callLegacy(): Promise<void> {
  const calls: Record<string, string> = {
    getTasks: '',
    getTaskHistory: '&taskId=78',
    addTask: `&class=${encodeURIComponent(HOLDING)}&name=Old&active=1&user_id=1&data=[]&repeat=[]`,
    updateTask: '&taskId=80&name=Old',
    executeTask: '&taskId=79',
    deleteTask: '&taskId=79',
  };
  for (const [action, parameters] of Object.entries(calls)) {
    usedActions.add(action);
    for (const key of ['', 'key']) {
      await app.legacy(`target=scheduler&action=${action}${parameters}`, {
        headers: key === '' ? {} : { 'idempotency-key': `${action} ${key}` },
      });
    }
  }
}

async function subscribe(): Promise<void> {
  const { events } = await app.query<{ events: { edges: { cursor: string }[] } }>(
    '{ events(last: 500) { edges { cursor } } }',
  );
  const after = events.edges[0]?.cursor;
  const asked = [
    ['subscription ($after: String) { runEvents(after: $after) { cursor type } }', { after }],
    [
      `subscription ($after: String) { runEvents(after: $after, task: "${globalId('Task', 78)}") { cursor type } }`,
      { after },
    ],
    [
      `subscription ($after: String) { runEvents(after: $after, run: "${globalId('Run', 20)}") { cursor type } }`,
      { after },
    ],
    ['subscription { taskFeed(filter: { name: "Task 78" }) { __typename } }', {}],
    [`subscription { taskFeed(filter: { ids: ["${globalId('Task', 78)}"] }) { __typename } }`, {}],
    ['subscription ($after: String) { taskFeed(after: $after, filter: { active: true }) { __typename } }', { after }],
  ] as const;
  const streams: Stream[] = [];
  for (const [source, variables] of asked)
    streams.push(await overWebSocketStream(app, { query: note(source), variables }));
  await query('mutation { executeTask(input: { task: { legacyId: 78 }, waitSeconds: 20 }) { run { state } } }');
  // The run ended long ago, so no more of its events follow.
  await vi.waitFor(() => expect(streams.filter(({ received }) => received.length > 0)).toHaveLength(asked.length - 1), {
    timeout: 20_000,
  });
  for (const stream of streams) await stream.close();
}

/** Each statement once, with the tables that it reads whole without permission. */
function violations(plans: readonly Plan[]): string[] {
  const found = new Set<string>();
  for (const plan of plans) {
    const text = plan['Query Text'].replaceAll(/\s+/g, ' ').trim();
    for (const read of wholeReads(plan.Plan, GROWING)) {
      const permitted = PERMITTED.find((each) => each.text.test(text) && new RegExp(`^(${each.reads})$`).test(read));
      if (permitted !== undefined) usedPermits.add(permitted);
      else found.add(`${read}: ${text.slice(0, 600)}`);
    }
  }
  return [...found].sort();
}

describe(`with ${TASKS} tasks`, () => {
  test.each([
    ['a start and what is due then', fireTasks],
    ['reads of tasks', readTasks],
    ['reads of runs', readRuns],
    ['reads of events', readEvents],
    ['reads of slots', readSlots],
    ['reads of users and keys', readPeople],
    ['reads of blocks, zones and servers', readNetwork],
    ['changes', change],
    ['runs', runTasks],
    ['calls of the old API', callLegacy],
    ['subscriptions', subscribe],
    ['metrics', scrapeMetrics],
  ])('%s read no whole table', async (_what, use) => {
    watch.plans.length = 0;
    await use();
    expect(watch.plans.length).toBeGreaterThan(5);
    expect(violations(watch.plans)).toEqual([]);
  });

  test('no permission is unused', () => {
    expect(PERMITTED.filter((each) => !usedPermits.has(each))).toEqual([]);
  });

  test('no field and no action was forgotten', () => {
    const fields = (['query', 'mutation', 'subscription'] as const).flatMap((operation) => {
      const type = {
        query: schema.getQueryType(),
        mutation: schema.getMutationType(),
        subscription: schema.getSubscriptionType(),
      }[operation];
      return Object.keys(type?.getFields() ?? {}).map((name) => `${operation} ${name}`);
    });
    expect(fields.filter((field) => !usedFields.has(field))).toEqual([]);
    expect(ACTIONS.map(({ name }) => name).filter((name) => !usedActions.has(name))).toEqual([]);
  });
});
