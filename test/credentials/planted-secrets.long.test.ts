// Secrets that are looked for wherever somebody might read them: in the log, in what is answered, in a backup, in the
// metrics, in the tables.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBackup } from '../../src/backup/read-backup.ts';
import { signedQuery } from '../../src/legacy/signature.ts';
import { PrivateTargets } from '../../src/task-classes/built-in/http-request/private-targets.ts';
import { ADMIN, basic, MASTER_KEY, startTestApp, type TestApp } from '../support/app.ts';
import { addBackupTask, fileOf, runTask } from '../support/backups.ts';
import { textOf } from '../support/contents.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { overEventSource, overSocket } from '../support/doors.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';

const planted = (name: string) => `${name}-${randomBytes(12).toString('hex')}`;
const SECRETS = {
  master: MASTER_KEY.toString('latin1'),
  admin: ADMIN.secret,
  imported: planted('imported'),
  named: planted('named'),
  refused: planted('refused'),
  wrong: planted('wrong'),
};
const OLD_KEY = 'old-key';

let folder: string;
let database: TestDatabase;
let app: TestApp;
let receiver: Receiver;
const logged: string[] = [];
/** Everything that was answered. */
const answered: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-planted-'));
  receiver = await startReceiver({
    // It says what it was sent, in a status that is an error and in a body.
    '/echo': (response, { headers }) => void response.writeHead(500).end(JSON.stringify(headers)),
  });
  database = await testDatabase();
  app = await startTestApp(database.url, {
    settings: {
      LOG_LEVEL: 'trace',
      BACKUP_LOCATIONS: [{ name: 'disk', folder, keepAtLeast: 1 }],
      HTTP_ALLOW_PRIVATE: PrivateTargets.parse(`127.0.0.1:${receiver.port}`),
    },
    log: { write: (line: string) => void logged.push(line) },
  });
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
  await receiver?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Asks, whatever the answer is, and keeps that. */
async function ask(query: string, variables: object = {}, authorization = app.authorization): Promise<string> {
  const response = await fetch(`${app.address}/graphql`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return keep(response);
}

async function keep(response: Response): Promise<string> {
  const text = JSON.stringify([...response.headers]) + (await response.text());
  answered.push(text);
  return text;
}

const IMPORT = 'mutation ($input: ImportApiKeyInput!) { importApiKey(input: $input) { apiKey { key } } }';
const SET = 'mutation ($input: SetSecretInput!) { setSecret(input: $input) { secret { name allowedHosts } } }';

/** What goes well, with each secret. */
async function useSecrets(): Promise<void> {
  await ask(IMPORT, { input: { key: OLD_KEY, secret: SECRETS.imported, userLegacyId: 31, userName: 'usernamehere' } });
  const host = `127.0.0.1:${receiver.port}`;
  await ask(SET, {
    input: { name: 'hook', value: SECRETS.named, allowedHosts: [`http://127.0.0.1:${receiver.port}`] },
  });
  const old = (action: string, secret: string) =>
    fetch(`${app.address}/api/v1/api.php?${signedQuery(`target=scheduler&action=${action}`, OLD_KEY, secret)}`);
  expect(await keep(await old('getTasks', SECRETS.imported))).toContain('"success":1');
  for (const action of ['getTasks', 'nonsense', 'deleteTask&taskId=none']) {
    await keep(await old(action, SECRETS.imported));
    await keep(await old(action, SECRETS.wrong));
  }
  const added = await app.query<{ addTask: { task: { id: string } } }>(
    `mutation ($data: JSON) { addTask(input: { name: "Hook", className: "\\\\scheduler\\\\Tasks\\\\HttpRequestTask",
      data: $data, policy: { retry: { attempts: 1 } } }) { task { id } } }`,
    { data: { url: `http://${host}/echo`, headers: { authorization: { secret: 'hook' } } } },
  );
  const run = await runTask(app, added.addTask.task.id);
  expect(run.state).toBe('FAILED');
  expect(receiver.requests[0]?.headers.authorization).toContain(SECRETS.named);
  answered.push(JSON.stringify(run));
}

/** What is refused, what is not understood, and what breaks. */
async function failWithSecrets(): Promise<void> {
  const value = SECRETS.refused;
  await ask(IMPORT, { input: { key: 'a b', secret: value, userLegacyId: 31 } });
  await ask(IMPORT, { input: { key: OLD_KEY, secret: value, userLegacyId: 31 } });
  await ask(IMPORT, { input: { key: 'other', secret: [value], userLegacyId: 31 } });
  await ask(IMPORT, { input: { key: 'other', secret: value, userLegacyId: 'x' } });
  await ask(IMPORT, { input: { key: 'other', secret: value, userLegacyId: 31, misspelt: 1 } });
  await ask(IMPORT, { input: { key: 'other', secret: value } });
  const literal = (secret: string) =>
    ask(`mutation { importApiKey(input: { key: "other", userLegacyId: 31, secret${secret} }) { apiKey { key } } }`);
  for (const secret of [`: ["${value}"]`, `: { a: "${value}" }`, ` "${value}"`, `: ${value}`]) {
    expect(await literal(secret)).toContain('"errors"');
  }
  await ask(
    'mutation ($secret: String!) { importApiKey(input: { key: "o", userLegacyId: 1, secret: $secret }) { apiKey { key } } }',
    {
      secret: { a: `x; y at "z"; ${value}` },
    },
  );
  await ask(SET, { input: { name: 'a b', value, allowedHosts: [] } });
  await ask(SET, { input: { name: 'hook', value: `${value}\0`, allowedHosts: ['example.com'] } });
  await ask(SET, { input: { name: 'hook', value: value.repeat(1_000), allowedHosts: ['example.com'] } });
  await ask('{ viewer { id } }', {}, basic(ADMIN.key, SECRETS.wrong));
  await ask('{ viewer { id } }', {}, `Bearer ${ADMIN.key}.${SECRETS.wrong}`);
  await ask('{ viewer { id } }', {}, `Basic ${SECRETS.wrong}`);
  const closed = await overSocket(app.address, { query: '{ nonsense }' }, basic(ADMIN.key, SECRETS.wrong)).catch(
    (event: { code: number; reason: string }) => `${event.code} ${event.reason}`,
  );
  answered.push(JSON.stringify(closed));
  answered.push(
    JSON.stringify(
      await overEventSource(app.address, { query: 'subscription { nonsense }' }, { authorization: app.authorization }),
    ),
  );
  const change = () =>
    Promise.all([
      ask(SET, { input: { name: 'hook', value: SECRETS.named, allowedHosts: [`http://127.0.0.1:${receiver.port}`] } }),
      ask(IMPORT, { input: { key: 'broken', secret: SECRETS.imported, userLegacyId: 31 } }),
    ]);
  const { em } = database.orm;
  // Statements that break are logged, but for the row that PostgreSQL shows of them.
  for (const table of ['secret', 'api_key']) {
    await em.getConnection().execute(`alter table ${table} add constraint broken check (false) not valid`);
  }
  for (const answer of await change()) expect(answer).toContain('INTERNAL_SERVER_ERROR');
  for (const table of ['secret', 'api_key']) {
    await em.getConnection().execute(`alter table ${table} drop constraint broken`);
  }
  expect(logged.join('')).not.toContain('Failing row contains');
  expect(logged.filter((line) => line.includes('violates check constraint \\"broken'))).toHaveLength(2);
  // And those that lose their connection.
  const kill = `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`;
  for (let round = 0; round < 5; round += 1) {
    const asking = change();
    await em.getConnection().execute(kill);
    await asking;
  }
}

/** As they are, and as they may be written. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret, 'latin1');
  const forms = [secret, ...(['hex', 'base64', 'base64url'] as const).map((form) => bytes.toString(form))];
  return [
    ...forms,
    bytes.toString('hex').toUpperCase(),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ];
}

/** Which of the secrets are in the text. */
function foundIn(text: string): string[] {
  return Object.entries(SECRETS).flatMap(([name, secret]) =>
    formsOf(secret).some((form) => text.includes(form)) ? [name] : [],
  );
}

test('no secret is in a log line, an answer, the metrics, a backup or a table', async () => {
  await useSecrets();
  await failWithSecrets();
  const backup = await addBackupTask(app, { location: 'disk' });
  const file = join(folder, fileOf(await runTask(app, backup)));
  await ask('{ auditLog(first: 500) { edges { node { action target change origin apiKey } } } }');
  await ask('{ events(last: 500) { edges { node { type message data } } } secrets { edges { node { name } } } }');
  await keep(await fetch(`${app.address}/metrics`, { headers: { authorization: app.authorization } }));
  await keep(await fetch(`${app.address}/readyz`));

  // What is looked for would be found.
  expect(foundIn(`x${SECRETS.named}x`)).toEqual(['named']);
  expect(foundIn(Buffer.from(SECRETS.admin).toString('base64'))).toEqual(['admin']);

  expect(logged.join('')).toMatch(/"level":50/);
  for (const line of logged) expect({ line, secrets: foundIn(line) }).toEqual({ line, secrets: [] });
  for (const text of answered.map((each) => each.slice(each.indexOf(']]'))))
    expect({ text, secrets: foundIn(text) }).toEqual({ text, secrets: [] });
  expect(foundIn(await textOf(database.orm))).toEqual([]);

  const archive = await openBackup(file);
  try {
    for (const { name, rows } of archive.manifest.tables) {
      const chunks: Buffer[] = [];
      for await (const chunk of await archive.read(name)) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString('latin1');
      expect(text.length > 0).toBe(rows > 0);
      expect({ name, secrets: foundIn(text) }).toEqual({ name, secrets: [] });
    }
    expect(foundIn(JSON.stringify(archive.manifest))).toEqual([]);
  } finally {
    await archive.close();
  }
});
