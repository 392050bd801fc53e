// Backups as their users make, check and restore them: the task through the API, the rest by the commands.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { to as copyTo } from 'pg-copy-streams';
import { ZipFile } from 'yazl';
import {
  Digest,
  entryOf,
  FORMAT,
  MANIFEST_ENTRY,
  type Manifest,
  SEAL_BYTES,
  sealed,
} from '../../src/backup/archive.ts';
import { openBackup } from '../../src/backup/read-backup.ts';
import { copyOut, ourTables, readNext, readShapes, setUpSession, TABLES_LEFT_OUT } from '../../src/backup/tables.ts';
import { connect } from '../../src/database/connect.ts';
import { MIGRATIONS_TABLE, type Orm } from '../../src/database/orm.ts';
import { MASTER_KEY, type TestApp } from './app.ts';
import { spawnSlotkeeper } from './command-line.ts';

export const BACKUP = '\\scheduler\\Tasks\\BackupTask';

const COMMANDS = {
  restore: ['backup', 'restore'],
  'verify-backup': ['backup', 'verify'],
  resume: ['resume'],
};

export interface CommandResult {
  code: number | null;
  output: string;
}

/** A command of the package, begun. */
export function spawnCommand(name: keyof typeof COMMANDS, args: string[], settings: Record<string, string> = {}) {
  return spawnSlotkeeper([...COMMANDS[name], ...args], {
    settings: { MASTER_KEY: MASTER_KEY.toString('hex'), ...settings },
  });
}

/** A command of the package, to its end. */
export async function command(...parameters: Parameters<typeof spawnCommand>): Promise<CommandResult> {
  const child = spawnCommand(...parameters);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

/** The runs of the task do not wait for one that was lost. */
export async function addBackupTask(app: TestApp, data: object = {}): Promise<string> {
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
    `mutation ($className: String!, $data: JSON) {
      addTask(input: {
        name: "Backup", className: $className, data: $data, policy: { overlap: ALLOW, retry: { attempts: 1 } }
      }) { task { id } }
    }`,
    { className: BACKUP, data },
  );
  return addTask.task.id;
}

export interface BackupRun {
  id: string;
  state: string;
  message: string;
}

/** Runs a task and waits for its end. */
export async function runTask(app: TestApp, task: string, data?: object): Promise<BackupRun> {
  const { executeTask } = await app.query<{ executeTask: { run: BackupRun } }>(
    `mutation ($task: ID!, $data: JSON) {
      executeTask(input: { task: { id: $task }, data: $data, waitSeconds: 60 }) { run { id state message } }
    }`,
    { task, data: data ?? null },
  );
  return executeTask.run;
}

/** The name of the file that the message of a run tells of. */
export function fileOf({ message }: Pick<BackupRun, 'message'>): string {
  const file = /^Backup (\S+\.zip) made/.exec(message)?.[1];
  if (file === undefined) throw new Error(`no backup was made: ${message}`);
  return file;
}

/** The files in a folder under a final name, and the others. */
export async function filesIn(folder: string): Promise<{ finished: string[]; others: string[] }> {
  const names = (await readdir(folder).catch(() => [])).sort();
  const isFinished = (name: string) => name.startsWith('slotkeeper-');
  return { finished: names.filter(isFinished), others: names.filter((name) => !isFinished(name)) };
}

/** A whole backup with another manifest, or with other rows in a table. */
export async function rewrite(
  path: string,
  to: string,
  change: (manifest: Manifest, rows: Map<string, Buffer>) => void,
): Promise<void> {
  const backup = await openBackup(path);
  const rows = new Map<string, Buffer>();
  for (const { name } of backup.manifest.tables) {
    rows.set(name, await buffer(await backup.read(name)));
  }
  await backup.close();
  const manifest = structuredClone(backup.manifest);
  change(manifest, rows);
  await writeArchive(to, manifest, rows);
}

async function writeArchive(to: string, manifest: Manifest, rows: ReadonlyMap<string, Buffer>): Promise<void> {
  const zip = new ZipFile();
  for (const [name, content] of rows) zip.addBuffer(content, entryOf(name));
  zip.addBuffer(Buffer.from(JSON.stringify(manifest)), MANIFEST_ENTRY);
  zip.end({ comment: '0'.repeat(SEAL_BYTES), forceZip64Format: false });
  await pipeline(zip.outputStream as Readable, sealed, createWriteStream(to));
}

/** A backup of a database at an older schema version, as the code of that time wrote it. */
export async function writeOlderBackup({ em }: Orm, url: string, to: string): Promise<Manifest> {
  const client = await connect(url);
  try {
    await setUpSession(client);
    const { rows: applied } = await client.query<{ name: string }>(`select name from ${MIGRATIONS_TABLE} order by id`);
    const { rows: tables } = await client.query<{ name: string }>(
      `select tablename as name from pg_tables where schemaname = 'public' and tablename <> all($1)`,
      [[MIGRATIONS_TABLE, ...TABLES_LEFT_OUT]],
    );
    // The order is that of the present list; a table that is gone by now would come first.
    const order = ourTables(em);
    const names = tables.map(({ name }) => name).sort((left, right) => order.indexOf(left) - order.indexOf(right));
    const rows = new Map<string, Buffer>();
    const manifest: Manifest = {
      format: FORMAT,
      product: 'slotkeeper',
      version: '0.0.1',
      schemaVersion: applied.at(-1)?.name ?? '',
      migrations: applied.map(({ name }) => name),
      createdAt: new Date().toISOString(),
      installation: '00000000-0000-4000-8000-000000000000',
      postgresql: '14.0',
      tables: [],
    };
    for (const shape of await readShapes(client, names)) {
      const content = await buffer(client.query(copyTo(copyOut(shape))));
      const digest = new Digest();
      digest.update(content);
      rows.set(shape.name, content);
      manifest.tables.push({
        name: shape.name,
        columns: shape.columns,
        ...digest.result(),
        next: await readNext(client, shape),
      });
    }
    await writeArchive(to, manifest, rows);
    return manifest;
  } finally {
    await client.end();
  }
}

/** The peak of a process' resident memory so far, in MB. */
export async function peakMegabytes(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_000;
}
