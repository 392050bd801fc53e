// Backups and restores that are killed, files with a changed byte, a million rows, and older versions.
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { MikroORM } from '@mikro-orm/postgresql';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { verifyBackup } from '../../src/backup/read-backup.ts';
import { startEmbedded } from '../../src/database/embedded.ts';
import { readMigrationsInCode } from '../../src/database/migrate.ts';
import { openOrm } from '../../src/database/orm.ts';
import { startTestApp } from '../support/app.ts';
import {
  addBackupTask,
  command,
  fileOf,
  filesIn,
  peakMegabytes,
  runTask,
  spawnCommand,
  writeOlderBackup,
} from '../support/backups.ts';
import { EMPTY, type TestDatabase, testDatabase } from '../support/database.ts';
import { type AppProcess, startProcess } from '../support/process.ts';
import { rows } from '../support/races.ts';
import { inSoak } from '../support/soak.ts';

const KILLS = inSoak(25, 8);
const RESTORE_KILLS = inSoak(15, 5);
const RACES = inSoak(12, 5);
/** A start migrates within this time; a restore that begins meanwhile meets it at any step. */
const RACE_WITHIN_MS = 1_500;
const FLIPS = inSoak(1_500, 500);
const CUTS = inSoak(300, 150);
const EVENTS = inSoak(1_000_000, 400_000);
/** How much more memory the process may take for a million rows, of about 200 MB, than for a fifth of them. */
const MOST_MEGABYTES_MORE = 50;

let folder: string;
const databases: TestDatabase[] = [];
const processes: AppProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-backups-'));
});

afterEach(async () => {
  await Promise.all(processes.splice(0).map(({ stop }) => stop()));
  for (const database of databases.splice(0)) await database.close();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function database(template?: string): Promise<TestDatabase> {
  const made = await testDatabase(template);
  databases.push(made);
  return made;
}

async function start(url: string, settings: Record<string, string> = {}): Promise<AppProcess> {
  const started = await startProcess(url, settings);
  processes.push(started);
  return started;
}

/** Inserts numbered events of task 1. They skip some numbers, which events that are being numbered now may take. */
async function addEvents(orm: MikroORM, count: number): Promise<void> {
  await rows(
    orm.em,
    `insert into event (seq, type, task_id, task_name, actor_id, message, data)
     select 1000 + head + n, 'TASK_UPDATED', 1, 'Backup', 1, md5(n::text), json_build_object('digest', md5((-n)::text))::text
     from event_log, generate_series(1, ?) as n`,
    [count],
  );
  await rows(orm.em, 'update event_log set head = head + 1000 + ?', [count]);
}

/** Differs if a row of the big table differs. */
async function digestOf(orm: MikroORM): Promise<unknown> {
  return rows(
    orm.em,
    `select count(*), sum(hashtext(e::text)::bigint) as digest from event e where type = 'TASK_UPDATED'`,
  );
}

describe('a runner that is killed while it makes a backup', () => {
  test(`${KILLS} times, at random, leaves no damaged file under a final name; the next run removes the others`, async () => {
    const { url, orm } = await database();
    const location = join(folder, 'killed');
    const settings = { BACKUP_LOCATIONS: `disk=${location}`, LEASE_SECONDS: '10' };
    let runner = await start(url, settings);
    const task = await addBackupTask(runner, { keep: 10_000 });
    await addEvents(orm, 300_000);
    // The first run has cold caches.
    fileOf(await runTask(runner, task));
    const begun = performance.now();
    fileOf(await runTask(runner, task));
    const takes = performance.now() - begun;

    const left = new Set<string>();
    for (let kill = 0; kill < KILLS; kill += 1) {
      const asked = runTask(runner, task).catch(() => null);
      await pause(Math.random() * takes * 1.1);
      runner.child.kill('SIGKILL');
      await asked;
      processes.pop();
      const { finished, others } = await filesIn(location);
      for (const name of others) left.add(name);
      for (const name of finished) await verifyBackup(join(location, name));
      runner = await start(url, settings);
    }
    expect(left.size).toBeGreaterThan(KILLS / 5);
    const running = () => rows(orm.em, "select id from run where state = 'RUNNING'");
    await expect.poll(running, { timeout: 60_000 }).toEqual([]);
    fileOf(await runTask(runner, task));
    const { finished, others } = await filesIn(location);
    expect(others).toEqual([]);
    process.stdout.write(
      `a backup takes ${Math.round(takes)} ms; of ${KILLS} kills ${left.size} left an unfinished file, ${finished.length - 3} a finished one\n`,
    );
  });
});

describe('a file', () => {
  let path: string;
  let whole: Buffer;

  beforeAll(async () => {
    const made = await testDatabase();
    const location = join(folder, 'flipped');
    const app = await startTestApp(made.url, {
      settings: { BACKUP_LOCATIONS: [{ name: 'disk', folder: location, keepAtLeast: 1 }] },
    });
    path = join(location, fileOf(await runTask(app, await addBackupTask(app))));
    whole = await readFile(path);
    await app.stop();
    await made.close();
  });

  async function isRefused(content: Buffer): Promise<void> {
    const bad = join(folder, 'bad.zip');
    await writeFile(bad, content);
    await expect(verifyBackup(bad)).rejects.toThrow(/^bad.zip (is damaged|is not a Slotkeeper backup)/);
  }

  test('is refused if any bit has changed', async () => {
    const flip = fc.record({ at: fc.nat(whole.length - 1), bit: fc.nat(7) });
    await fc.assert(
      fc.asyncProperty(flip, async ({ at, bit }) => {
        const flipped = Buffer.from(whole);
        flipped[at] = (whole[at] ?? 0) ^ (1 << bit);
        await isRefused(flipped);
      }),
      { numRuns: FLIPS },
    );
    // The whole seal and the bytes just before it.
    for (let at = whole.length - 100; at < whole.length; at += 1) {
      const flipped = Buffer.from(whole);
      flipped[at] = (whole[at] ?? 0) ^ 0x20;
      await isRefused(flipped);
    }
  });

  test('is refused if it is truncated anywhere or extended', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), async (length) => isRefused(whole.subarray(0, length))),
      { numRuns: CUTS },
    );
    const more = fc.uint8Array({ minLength: 1, maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(more, async (bytes) => isRefused(Buffer.concat([whole, bytes]))),
      { numRuns: CUTS },
    );
    await isRefused(Buffer.concat([whole, whole]));
  });
});

describe('hundreds of thousands of events', () => {
  async function roundTrip(
    url: string,
    settings: Record<string, string>,
    into: Record<string, string>,
  ): Promise<string> {
    const orm = await openOrm(url, 2);
    try {
      const location = join(folder, 'big');
      const runner = await start(url, { ...settings, BACKUP_LOCATIONS: `disk=${location}` });
      const task = await addBackupTask(runner);
      // What any process takes over time is not counted.
      await addEvents(orm, EVENTS / 5);
      fileOf(await runTask(runner, task));
      const before = await peakMegabytes(runner.child.pid);
      await addEvents(orm, EVENTS);
      const begun = performance.now();
      const file = join(location, fileOf(await runTask(runner, task)));
      const backedUpMs = performance.now() - begun;
      const more = (await peakMegabytes(runner.child.pid)) - before;
      await runner.stop();
      processes.pop();
      const restoring = await restoreMeasured(file, into);
      const { size } = await stat(file);
      process.stdout.write(
        `backup: ${Math.round(backedUpMs)} ms, ${Math.round(size / 1e6)} MB, ${Math.round(more)} MB more than ${Math.round(before)} MB; ` +
          `restore: ${Math.round(restoring.ms)} ms, peak ${Math.round(restoring.peak)} MB\n`,
      );
      expect(more).toBeLessThan(MOST_MEGABYTES_MORE);
      expect(restoring.peak).toBeLessThan(before + MOST_MEGABYTES_MORE);
      return JSON.stringify(await digestOf(orm));
    } finally {
      await orm.close();
    }
  }

  async function restoreMeasured(file: string, into: Record<string, string>) {
    const begun = performance.now();
    const child = spawnCommand('restore', [file], into);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    let peak = 0;
    const timer = setInterval(async () => {
      peak = Math.max(peak, await peakMegabytes(child.pid));
    }, 50);
    const [code] = await once(child, 'close');
    clearInterval(timer);
    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('compared every row') });
    return { ms: performance.now() - begun, peak };
  }

  test('take no more memory than a fifth of them, on a database of one’s own', async () => {
    const from = await database();
    const to = await database(EMPTY);
    const digest = await roundTrip(from.url, {}, { DATABASE_URL: to.url });
    expect(JSON.stringify(await digestOf(to.orm))).toBe(digest);
  });

  test('take no more memory than a fifth of them, on the embedded server', async () => {
    const from = { DATABASE_URL: '', DATA_DIR: join(folder, 'from') };
    const to = { DATABASE_URL: '', DATA_DIR: join(folder, 'to') };
    // This process takes a share in the server to fill the database.
    const server = await startEmbedded({ dataDir: from.DATA_DIR, log: () => undefined, settings: { fsync: 'off' } });
    const digest = await roundTrip(server.url, from, to);
    await server.release();
    const restored = await startEmbedded({ dataDir: to.DATA_DIR, log: () => undefined });
    const orm = await openOrm(restored.url, 2);
    try {
      expect(JSON.stringify(await digestOf(orm))).toBe(digest);
    } finally {
      await orm.close();
      await restored.release();
    }
  });
});

describe('a restore', () => {
  test(`that is killed ${RESTORE_KILLS} times, at random, leaves a database that is complete or that the next restore takes`, async () => {
    const from = await database();
    const location = join(folder, 'restored');
    const app = await startTestApp(from.url, {
      settings: { BACKUP_LOCATIONS: [{ name: 'disk', folder: location, keepAtLeast: 1 }] },
    });
    const task = await addBackupTask(app);
    await addEvents(from.orm, 100_000);
    const file = join(location, fileOf(await runTask(app, task)));
    await app.stop();
    const expected = await digestOf(from.orm);

    let takes = 0;
    let whole = 0;
    for (let kill = 0; kill <= RESTORE_KILLS; kill += 1) {
      const to = await testDatabase(EMPTY);
      try {
        const begun = performance.now();
        const child = spawnCommand('restore', [file], { DATABASE_URL: to.url });
        const ended = once(child, 'close');
        if (kill === 0) {
          await ended;
          takes = performance.now() - begun;
          continue;
        }
        await pause(Math.random() * takes * 1.05);
        child.kill('SIGKILL');
        await ended;
        const again = await command('restore', [file], { DATABASE_URL: to.url });
        if (again.code === 1) {
          expect(again.output).toMatch(/^The database is in use: there are rows in app_user\./);
          whole += 1;
        }
        expect(await digestOf(to.orm)).toEqual(expected);
        expect(await rows(to.orm.em, 'select from installation where held_since is not null')).toHaveLength(1);
      } finally {
        await to.close();
      }
    }
    expect(whole).toBeLessThan(RESTORE_KILLS);
    process.stdout.write(`a restore takes ${Math.round(takes)} ms; of ${RESTORE_KILLS} kills ${whole} came too late\n`);
  });

  test('and a start at the same time leave one complete installation, of either of them', async () => {
    const from = await database();
    const location = join(folder, 'raced');
    const app = await startTestApp(from.url, {
      settings: { BACKUP_LOCATIONS: [{ name: 'disk', folder: location, keepAtLeast: 1 }] },
    });
    await rows(from.orm.em, "insert into app_user (id, name, role) values (31, 'restored', 'VIEWER')");
    const file = join(location, fileOf(await runTask(app, await addBackupTask(app))));
    await app.stop();
    const won = { restore: 0, start: 0 };
    for (let race = 0; race < RACES; race += 1) {
      const to = await testDatabase(EMPTY);
      try {
        const restoring = pause(Math.random() * RACE_WITHIN_MS).then(() =>
          command('restore', [file], { DATABASE_URL: to.url }),
        );
        const started = await startProcess(to.url);
        const { code, output } = await restoring;
        await started.stop();
        const names = (await rows<{ name: string }>(to.orm.em, 'select name from app_user order by id')).map(
          ({ name }) => name,
        );
        expect({ names, output }).toEqual(
          code === 0
            ? { names: ['admin', 'restored'], output: expect.stringContaining('compared every row') }
            : { names: ['admin'], output: expect.stringMatching(/^The database is in use/) },
        );
        won[code === 0 ? 'restore' : 'start'] += 1;
      } finally {
        await to.close();
      }
    }
    process.stdout.write(`of ${RACES} races the restore won ${won.restore}, the start ${won.start}\n`);
  });

  test('of a backup of an older schema version migrates to the current one', async () => {
    const older = await database(EMPTY);
    const migrations = await readMigrationsInCode();
    const before = migrations.at(-2);
    if (before === undefined) throw new Error('there is only one migration');
    await older.orm.migrator.up({ to: before });
    await rows(older.orm.em, "insert into app_user (id, name, role) values (1, 'admin', 'ADMIN')");
    await rows(
      older.orm.em,
      `insert into task (name, class_name, active, owner_id, time_zone, created_at, updated_at)
       values ('older', 'C', true, 1, 'UTC', now(), now())`,
    );
    const file = join(folder, 'older.zip');
    const manifest = await writeOlderBackup(older.orm, older.url, file);
    expect(manifest.schemaVersion).toBe(before);
    const to = await database(EMPTY);
    expect(await command('restore', [file], { DATABASE_URL: to.url })).toMatchObject({ code: 0 });
    expect((await to.orm.migrator.getExecuted()).map(({ name }) => name)).toEqual(migrations);
    const app = await startTestApp(to.url);
    expect(await rows(to.orm.em, 'select name from task')).toEqual([{ name: 'older' }]);
    expect(await rows(to.orm.em, 'select from runner')).toEqual([]);
    await app.stop();
  });
});
