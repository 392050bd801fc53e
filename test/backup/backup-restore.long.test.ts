// A task makes a backup, the commands check and restore it, and the runners of the restored installation are held until
// it is resumed.
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { parseLocations } from '../../src/backup/locations.ts';
import { verifyBackup } from '../../src/backup/read-backup.ts';
import { TABLES_LEFT_OUT, tablesInBackup } from '../../src/backup/tables.ts';
import { defineTaskClass } from '../../src/task-classes/task-class.ts';
import { clientOf, HOLDING, overSse, startTestApp, type TestApp } from '../support/app.ts';
import { addBackupTask, BACKUP, command, fileOf, filesIn, rewrite, runTask } from '../support/backups.ts';
import { EMPTY, type TestDatabase, testDatabase } from '../support/database.ts';
import { startProcess } from '../support/process.ts';
import { addTasks, everyHourAt, rows } from '../support/races.ts';
import { heldClass } from '../support/test-classes.ts';

/** A class that no runner of the original has; a task of it is due. */
const ELSEWHERE = '\\test\\Elsewhere';
const HELD = '\\test\\Held';
const DUE_SINCE_MINUTES = 5;
/** Characters that COPY text must escape, and some that it must not. */
const AWKWARD = 'tab\t, line\nfeed, return\r, back\\slash, \\N, \\., "quotes", e\u0301 and \u{1f570}';

const held = heldClass(HELD);
const elsewhere = defineTaskClass({
  name: ELSEWHERE,
  title: 'Elsewhere',
  description: 'Returns at once.',
  data: z.looseObject({}),
  run: async () => 'done elsewhere',
});

let folder: string;
let original: TestDatabase;
let app: TestApp;
/** The backup task, and its run that made the restored backup. */
let backupTask: string;
let backupRun: number;
/** The path of the backup. */
let path: string;
/** The cursor of a client of the original. */
let cursor: string;
/** The id of a task that was deleted. */
let burnedId: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-backup-'));
  original = await testDatabase();
  app = await startTestApp(original.url, {
    settings: { BACKUP_LOCATIONS: locations(), GRACE_SECONDS: 0 },
    taskClasses: [held.taskClass],
  });
  await useEverything();
  backupTask = await addBackupTask(app, { location: 'disk' });
  burnedId = (await first<{ id: number }>(original, `select nextval('task_id_seq')::int as id`)).id;
  cursor = (
    await app.query<{ events: { edges: { cursor: string }[] } }>('{ events(last: 1) { edges { cursor } } }')
  ).events.edges.map((edge) => edge.cursor)[0] as string;
  const { message } = await runTask(app, backupTask);
  path = join(folder, 'disk', fileOf({ message }));
  backupRun = (await first<{ id: number }>(original, 'select max(id) as id from run')).id;
});

afterAll(async () => {
  await app?.stop();
  await original?.close();
  await rm(folder, { recursive: true, force: true });
});

function locations() {
  const names = ['disk', 'share', 'kept', 'broken'];
  return parseLocations(names.map((name) => `${name}=${join(folder, name)}`).join()) ?? [];
}

async function first<Row>(database: TestDatabase, text: string): Promise<Row> {
  return (await rows<Row>(database.orm.em, text))[0] as Row;
}

/** Puts rows into every table, so that no comparison is of empty tables. */
async function useEverything(): Promise<void> {
  const { em } = original.orm;
  const from = new Date(Date.now() - DUE_SINCE_MINUTES * 60_000);
  await addTasks(em, { count: 1, rule: { ...everyHourAt(0), minute: null }, from, catchUp: 'ALL', overlap: 'ALLOW' });
  await rows(em, 'update task set class_name = ?, name = ?', [ELSEWHERE, AWKWARD]);
  await app.query(
    `mutation ($holding: String!, $data: JSON, $secret: String!) {
      addTask(input: { name: "Weekly", className: $holding, data: $data, idempotencyKey: "weekly", repeatItems: [
        { dayOfWeek: 4, hour: 20 }, { start: "2030-01-01", intervalDays: 3, hour: 1 }] }) { task { id } }
      importApiKey(input: { key: "old-key", secret: $secret, userLegacyId: 31, userName: "usernamehere" }) {
        apiKey { key } }
      addIpBlocks(input: { cidrs: ["10.0.0.0/24", "2001:db8::/48"] }) { ipBlocks { id } }
      setSecret(input: { name: "hook", value: $secret, allowedHosts: ["example.com"] }) { secret { name } }
      addDnsServer(input: { name: "ns1" }) { dnsServer { id } }
      addDnsZone(input: { name: "example.com", soa: { primaryServer: "ns1", contact: "a@example.com" } }) {
        dnsZone { id } }
      addDnsRecords(input: { zone: { name: "example.com" }, records: [{ name: "@", type: TXT, value: "text" }] }) {
        dnsZone { id } } }`,
    { holding: HOLDING, data: { holding_days: 3, text: AWKWARD }, secret: 'old-secret' },
  );
  await app.legacy('target=scheduler&action=getTasks', { headers: { 'idempotency-key': 'get' } });
  await app.legacy('target=scheduler&action=deleteTask&taskId=2', { headers: { 'idempotency-key': 'delete' } });
  await rows(
    em,
    `insert into slot_gap (task_id, from_slot, to_slot, reason, count)
     values (2, '2026-01-01T00:00Z', '2026-01-01T23:00Z', 'MISSED', 24)`,
  );
  await rows(em, "insert into imported_log (task_id, id, at, message) values (2, 7, '2015-05-07T12:28:14Z', ?)", [
    AWKWARD,
  ]);
  await rows(
    em,
    `insert into dns_server_zone (server_id, zone_id, serial, pushed_at) values (1, 1, 4294967295, now())`,
  );
  await useRuns();
  await vi.waitFor(async () => expect(await rows(em, 'select from legacy_usage')).not.toEqual([]), { timeout: 20_000 });
}

/**
 * A run that has succeeded, one that waits for its second attempt, one that is running, and one that waits for that.
 */
async function useRuns(): Promise<void> {
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
    `mutation ($name: String!) { addTask(input: { name: "Held", className: $name,
      policy: { retry: { attempts: 2, delaySeconds: 3600 } } }) { task { id } } }`,
    { name: HELD },
  );
  const execute = () =>
    app.query('mutation ($task: ID!) { executeTask(input: { task: { id: $task } }) { run { id } } }', {
      task: addTask.task.id,
    });
  await execute();
  const succeeds = await held.next();
  succeeds.context.log(AWKWARD, { line: AWKWARD });
  succeeds.succeed(AWKWARD);
  await untilRuns('SUCCEEDED');
  await rows(original.orm.em, "update task set overlap = 'ALLOW' where class_name = ?", [HELD]);
  await execute();
  (await held.next()).fail('to be tried again');
  await untilRuns('QUEUED', 'SUCCEEDED');
  await execute();
  await held.next();
  await rows(original.orm.em, "update task set overlap = 'SKIP' where class_name = ?", [HELD]);
  await execute();
  await untilRuns('QUEUED', 'QUEUED', 'RUNNING', 'SUCCEEDED');
}

async function untilRuns(...states: string[]): Promise<void> {
  await vi.waitFor(
    async () => {
      const found = await rows<{ state: string }>(original.orm.em, 'select state from run order by state');
      expect(found.map(({ state }) => state)).toEqual(states);
    },
    { timeout: 20_000 },
  );
}

async function restoreInto(database: TestDatabase, file = path) {
  return command('restore', [file], { DATABASE_URL: database.url });
}

/** Every row of a table as text, without what the backup's own run has changed since. */
function textsOf({ orm }: TestDatabase, table: string): Promise<{ text: string }[]> {
  const isOfBackup: Record<string, string> = {
    task: `class_name = '${BACKUP}'`,
    run: `id = ${backupRun}`,
    event: `coalesce(run_id, 0) = ${backupRun}`,
    event_log: 'true',
  };
  return rows(
    orm.em,
    `select t::text as text from ${table} t where not (${isOfBackup[table] ?? 'false'}) order by text`,
  );
}

describe('a backup that is restored', () => {
  let copy: TestDatabase;
  /** A clone of `copy`, made right after the restore. */
  let second: TestDatabase;

  beforeAll(async () => {
    copy = await testDatabase(EMPTY);
    const { code, output } = await restoreInto(copy);
    if (code !== 0) throw new Error(output);
    second = await testDatabase(new URL(copy.url).pathname.slice(1));
  });

  afterAll(async () => {
    await copy?.close();
    await second?.close();
  });

  test('holds every row of every table, as it was', async () => {
    for (const table of tablesInBackup(original.orm.em)) {
      const expected = await textsOf(original, table);
      if (table !== 'event_log') expect(expected, table).not.toEqual([]);
      expect(await textsOf(copy, table), table).toEqual(expected);
    }
    expect(await rows(copy.orm.em, 'select from runner')).toEqual([]);
    expect(await first(copy, 'select state, attempt from run where task_id = (select max(id) from task)')).toEqual({
      state: 'RUNNING',
      attempt: 1,
    });
  });

  test('fires nothing, accepts changes and refuses old cursors until it is resumed', async () => {
    const log: string[] = [];
    const held = await startTestApp(copy.url, {
      settings: { BACKUP_LOCATIONS: locations(), LOG_LEVEL: 'info', GRACE_SECONDS: 0 },
      taskClasses: [elsewhere, heldClass(HELD).taskClass],
      log: { write: (line) => log.push(line) },
    });
    try {
      const before = await rows<{ count: number }>(copy.orm.em, 'select count(*) from run where state <> ?', [
        'QUEUED',
      ]);
      expect(log.join()).toContain('npm run resume');
      expect(await held.query('{ installation { heldSince heldBecause } }')).toEqual({
        installation: { heldSince: expect.any(String), heldBecause: expect.stringContaining('slotkeeper-') },
      });
      expect((await fetch(`${held.address}/readyz`)).status).toBe(200);
      const task = await addBackupTask(held, { location: 'share' });
      expect(Buffer.from(task, 'base64').toString()).toBe(`Task:${burnedId + 1}`);
      // Longer than a runner needs to fire what is due.
      const asked = await held.query<{ executeTask: { run: { id: string; state: string } } }>(
        'mutation ($task: ID!) { executeTask(input: { task: { id: $task }, waitSeconds: 3 }) { run { id state } } }',
        { task },
      );
      expect(asked.executeTask.run.state).toBe('QUEUED');
      expect(await rows(copy.orm.em, 'select count(*) from run where state <> ?', ['QUEUED'])).toEqual(before);
      expect(await rows(copy.orm.em, 'select from runner')).toEqual([]);
      const stream = await overSse(held, { after: cursor });
      await expect(stream.atLeast(1)).rejects.toThrow();
      await stream.close().catch(() => undefined);
      const { errors } = await held.post(
        'query ($after: String) { events(first: 1, after: $after) { edges { cursor } } }',
        {
          after: cursor,
        },
      );
      expect(errors?.[0]?.extensions.code).toBe('CURSOR_EXPIRED');
      // As if an earlier attempt of this run had made a backup and been killed before its record.
      await copyFile(path, join(folder, 'share', 'made-before.zip')).catch(async () => {
        await mkdir(join(folder, 'share'));
        await copyFile(path, join(folder, 'share', 'made-before.zip'));
      });
      await rows(
        copy.orm.em,
        `update run set checkpoint = '{"file":"made-before.zip"}' where state = 'QUEUED' and
        task_id = (select max(id) from task)`,
      );

      const resume = 'mutation { resumeInstallation(input: {idempotencyKey: "go"}) { installation { heldSince } } }';
      const operator = clientOf(held.address, held.stop, { key: 'old-key', secret: 'old-secret' });
      expect((await operator.post(resume)).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
      expect(await held.query('{ installation { heldSince } }')).not.toEqual({ installation: { heldSince: null } });
      for (let time = 0; time < 2; time += 1) {
        expect(await held.query(resume)).toEqual({ resumeInstallation: { installation: { heldSince: null } } });
      }
      await accountsForEverything(held);
    } finally {
      await held.stop();
    }
    expect((await filesIn(join(folder, 'share'))).others).toEqual(['made-before.zip']);
  });

  /** What was running in the original is settled, what was due meanwhile is run, and every slot has a record. */
  async function accountsForEverything(held: TestApp): Promise<void> {
    const read = () =>
      rows<{ class_name: string; state: string; message: string }>(
        copy.orm.em,
        'select class_name, run.state, run.message from run join task on task.id = run.task_id order by run.id',
      );
    const byClass = async (name: string) => (await read()).filter(({ class_name }) => class_name === name);
    await expect
      .poll(async () => (await byClass(ELSEWHERE)).filter(({ state }) => state === 'SUCCEEDED').length)
      .toBeGreaterThanOrEqual(DUE_SINCE_MINUTES);
    // The lost attempt is the first of two, so its run waits for an hour; the run that waited for its second attempt is
    // sent.
    await expect
      .poll(async () => (await byClass(BACKUP)).map(({ message }) => message))
      .toEqual([expect.stringContaining('lost'), expect.stringContaining('made-before.zip made')]);
    const heldRuns = () =>
      rows<{ state: string; sent: boolean }>(
        copy.orm.em,
        `select run.state, exists (select from pgboss.job where job.id = run.job_id) as sent
         from run join task on task.id = run.task_id where class_name = '${HELD}' and run.state in ('QUEUED', 'RUNNING')`,
      );
    await expect.poll(async () => (await heldRuns()).filter(({ sent }) => sent).length).toBeGreaterThanOrEqual(2);
    const { coverage } = await held.query<{ coverage: { expected: number; unaccounted: number } }>(
      `query ($from: DateTime!, $to: DateTime!) { coverage(from: $from, to: $to) { expected unaccounted } }`,
      { from: new Date(Date.now() - 2 * DUE_SINCE_MINUTES * 60_000), to: new Date() },
    );
    expect(coverage.unaccounted).toBe(0);
    expect(coverage.expected).toBeGreaterThanOrEqual(DUE_SINCE_MINUTES);
  }

  test('needs the master key of the original', async () => {
    await expect(startTestApp(copy.url, { settings: { MASTER_KEY: Buffer.alloc(32, 1) } })).rejects.toThrow(
      'The master key does not open',
    );
  });

  test('npm start says that its runner is held, and the resume command releases it', async () => {
    const started = await startProcess(second.url, { LOG_LEVEL: 'silent' });
    try {
      expect(started.output().split('\n')[0]).toMatch(/^No task runs: .*slotkeeper-\S+zip.* npm run resume$/);
      expect(await rows(second.orm.em, 'select from runner')).toEqual([]);
      const resumed = await command('resume', [], { DATABASE_URL: second.url });
      expect(resumed).toEqual({ code: 0, output: 'The runners of this installation are released.\n' });
      await expect.poll(() => rows(second.orm.em, 'select from runner'), { timeout: 4_000 }).toHaveLength(1);
      expect((await command('resume', [], { DATABASE_URL: second.url })).output).toContain('were not held');
      const { output } = await command('resume', ['--json'], { DATABASE_URL: second.url });
      expect(JSON.parse(output)).toEqual({ released: false });
    } finally {
      await started.stop();
    }
  });
});

describe('the task', () => {
  test('refuses an unknown location and an invalid number to keep, and names what it accepts', async () => {
    const add = (data: object) =>
      app.post(
        'mutation ($c: String!, $data: JSON) { addTask(input: {name: "n", className: $c, data: $data}) { task { id } } }',
        {
          c: BACKUP,
          data,
        },
      );
    for (const location of ['tape', '', '/etc', 5]) {
      const { errors } = await add({ location });
      expect(errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'input.data.location' });
      expect(errors?.[0]?.message).toContain(
        `must be one of disk, share, kept, broken, got ${JSON.stringify(location)}`,
      );
    }
    for (const keep of [0, -1, 1.5, '0', '1e3', 'all', 10_001, '10001', [], true]) {
      const { errors } = await add({ keep });
      expect(errors?.[0]?.extensions, String(keep)).toEqual({ code: 'BAD_USER_INPUT', field: 'input.data.keep' });
      expect(errors?.[0]?.message).toContain(`must be a whole number from 1 to 10000, got ${JSON.stringify(keep)}`);
    }
    const reply = await app.legacy('target=scheduler&action=addTask', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        user_id: 1,
        name: 'n',
        class_name: BACKUP,
        active: true,
        repeat_items: [],
        data: { location: 'tape' },
      }),
    });
    expect(reply).toMatch(/"success":0.*location.*must be one of disk, share, kept, broken/);
  });

  test('keeps the given number of its own backups, and touches no other file', async () => {
    const kept = join(folder, 'kept');
    const uuid = (await first<{ uuid: string }>(original, 'select uuid from installation')).uuid.slice(0, 8);
    const running = await first<{ id: number }>(original, "select id from run where state = 'RUNNING'");
    const dead = `.slotkeeper-${uuid}-999-00.partial`;
    const others = [
      '.slotkeeper-00000000-1-00.partial',
      `.slotkeeper-${uuid}-${running.id}-00.partial`,
      'slotkeeper-00000000-20200101T000000Z-1.zip',
      'slotkeeper-notes.zip',
    ];
    await mkdir(kept);
    for (const name of [dead, ...others]) await writeFile(join(kept, name), 'x');
    const made: string[] = [];
    for (const keep of ['2', 2, '02', null]) {
      const run = await runTask(app, backupTask, { location: 'kept', keep });
      expect(run.message).toMatch(
        /^Backup \S+ made: \d\d tables, \d+ rows, 0\.\d MB; (0 older backups|1 older backup) removed\.$/,
      );
      made.push(fileOf(run));
    }
    // With 2 kept, the third removed the first; the fourth kept 7.
    expect((await readdir(kept)).sort()).toEqual([...others, ...made.slice(1)].sort());
    expect((await stat(join(kept, made[3] as string))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'disk'))).mode & 0o777).toBe(0o700);
  });

  test('names the location that it cannot use, without its path', async () => {
    await writeFile(join(folder, 'broken'), '');
    const run = await runTask(app, backupTask, { location: 'broken' });
    expect(run.message).toBe('The location broken cannot be used: file already exists.');
  });

  test('stops soon when its run is cancelled, and leaves nothing', async () => {
    // A lock that a migration might hold.
    const locked = original.orm.em.fork().transactional(async (em) => {
      await em.execute('lock table slot_gap in access exclusive mode');
      await expect
        .poll(() =>
          rows(
            original.orm.em,
            `select from pg_stat_activity where application_name = 'slotkeeper backup'
          and wait_event_type = 'Lock' and datname = current_database()`,
          ),
        )
        .toHaveLength(1);
      await rows(original.orm.em, `update run set cancel_requested_at = now() where id = (select max(id) from run)`);
      await rows(original.orm.em, 'select pg_notify(?, ?)', ['slotkeeper_cancel', '']);
      await expect
        .poll(() =>
          rows(
            original.orm.em,
            `select from pg_stat_activity where application_name = 'slotkeeper backup'
          and datname = current_database()`,
          ),
        )
        .toEqual([]);
    });
    const run = await runTask(app, backupTask);
    await locked;
    expect(run).toMatchObject({ state: 'CANCELLED' });
    expect((await filesIn(join(folder, 'disk'))).others).toEqual([]);
  });
});

describe('a file', () => {
  const verify = (file: string) => command('verify-backup', [file]);

  test('that is intact is described, table by table', async () => {
    const { code, output } = await verify(path);
    expect(code).toBe(0);
    expect(output).toMatch(/^app_user: 2 rows$/m);
    expect(output).toContain('is intact: made at 20');
    const { tables } = JSON.parse((await command('verify-backup', [path, '--json'])).output);
    expect(tables).toContainEqual({ name: 'app_user', rows: 2 });
    expect(output.split('\n').filter((line) => line.endsWith(' rows'))).toHaveLength(
      tablesInBackup(original.orm.em).length,
    );
  });

  test('that is not a backup, truncated, extended or changed is refused with the reason', async () => {
    const bad = join(folder, 'bad.zip');
    const whole = await readFile(path);
    const flipped = Buffer.from(whole);
    flipped[whole.length >> 1] = (whole[whole.length >> 1] ?? 0) ^ 1;
    const contents: [Buffer, string][] = [
      [Buffer.alloc(0), 'bad.zip is not a Slotkeeper backup'],
      [Buffer.from('a text'.repeat(100)), 'bad.zip is not a Slotkeeper backup'],
      [whole.subarray(0, whole.length - 1), 'bad.zip is damaged: it does not end with its checksum'],
      [whole.subarray(0, 10), 'bad.zip is damaged'],
      [Buffer.concat([whole, Buffer.from('0')]), 'bad.zip is damaged: its content does not match its checksum'],
      [flipped, 'bad.zip is damaged: its content does not match its checksum'],
    ];
    for (const [content, message] of contents) {
      await writeFile(bad, content);
      await expect(verifyBackup(bad)).rejects.toThrow(message);
    }
    expect(await verify(bad)).toEqual({ code: 1, output: expect.stringMatching(/^bad.zip is damaged: .+\.\n$/) });
    expect(await verify(join(folder, 'none.zip'))).toEqual({ code: 1, output: expect.stringContaining('ENOENT') });
    expect(await command('verify-backup', [])).toMatchObject({ code: 2 });
  });

  test('whose manifest does not match its content, or is of a newer format, is refused with the reason', async () => {
    const bad = join(folder, 'rewritten.zip');
    await rewrite(path, bad, (manifest) => {
      manifest.format = 2;
    });
    await expect(verifyBackup(bad)).rejects.toThrow('was written by a newer version of Slotkeeper (format 2');
    await rewrite(path, bad, ({ tables }) => tables.pop());
    await expect(verifyBackup(bad)).rejects.toThrow('its tables are not those in its manifest');
    await rewrite(path, bad, (_manifest, tables) => tables.set('task', Buffer.from('')));
    await expect(verifyBackup(bad)).rejects.toThrow('the rows of task do not match its manifest');
  });
});

describe('npm run restore', () => {
  test('refuses a database that is in use, a newer backup, and rows that break a rule, and changes nothing', async () => {
    const inUse = await restoreInto(original);
    expect(inUse).toEqual({
      code: 1,
      output: expect.stringMatching(/^The database is in use: there are rows in app_user\. .+\n$/),
    });

    const empty = await testDatabase(EMPTY);
    const tables = () => rows(empty.orm.em, `select from pg_tables where schemaname = 'public'`);
    try {
      const bad = join(folder, 'future.zip');
      await rewrite(path, bad, (manifest) => {
        manifest.schemaVersion = 'Migration29990101000000';
        manifest.migrations.push(manifest.schemaVersion);
      });
      expect(await restoreInto(empty, bad)).toEqual({
        code: 1,
        output: expect.stringMatching(
          /^future.zip was made by a newer version of Slotkeeper.*Migration29990101000000.*\n$/,
        ),
      });
      // With a correct seal, and a row halfway through that the database refuses.
      await rewrite(path, bad, (_manifest, content) => {
        content.set('retention', Buffer.from('2\t\\N\n'));
        const table = _manifest.tables.find(({ name }) => name === 'retention');
        if (table === undefined) throw new Error('no such table');
        Object.assign(table, { rows: 1, bytes: 5, sha256: '' });
        table.sha256 = createHash('sha256').update('2\t\\N\n').digest('hex');
      });
      expect(await restoreInto(empty, bad)).toEqual({ code: 1, output: expect.stringContaining('retention_single') });
      expect(await tables()).toEqual([]);
    } finally {
      await empty.close();
    }
  });

  test('takes a database that was migrated and never used, and says if the master key is another', async () => {
    const migrated = await testDatabase();
    try {
      const settings = { DATABASE_URL: migrated.url, MASTER_KEY: Buffer.alloc(32, 1).toString('hex') };
      const { code, output } = await command('restore', [path], settings);
      expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('encrypted with the master key') });
      expect(await textsOf(migrated, 'task')).toEqual(await textsOf(original, 'task'));
    } finally {
      await migrated.close();
    }
  });
});

test('BACKUP_LOCATIONS is a list of different names with absolute paths, or ends the start', async () => {
  expect(parseLocations('disk=/var/backups, nas-1 = /mnt/a=b:c:keepAtLeast=14')).toEqual([
    { name: 'disk', folder: '/var/backups', keepAtLeast: 1 },
    { name: 'nas-1', folder: '/mnt/a=b:c', keepAtLeast: 14 },
  ]);
  const wrongNumbers = ['', '0', '-1', '1.5', 'x', '10001'].map((number) => `a=/x:keepAtLeast=${number}`);
  for (const text of [
    '/var/backups',
    'disk=',
    'disk=backups',
    '=/var',
    'a=/x,a=/y',
    'a=/x,',
    'a b=/x',
    '../a=/x',
    ...wrongNumbers,
  ]) {
    expect(parseLocations(text), text).toBeNull();
  }
  const settings = { DATABASE_URL: original.url, BACKUP_LOCATIONS: 'disk=backups' };
  const { code, output } = await command('restore', [path], settings);
  expect({ code, output }).toEqual({
    code: 1,
    output: expect.stringMatching(/^Invalid settings: BACKUP_LOCATIONS must be a list such as .+\n$/),
  });
});

test('each table comes after those that it references', async () => {
  const order = tablesInBackup(original.orm.em);
  const references = await rows<{ from: string; to: string }>(
    original.orm.em,
    `select conrelid::regclass::text as "from", confrelid::regclass::text as "to" from pg_constraint
     where contype = 'f' and connamespace = 'public'::regnamespace and conrelid <> confrelid`,
  );
  for (const { from, to } of references) expect(order.indexOf(to)).toBeLessThan(order.indexOf(from));
  expect(references.length).toBeGreaterThan(5);
  // A new table is in backups unless it is named here too.
  expect(TABLES_LEFT_OUT).toEqual(['runner', 'installation']);
});
