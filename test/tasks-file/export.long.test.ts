// All tasks as a file, and such a file applied: by the commands, beside a running server.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HOLDING, MASTER_KEY, startTestApp, type TestApp } from '../support/app.ts';
import { type CommandEnd, endOf, ROOT, spawnSlotkeeper } from '../support/command-line.ts';
import { contentsOf } from '../support/contents.ts';
import { addDailyTasks } from '../support/daily-tasks.ts';
import { EMPTY, type TestDatabase, testDatabase } from '../support/database.ts';
import { makeNewerVersion, NEWEST_MIGRATION } from '../support/newer-version.ts';
import { proxyTo } from '../support/proxy.ts';
import { rows } from '../support/races.ts';

type CommandName = 'export' | 'apply' | 'import';
const HTTP = '\\scheduler\\Tasks\\HttpRequestTask';
const DNS_PUSH = '\\scheduler\\Tasks\\DNSPushTask';
const SECRET = 'the-value-of-the-secret';

let database: TestDatabase;
let app: TestApp;
let folder: string;
let file: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-export-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  file = join(folder, 'tasks.json');
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway' } });
  return async () => {
    await app.stop();
    await database.close();
  };
});

/** A process of the command with its standard output unread. `root` is where its version lies. */
function launch(command: CommandName, args: string[], settings: Record<string, string> = {}, root = ROOT) {
  const env = { DATABASE_URL: database.url, MASTER_KEY: MASTER_KEY.toString('hex'), ...settings };
  return spawnSlotkeeper([command, ...args], { settings: env, input: 'the-secret-of-import', root });
}

function start(...launched: Parameters<typeof launch>): { child: ChildProcess; ended: Promise<CommandEnd> } {
  const child = launch(...launched);
  return { child, ended: endOf(child) };
}

const run = (command: CommandName, args: string[] = [], url = database.url) =>
  start(command, args, { DATABASE_URL: url }).ended;
const apply = (...args: string[]) => run('apply', [file, ...args]);

interface Content {
  slotkeeper: number;
  installation: string;
  tasks: Record<string, unknown>[];
}

async function exported(url = database.url): Promise<Content> {
  const { code, out, errors } = await run('export', [], url);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  return JSON.parse(out) as Content;
}

const write = (content: object) => writeFile(file, JSON.stringify(content));

async function add(input: object, on = app): Promise<number> {
  const { addTask } = await on.query<{ addTask: { task: { legacyId: number } } }>(
    'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { legacyId } } }',
    { input: { name: 'A task', className: HOLDING, ...input } },
  );
  return addTask.task.legacyId;
}

const update = (legacyId: number, input: object) =>
  app.query('mutation ($input: UpdateTaskInput!) { updateTask(input: $input) { task { id } } }', {
    input: { task: { legacyId }, ...input },
  });

async function installationOf({ orm }: TestDatabase): Promise<string> {
  const [row] = await rows<{ uuid: string }>(orm.em, 'select uuid from installation');
  return row?.uuid ?? '';
}

/** With an identity of its own, which the copies of one template have not. */
async function otherInstallation(): Promise<{ other: TestDatabase; otherApp: TestApp; stop(): Promise<void> }> {
  const other = await testDatabase();
  await rows(other.orm.em, 'update installation set uuid = gen_random_uuid()');
  const otherApp = await startTestApp(other.url, { settings: { ROLE: 'gateway' } });
  const stop = async () => {
    await otherApp.stop();
    await other.close();
  };
  return { other, otherApp, stop };
}

/** Until so many sessions wait for a lock. */
const waiting = (count: number) =>
  expect
    .poll(() =>
      rows(
        database.orm.em,
        `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      ),
    )
    .toHaveLength(count);

describe('an export', () => {
  test('is all that makes up the tasks, by id and the same to the byte each time, and no secret', async () => {
    await app.query('mutation ($input: SetSecretInput!) { setSecret(input: $input) { secret { name } } }', {
      input: { name: 'BILLING', value: SECRET, allowedHosts: ['example.com'] },
    });
    await add({
      name: 'Invoices "ä"',
      className: HTTP,
      data: { url: 'https://example.com/', headers: { Authorization: { secret: 'BILLING', prefix: 'Bearer ' } } },
      repeatItems: [
        { dayOfMonth: 1, hour: 3 },
        { minute: null, start: '2026-01-01' },
      ],
      timeZone: 'Europe/Berlin',
      policy: { overlap: 'QUEUE', catchUpMaxAgeSeconds: 3600, retry: { attempts: 5, jitter: 0.5 } },
    });
    await add({ name: 'Deleted' });
    await app.query('mutation { deleteTask(input: { task: { legacyId: 2 } }) { task { id } } }');
    await add({ name: 'Exact', dataText: '{"n": 1234567890123456789}', active: false });
    await update(3, { name: 'Exactly' });
    const first = await run('export');
    expect(first.out).toBe(`${JSON.stringify(JSON.parse(first.out), null, 2)}\n`);
    expect(JSON.parse(first.out)).toEqual({
      slotkeeper: 1,
      installation: await installationOf(database),
      tasks: [
        {
          id: 1,
          version: 1,
          name: 'Invoices "ä"',
          className: HTTP,
          active: true,
          owner: 'admin',
          timeZone: 'Europe/Berlin',
          repeatItems: [
            { dayOfMonth: 1, hour: 3, minute: 0 },
            { start: '2026-01-01', minute: null },
          ],
          policy: {
            overlap: 'QUEUE',
            queueLimit: 100,
            catchUp: 'LATEST',
            misfireGraceSeconds: 60,
            catchUpMaxAgeSeconds: 3600,
            retry: { attempts: 5, delaySeconds: 30, backoff: 2, jitter: 0.5 },
            timeoutSeconds: 900,
          },
          data: {
            url: 'https://example.com/',
            headers: { Authorization: { secret: 'BILLING', prefix: 'Bearer ' } },
          },
        },
        expect.objectContaining({
          id: 3,
          version: 2,
          name: 'Exactly',
          active: false,
          dataText: '{"n": 1234567890123456789}',
        }),
      ],
    });
    expect(first.out).not.toContain(SECRET);
    expect(await run('export', ['--to', file])).toEqual({ code: 0, out: `Written to ${file}.\n`, errors: '' });
    expect(await readFile(file, 'utf8')).toBe(first.out);
    expect(await readdir(folder)).toEqual(['tasks.json']);
  });

  test('leaves the file as it was where it cannot be written', async () => {
    const { code, errors } = await run('export', ['--to', join(folder, 'nowhere', 'tasks.json')]);
    expect({ code, errors }).toEqual({ code: 1, errors: expect.stringMatching(/^\S+ cannot be written: ENOENT/) });
  });

  test.each([
    ['to a file', () => ['--to', file]],
    ['to its output', () => []],
  ])('%s that loses its database says so, and writes nothing of the half', async (_where, args) => {
    await writeFile(file, 'as it was');
    const proxy = await proxyTo(database.url);
    const holder = database.orm.em.fork();
    await holder.begin();
    await holder.execute('lock table task in access exclusive mode');
    const exporting = run('export', args(), proxy.url);
    await waiting(1);
    await proxy.cut();
    expect(await exporting).toEqual({
      code: 1,
      out: '',
      errors: expect.stringMatching(/^The connection to the database was lost \(.+\): export again\.\n$/),
    });
    await holder.rollback();
    expect(await readFile(file, 'utf8')).toBe('as it was');
    expect(await readdir(folder)).toEqual(['tasks.json']);
  });

  test('holds no transaction open for a reader who takes a long time, and gives them all of it', async () => {
    await addDailyTasks(database, 3_000);
    const child = launch('export', []);
    await once(child.stdout, 'readable');
    expect(child.exitCode).toBeNull();
    const transactions = `select state from pg_stat_activity
      where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()`;
    await expect.poll(() => rows(database.orm.em, transactions)).toEqual([]);
    const closed = once(child, 'close');
    const content = JSON.parse(await text(child.stdout)) as Content;
    expect(content.tasks).toHaveLength(3_000);
    expect(await closed).toEqual([0, null]);
  });

  test('says that its reader has gone', async () => {
    await addDailyTasks(database, 3_000);
    const child = launch('export', []);
    await once(child.stdout, 'readable');
    const errors = text(child.stderr);
    child.stdout.destroy();
    expect(await errors).toBe('Whoever reads the tasks has gone before all were written.\n');
  });
});

describe('where there is no installation', () => {
  const refused = (errors: RegExp) => ({ code: 1, out: '', errors: expect.stringMatching(errors) });
  const START = 'start Slotkeeper once first, or set DATABASE_URL or DATA_DIR to those of the installation';

  test('an export is refused and makes none: in an empty database, in one without users, in a data folder', async () => {
    const [empty, unused] = [await testDatabase(EMPTY), await testDatabase()];
    expect(await run('export', [], empty.url)).toEqual(
      refused(new RegExp(`^The database "\\w+" holds no installation of Slotkeeper: ${START}\\.\\n$`)),
    );
    expect(await rows(empty.orm.em, `select from pg_class where relnamespace = 'public'::regnamespace`)).toEqual([]);
    expect(await run('export', ['--to', file], unused.url)).toEqual(
      refused(new RegExp(`^There is no admin yet: ${START}\\.\\n$`)),
    );
    const [missing, bare] = [join(folder, 'missing'), await mkdtemp(join(folder, 'bare-'))];
    for (const DATA_DIR of [missing, bare]) {
      expect(await start('export', [], { DATABASE_URL: '', DATA_DIR }).ended).toEqual(
        refused(new RegExp(`There is no database in ${folder}/.+: ${START}\\.\\n$`)),
      );
    }
    expect(await readdir(bare)).toEqual([]);
    await rm(bare, { recursive: true });
    expect(await readdir(folder)).not.toContain('missing');
    await Promise.all([empty.close(), unused.close()]);
  });

  test('the master key is not made: one that is made by a command opens nothing', async () => {
    await write({ slotkeeper: 1, tasks: [] });
    const DATA_DIR = await mkdtemp(join(folder, 'data-'));
    for (const args of [[file], [file, '--dry-run']]) {
      expect(await start('apply', args, { MASTER_KEY: '', DATA_DIR }).ended).toEqual(
        refused(/^There is no master key in \S+: set MASTER_KEY, or DATA_DIR with its master\.key, to those that /),
      );
    }
    expect(await readdir(DATA_DIR)).toEqual([]);
    await rm(DATA_DIR, { recursive: true });
  });
});

test('commands of a newer version that only read leave the tables to the processes that are up', async () => {
  await add({ name: 'Here' });
  await write(await exported());
  const newer = await makeNewerVersion();
  const root = join(dirname(newer.program), '../..');
  const applied = () => rows(database.orm.em, 'select from mikro_orm_migrations where name = ?', [NEWEST_MIGRATION]);
  try {
    for (const [command, args] of [
      ['export', []],
      ['export', ['--to', file]],
      ['apply', [file, '--dry-run']],
      ['import', ['--from', 'http://127.0.0.1:9/api.php', '--key', 'key', '--dry-run']],
    ] as const) {
      const { code, out, errors } = await start(command, [...args], {}, root).ended;
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(errors).toBe(
        `The database has the tables of an older version of Slotkeeper (it lacks ${NEWEST_MIGRATION}), and this command changes nothing: use the command of that version, or start a process of this version first, which migrates the tables.\n`,
      );
    }
    expect(await applied()).toHaveLength(0);
    expect(await apply()).toMatchObject({ code: 0 });
    expect(await start('apply', [file], {}, root).ended).toMatchObject({ code: 0 });
    expect(await applied()).toHaveLength(1);
    expect(await run('export')).toMatchObject({ code: 1, errors: expect.stringContaining('by a newer version') });
  } finally {
    await newer.remove();
  }
});

describe('a file', () => {
  test('is shown in words by a dry run, applied as the mutations would, and then there is nothing to do', async () => {
    await add({ name: 'Changed', repeatItems: [{ hour: 3 }], data: { holding_days: 30 } });
    await add({ name: 'Left alone' });
    const content = await exported();
    Object.assign(content.tasks[0] ?? {}, {
      repeatItems: [{ hour: 4, minute: 30 }],
      data: { holding_days: 7 },
      policy: { retry: { attempts: 3 } },
    });
    await write({ ...content, tasks: [content.tasks[0], { name: 'New', className: HOLDING, repeatItems: [{}] }] });
    const before = await contentsOf(database.orm);
    const dry = await apply('--dry-run');
    expect(dry).toMatchObject({ code: 0, errors: '' });
    expect(dry.out).toContain('+ a new task "New", \\scheduler\\Tasks\\ProcessHoldingTask\n    Every hour; next at ');
    expect(dry.out).toContain('~ task 1 "Changed"\n    repeatItems: Every day at 03:00 → Every day at 04:30\n');
    expect(dry.out).toContain('    data.holding_days: 30 → 7\n');
    expect(dry.out).toContain('    policy.retry.attempts: 1 → 3\n');
    expect(dry.out).toMatch(/Every day at 04:30; next at \d{4}-\d\d-\d\d 04:30, /);
    expect(dry.out).toContain('  task 2 "Left alone" is not in the file: left alone\n');
    expect(dry.out).toContain('1 to add, 1 to change, 0 to delete, 0 as they are, 1 not in the file\n');
    const { out: json } = await apply('--dry-run', '--json');
    expect(JSON.parse(json)).toEqual({
      add: [{ name: 'New' }],
      change: [{ id: 1, name: 'Changed', fields: expect.arrayContaining(['repeatItems', 'policy', 'data']) }],
      delete: [],
      leftAlone: [{ id: 2, name: 'Left alone' }],
      same: 0,
      conflicts: [],
    });
    expect(await contentsOf(database.orm)).toEqual(before);

    const applied = await apply();
    expect(applied).toMatchObject({ code: 0, errors: '' });
    expect(applied.out).toContain('+ task 3 "New"');
    const { events } = await app.query<{ events: { edges: { node: { type: string; data: unknown } }[] } }>(
      '{ events { edges { node { type data actor { name } task { legacyId } } } } }',
    );
    expect(events.edges.map(({ node }) => node).slice(2)).toEqual([
      {
        type: 'TASK_UPDATED',
        actor: { name: 'admin' },
        task: { legacyId: 1 },
        data: expect.objectContaining({
          data: { from: { holding_days: 30 }, to: { holding_days: 7 } },
          retryAttempts: { from: 1, to: 3 },
        }),
      },
      { type: 'TASK_ADDED', actor: { name: 'admin' }, task: { legacyId: 3 }, data: null },
    ]);
    const { auditLog } = await app.query<{ auditLog: { edges: { node: object }[] } }>(
      '{ auditLog { edges { node { actor { name } origin action target change } } } }',
    );
    expect(auditLog.edges.map(({ node }) => node)).toEqual([
      {
        actor: { name: 'admin' },
        origin: 'npm run apply',
        action: 'apply',
        target: 'tasks.json',
        change: { added: 1, changed: 1, deleted: 0, force: false },
      },
    ]);
    const after = await contentsOf(database.orm);
    expect((await apply()).out).toContain(
      '0 to add, 0 to change, 0 to delete, 2 as they are, 1 not in the file\nNothing',
    );
    expect(await contentsOf(database.orm)).toEqual(after);
    expect((await exported()).tasks.map(({ id, version, name }) => [id, version, name])).toEqual([
      [1, 2, 'Changed'],
      [2, 1, 'Left alone'],
      [3, 1, 'New'],
    ]);
  });

  test('deletes what it does not have only where that is asked for', async () => {
    await add({ name: 'Kept' });
    await add({ name: 'Gone' });
    await app.query('mutation { executeTask(input: { task: { legacyId: 2 } }) { run { id } } }');
    const { tasks, ...rest } = await exported();
    await write({ ...rest, tasks: tasks.slice(0, 1) });
    expect((await apply('--delete')).out).toContain(
      '- task 2 "Gone"\n0 to add, 0 to change, 1 to delete, 1 as they are\n',
    );
    expect(await rows(database.orm.em, 'select deleted_at is null as is_here from task order by id')).toEqual([
      { is_here: true },
      { is_here: false },
    ]);
    expect(await rows(database.orm.em, 'select state from run')).toEqual([{ state: 'CANCELLED' }]);
    await write({ ...rest, tasks });
    expect(await apply('--force')).toMatchObject({
      code: 1,
      errors: expect.stringMatching(
        /! task 2 "Gone" was deleted here by "admin" at [\d: -]+ UTC; without id and version/,
      ),
    });
  });

  test('without any task deletes all of them only where that is forced', async () => {
    await add({ name: 'Here' });
    await write({ ...(await exported()), tasks: [] });
    for (const args of [['--delete'], ['--delete', '--dry-run']]) {
      expect(await apply(...args)).toEqual({
        code: 1,
        out: '',
        errors: `${file} has no tasks, so --delete would delete every task here: add --force to do that.\n`,
      });
    }
    expect((await exported()).tasks).toHaveLength(1);
    expect((await apply('--delete', '--force')).out).toContain('1 to delete');
    expect((await exported()).tasks).toEqual([]);
  });

  test('adds a new task beside one of its name that is another, and none that is as it will be', async () => {
    await app.query('mutation { addUser(input: { name: "ops", role: OPERATOR }) { user { id } } }');
    const probe = (more: object = {}) => ({ name: 'Probe', className: HOLDING, ...more });
    await add(probe({ repeatItems: [{ hour: 3 }] }));
    await add(probe({ active: false }));
    await add(probe({ ownerLegacyId: 2 }));
    await add(probe({ policy: { timeoutSeconds: 7 } }));
    await add(probe({ data: { holding_days: 7 } }));
    await add(probe({ timeZone: 'Europe/Berlin' }));
    const tasks = [
      probe(),
      probe({ policy: { retry: { attempts: 2 } } }),
      { ...probe(), name: 'Push', className: DNS_PUSH },
    ];
    await write({ slotkeeper: 1, tasks });
    expect((await apply('--dry-run')).out).toContain('3 to add, 0 to change, 0 to delete, 0 as they are, 6 not in the');
    expect(await apply()).toMatchObject({ code: 0 });
    expect((await apply()).out).toContain('0 to add, 0 to change, 0 to delete, 3 as they are, 6 not in the file');
    await write({ slotkeeper: 1, tasks: [...tasks, probe()] });
    expect((await apply()).out).toContain('1 to add, 0 to change, 0 to delete, 3 as they are, 6 not in the file');
  });

  test('takes ids up to a million below the last one, and tasks can be added ever after', async () => {
    const task = { name: 'High', className: HOLDING, version: 2_146_483_648 };
    await write({ slotkeeper: 1, tasks: [{ ...task, id: 2_146_483_648 }] });
    expect(await apply()).toMatchObject({ code: 0 });
    await update(2_146_483_648, { name: 'Higher' });
    expect(await add({ name: 'Next' })).toBe(2_146_483_649);
  });

  test('may have more new tasks than a call may have arguments, all of one name', async () => {
    const tasks = Array.from({ length: 150_000 }, (_, n) => ({
      name: 'Same',
      className: HOLDING,
      repeatItems: [{ hour: 3, minute: n % 60 }],
    }));
    await write({ slotkeeper: 1, tasks });
    await add({ name: 'Same', repeatItems: [{ hour: 3, minute: 7 }] });
    const { code, out, errors } = await apply('--dry-run');
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    expect(out).toContain('\n149999 to add, 0 to change, 0 to delete, 1 as they are\n');
  });

  test('that changes a schedule accounts for the slots up to then', async () => {
    await add({ name: 'Every minute', repeatItems: [{ minute: null }] });
    const content = await exported();
    await rows(
      database.orm.em,
      `update task set created_at = created_at - interval '1 hour',
         next_run_at = date_trunc('minute', now()) - interval '4 minutes', following_of = null, following_run_at = null`,
    );
    await rows(
      database.orm.em,
      `update schedule_version set valid_from = date_trunc('minute', now()) - interval '5 minutes'`,
    );
    Object.assign(content.tasks[0] ?? {}, { repeatItems: [{ month: 1, dayOfMonth: 1, hour: 0 }] });
    await write(content);
    expect(await apply()).toMatchObject({ code: 0 });
    const minute = Math.floor(Date.now() / 60_000) * 60_000;
    const [from, to] = [minute - 600_000, minute].map((time) => new Date(time).toISOString());
    const { coverage } = await app.query<{ coverage: { expected: number; unaccounted: number } }>(
      'query ($from: DateTime!, $to: DateTime!) { coverage(from: $from, to: $to) { expected unaccounted } }',
      { from, to },
    );
    expect(coverage.expected).toBeGreaterThanOrEqual(3);
    expect(coverage.unaccounted).toBe(0);
  });
});

describe('changes since the export', () => {
  test('is a conflict that stops all of it and says who, unless it is forced', async () => {
    await add({ name: 'One' });
    await add({ name: 'Two' });
    const content = await exported();
    await update(1, { active: false });
    Object.assign(content.tasks[1] ?? {}, { name: 'Second' });
    await write(content);
    const before = await contentsOf(database.orm);
    for (const args of [['--dry-run'], []]) {
      const { code, errors } = await apply(...args);
      expect(errors).toMatch(
        /nothing was changed:\n {2}! task 1 "One" has version 2 here and 1 in the file: changed by "admin" at /,
      );
      expect(code).toBe(1);
    }
    // Reading the log numbers its events.
    expect(await contentsOf(database.orm)).toEqual({ ...before, event: expect.anything() });
    expect((await apply('--force')).out).toContain('~ task 1 "One"\n    active: false → true\n');
    expect((await exported()).tasks.map(({ name, active, version }) => [name, active, version])).toEqual([
      ['One', true, 3],
      ['Second', true, 2],
    ]);
  });

  test('is none where it is the same as in the file', async () => {
    await add({ name: 'One' });
    const content = await exported();
    await update(1, { name: 'First' });
    Object.assign(content.tasks[0] ?? {}, { name: 'First' });
    await write(content);
    expect(await apply()).toMatchObject({ code: 0, out: expect.stringContaining('Nothing to do.') });
  });

  test('is a conflict too where it is changed between the plan and the change', async () => {
    await add({ name: 'One' });
    await add({ name: 'Two' });
    const content = await exported();
    for (const [index, task] of content.tasks.entries()) task.name = `Applied ${index}`;
    await write(content);
    const holder = database.orm.em.fork();
    await holder.begin();
    await holder.execute('select from task where id = 2 for no key update');
    const edited = update(2, { name: 'Edited' });
    await waiting(1);
    const applying = apply();
    await waiting(2);
    await holder.rollback();
    await edited;
    expect(await applying).toMatchObject({
      code: 1,
      errors: expect.stringContaining('! task 2 "Edited" has version 2 here and 1 in the file: changed by "admin"'),
    });
    expect((await exported()).tasks.map(({ name }) => name)).toEqual(['One', 'Edited']);
  });
});

test('killed half-way, it has changed nothing, and done again it does all', async () => {
  await add({ name: 'Changed', repeatItems: [{ hour: 1 }] });
  await add({ name: 'Gone' });
  const content = await exported();
  Object.assign(content.tasks[0] ?? {}, { repeatItems: [{ hour: 2 }] });
  await write({ ...content, tasks: [content.tasks[0], { name: 'New', className: HOLDING }] });
  const before = await contentsOf(database.orm);
  const holder = database.orm.em.fork();
  await holder.begin();
  // What it writes last.
  await holder.execute('lock table audit_entry in exclusive mode');
  const { child, ended } = start('apply', [file, '--delete']);
  await waiting(1);
  child.kill('SIGKILL');
  await ended;
  await holder.rollback();
  const sessions = `select pid from pg_stat_activity
    where datname = current_database() and application_name = 'slotkeeper' and state <> 'idle' and pid <> pg_backend_pid()`;
  await expect.poll(() => rows(database.orm.em, sessions)).toEqual([]);
  expect(await contentsOf(database.orm)).toEqual(before);
  expect((await apply('--delete')).out).toContain('1 to add, 1 to change, 1 to delete, 0 as they are');
  expect((await exported()).tasks.map(({ name }) => name)).toEqual(['Changed', 'New']);
});

test('two that apply a file with new tasks at the same instant add them once', async () => {
  await write({
    slotkeeper: 1,
    tasks: [
      { name: 'New', className: HOLDING },
      { name: 'New', className: HOLDING },
    ],
  });
  const ended = await Promise.all([apply(), apply(), apply()]);
  expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
  expect((await exported()).tasks).toHaveLength(2);
});

test('all faults are reported together with their places, and nothing is changed', async () => {
  await add({ name: 'Here' });
  const { tasks } = await exported();
  const wrong = { name: 'x', className: HOLDING };
  await write({
    slotkeeper: 1,
    tasks: [
      { ...tasks[0], owner: 'nobody', className: 'unknown' },
      { ...wrong, repeatItems: [{ hour: 1 }, { minute: 61, hours: 3 }], policy: { retry: { attempts: 0 } } },
      { ...wrong, repeatItems: [{ month: 2, dayOfMonth: 30 }], data: { holding_days: -1 } },
      { ...wrong, repeatItems: [{ start: '2026-02-30' }], data: [1], timeZone: 'UTC' },
      { ...wrong, id: 9 },
      { ...tasks[0] },
      { className: HOLDING, timeZone: 'Mars', active: 1 },
      7,
      { ...wrong, id: 2_147_483_647, version: 2_147_483_647 },
    ],
  });
  const before = await contentsOf(database.orm);
  const { code, errors } = await apply('--force');
  expect(code).toBe(1);
  for (const fault of [
    'tasks[0].owner must be the name of an existing user, got "nobody"',
    'tasks[0].className must be one of \\scheduler\\Tasks\\ProcessHoldingTask, ',
    'tasks[1].repeatItems[1].minute must be a whole number from 0 to 59, or null, got 61',
    'tasks[1].repeatItems[1].hours is unknown',
    'tasks[1].policy.retry.attempts must be a whole number from 1 to 100, got 0',
    'tasks[2].repeatItems[0].dayOfMonth is 30; no date has it together with month 2',
    'tasks[2].data.holding_days: ',
    'tasks[3].repeatItems[0].start must be a date that exists, as YYYY-MM-DD, from 1000-01-01 to 9999-12-31 or null, got "2026-02-30"',
    'tasks[3].data: must be a JSON object or null, got [1]',
    'tasks[4].version must be given, as id is',
    'tasks[5].id must not repeat tasks[0].id, got 1',
    'tasks[6].name must be a text, got nothing',
    'tasks[6].timeZone must be an IANA time zone such as Europe/Berlin, got "Mars"',
    'tasks[6].active must be true or false, got 1',
    'tasks[7] must be an object, got 7',
    'tasks[8].id must be a whole number from 1 to 2146483648, got 2147483647',
    'tasks[8].version must be a whole number from 1 to 2146483648, got 2147483647',
  ]) {
    expect(errors).toContain(fault);
  }
  expect(errors.trimEnd().split('\n')).toHaveLength(18);
  expect(await contentsOf(database.orm)).toEqual(before);
});

test.each<[string, string | null, string[], RegExp]>([
  ['is not there', null, [], /cannot be read: ENOENT/],
  ['is no JSON', '{"slotkeeper": 1,', [], /is not JSON: /],
  [
    'is of another format',
    '{"slotkeeper": 2, "tasks": []}',
    [],
    /slotkeeper must be 1, the format of this version, got 2/,
  ],
  ['is a list', '[]', [], /must be an object, got \[\]/],
  ['has no tasks', '{"slotkeeper": 1}', [], /tasks must be a list of tasks, got nothing/],
  [
    'is of no installation',
    '{"slotkeeper": 1, "installation": 7, "tasks": []}',
    [],
    /installation must be the .+, got 7/,
  ],
  ['has an unknown key', '{"slotkeeper": 1, "tasks": [], "task": 1}', [], /task is unknown/],
  ['is applied as nobody', '{"slotkeeper": 1, "tasks": []}', ['--as', 'x'], /--as must be .+"admin".+, got "x"/],
])('one sentence says why where the file %s', async (_what, content, args, message) => {
  await rm(file, { force: true });
  if (content !== null) await writeFile(file, content);
  const { code, errors } = await apply(...args);
  expect({ code, errors }).toEqual({ code: 1, errors: expect.stringMatching(message) });
  expect(errors).not.toContain('    at ');
});

test('another installation gets the tasks with their ids, and old callers see no difference', async () => {
  await app.query('mutation { addUser(input: { name: "ops", role: OPERATOR }) { user { id } } }');
  await add({ name: 'Deleted' });
  for (let n = 0; n < 5; n += 1) {
    await add({ name: `Täsk ${n}\n"`, dataText: `{"holding_days": ${n + 1}, "x/y": 1.0}`, repeatItems: [{ hour: n }] });
  }
  await update(3, { ownerLegacyId: 2 });
  await app.query('mutation { deleteTask(input: { task: { legacyId: 1 } }) { task { id } } }');
  expect(await run('export', ['--to', file])).toMatchObject({ code: 0 });
  const { other, otherApp, stop } = await otherInstallation();
  const refused = await run('apply', [file], other.url);
  expect(refused.errors).toContain('tasks[1].owner must be the name of an existing user, got "ops"');
  await otherApp.query('mutation { addUser(input: { name: "ops", role: OPERATOR }) { user { id } } }');
  expect(await run('apply', [file], other.url)).toMatchObject({ code: 0, errors: '' });
  const again = (await run('export', [], other.url)).out;
  expect(again.replace(await installationOf(other), await installationOf(database))).toBe(await readFile(file, 'utf8'));
  const list = 'target=scheduler&action=getTasks';
  const withoutItemIds = (reply: string) => reply.replaceAll(/"repeat_items":\[\{"id":"\d+"/g, '');
  expect(withoutItemIds(await otherApp.legacy(list))).toBe(withoutItemIds(await app.legacy(list)));
  expect(await add({ name: 'Next' }, otherApp)).toBe(7);
  await stop();
});

test('the file of another installation overwrites no task that only has the same id and version, unless it is forced', async () => {
  await add({ name: 'bar', repeatItems: [{ hour: 1 }] });
  await add({ name: 'Same' });
  await add({ name: 'Added' });
  const content = await exported();
  await write(content);
  const { other, otherApp, stop } = await otherInstallation();
  await add({ name: 'foo' }, otherApp);
  await add({ name: 'Same' }, otherApp);
  const applyThere = (...args: string[]) => run('apply', [file, ...args], other.url);
  for (const args of [['--dry-run'], []]) {
    const { code, errors } = await applyThere(...args);
    expect({ code, errors }).toEqual({
      code: 1,
      errors: expect.stringMatching(
        /nothing was changed:\n {2}! task 1 is "foo" here and differs from "bar" in the file\nAnother installation exported /,
      ),
    });
  }
  expect((await exported(other.url)).tasks.map(({ name }) => name)).toEqual(['foo', 'Same']);
  await write({ ...content, tasks: content.tasks.slice(1) });
  expect((await applyThere()).out).toContain('1 to add, 0 to change, 0 to delete, 1 as they are, 1 not in the file');
  await write(content);
  expect((await applyThere('--force')).out).toContain('0 to add, 1 to change, 0 to delete, 2 as they are\n');
  const names = (await exported(other.url)).tasks.map(({ name, version }) => [name, version]);
  expect(names).toEqual([
    ['bar', 2],
    ['Same', 1],
    ['Added', 1],
  ]);
  // Of a file that does not say where it is from, the versions decide.
  const { installation: _, ...unsigned } = await exported(other.url);
  Object.assign(unsigned.tasks[0] ?? {}, { name: 'by hand' });
  await write(unsigned);
  expect((await applyThere()).out).toContain('0 to add, 1 to change');
  await stop();
});
