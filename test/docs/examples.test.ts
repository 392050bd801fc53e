// What the documentation shows, done as a reader does it: on a server that has just started.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parse } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ADMIN, startTestApp, type TestApp } from '../support/app.ts';
import { CHILD_ENVIRONMENT } from '../support/child-environment.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type CodeBlock, codesOf, readPage, tableRows } from '../support/markdown.ts';
import { PROJECT, shell } from '../support/npm-start.ts';

/** Commands that start or test the whole product, and the test that does so. */
const ELSEWHERE: Record<string, string> = {
  'npm ci && npm start': 'start-stop.test.ts',
  'npm ci && npm test': 'this run itself',
};

/** The README first, since its calls are the first ones that a reader makes; then the others on what it left. */
const PAGES_THAT_RUN = ['README.md', 'docs/graphql.md'];
/** Their operations are done too; their commands change a machine. */
const PAGES_OF_OPERATIONS = ['docs/security.md', 'docs/http-task.md', 'docs/dns.md', 'docs/backup-and-upgrade.md'];

const DAY_MS = 86_400_000;

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  const BACKUP_LOCATIONS = [{ name: 'share', folder: '/nonexistent', keepAtLeast: 1 }];
  app = await startTestApp(database.url, { settings: { BACKUP_LOCATIONS } });
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

interface Present {
  task: { id: string; version: number } | null;
  events: { pageInfo: { endCursor: string | null } };
  users: { edges: { node: { id: string } }[] };
  apiKeys: { edges: { node: { key: string } }[] };
}

/** What the variables of an example stand for at this moment; `after` is the first event, so that a stream has what follows. */
async function presentVariables() {
  const { task, events, users, apiKeys } = await app.query<Present>(`{
    task(by: { legacyId: 1 }) { id version }
    events(first: 1) { pageInfo { endCursor } }
    users(last: 1) { edges { node { id } } }
    apiKeys(first: 1) { edges { node { key } } }
  }`);
  const minute = Math.floor(Date.now() / 60_000) * 60_000;
  return {
    name: 'Every night',
    at: new Date(minute).toISOString(),
    from: new Date(minute - 7 * DAY_MS).toISOString(),
    to: new Date(minute).toISOString(),
    task: task?.id,
    version: task?.version,
    after: events.pageInfo.endCursor,
    user: users.edges[0]?.node.id,
    key: apiKeys.edges[0]?.node.key,
  };
}

async function runOperation(query: string): Promise<void> {
  const variables = await presentVariables();
  const [definition] = parse(query).definitions;
  const isStream = definition?.kind === 'OperationDefinition' && definition.operation === 'subscription';
  const reply = isStream ? await firstOfStream(query, variables) : await app.post(query, variables);
  expect({ query, errors: reply.errors }).toEqual({ query, errors: undefined });
  expect(reply.data).toBeTruthy();
}

/** Opens a stream, and closes it once it has told something. */
async function firstOfStream(query: string, variables: object): Promise<{ data?: unknown; errors?: unknown }> {
  const closing = new AbortController();
  const response = await fetch(`${app.address}/graphql`, {
    method: 'POST',
    headers: { authorization: app.authorization, accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
    signal: closing.signal,
  });
  try {
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      const data = /^data: (.+)$/m.exec(text)?.[1];
      if (data !== undefined) return JSON.parse(data) as { data?: unknown };
    }
    throw new Error(`the stream ended without an event: ${text}`);
  } finally {
    closing.abort();
  }
}

async function runCommand(text: string): Promise<void> {
  const command = text.replaceAll('http://127.0.0.1:4000', app.address);
  const { after } = await presentVariables();
  const settings = { ADMIN_API_KEY: ADMIN.key, ADMIN_API_SECRET: ADMIN.secret, CURSOR: after ?? '' };
  if (command.includes('curl -N')) return runStream(command, settings);
  const { output, code } = await shell(command, settings);
  expect({ command, code, output }).toMatchObject({ code: 0 });
  expect(output).toMatch(/^\{"(data":\{|success":1)/);
  expect(output).not.toContain('"errors"');
}

/** A stream has no end of its own: it is ended once it has told where it is. */
async function runStream(command: string, settings: Record<string, string>): Promise<void> {
  const env = { ...CHILD_ENVIRONMENT, ...settings };
  const child = spawn('bash', ['-c', `exec ${command}`], { cwd: PROJECT, env, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'close');
  let output = '';
  for await (const chunk of child.stdout) {
    output += String(chunk);
    if (/^id: \S+$/m.test(output)) child.kill();
  }
  await ended;
  expect({ command, output }).toEqual({ command, output: expect.stringMatching(/^id: \S+$/m) });
  expect(output).not.toContain('"errors"');
}

async function runBlock({ language, text }: CodeBlock): Promise<void> {
  if (language === 'graphql') await runOperation(text);
  if (language === 'sh' && !Object.hasOwn(ELSEWHERE, text.trim())) await runCommand(text);
}

test('every command and operation of the README and of the page of GraphQL works, in their order', async () => {
  const done = { graphql: 0, sh: 0 };
  for (const path of PAGES_THAT_RUN) {
    for (const block of (await readPage(path)).code) {
      await runBlock(block);
      if (block.language === 'graphql' || block.language === 'sh') done[block.language] += 1;
    }
  }
  expect(done.graphql).toBeGreaterThan(6);
  expect(done.sh).toBeGreaterThan(Object.keys(ELSEWHERE).length + 2);
});

test('what is tried elsewhere is on a page', async () => {
  const commands = (await readPage('README.md')).code.map(({ text }) => text.trim());
  expect(Object.keys(ELSEWHERE).filter((command) => !commands.includes(command))).toEqual([]);
});

test.each(PAGES_OF_OPERATIONS)('every operation of %s works', async (path) => {
  const operations = (await readPage(path)).code.filter(({ language }) => language === 'graphql');
  expect(operations.length).toBeGreaterThan(0);
  for (const { text } of operations) await runOperation(text);
});

test('every rule on the page of schedules is due some time', async () => {
  const rules = tableRows(await readPage('docs/scheduling.md'), 'rule').flatMap(([rule]) => codesOf(rule));
  expect(rules.length).toBeGreaterThan(5);
  for (const rule of rules) {
    const preview = `{ previewSchedule(count: 1, input: { repeatItems: [${rule}] }) { slots { at } neverFires } }`;
    expect(await app.query(preview)).toEqual({
      previewSchedule: { slots: [{ at: expect.any(String) }], neverFires: null },
    });
  }
});

test('the page of task classes has those that come with the product', async () => {
  const listed = tableRows(await readPage('docs/task-classes.md'), 'class').flatMap(([name]) => codesOf(name));
  const { taskClasses } = await app.query<{ taskClasses: { name: string }[] }>('{ taskClasses { name } }');
  expect(listed.toSorted()).toEqual(taskClasses.map(({ name }) => name).toSorted());
});

test('the page of operations has every metric of ours, and no other', async () => {
  const reply = await fetch(`${app.address}/metrics`, { headers: { authorization: app.authorization } });
  const served = [...(await reply.text()).matchAll(/^# TYPE (slotkeeper_\w+)/gm)].map(([, name]) => name);
  const listed = tableRows(await readPage('docs/operations.md'), 'metric').flatMap(([name]) => codesOf(name));
  expect(listed.toSorted()).toEqual(served.toSorted());
});
