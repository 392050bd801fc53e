import { randomBytes } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import type { EntityManager } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { z } from 'zod';
import type { Manifest } from '../../backup/archive.ts';
import { finishedName, listUnfinished, makeFolder, publish, removeOlder, unfinishedName } from '../../backup/files.ts';
import { readInstallation } from '../../backup/installation.ts';
import { type BackupLocation, MAX_KEEP } from '../../backup/locations.ts';
import { verifyBackup } from '../../backup/read-backup.ts';
import { writeBackup } from '../../backup/write-backup.ts';
import { publicMessage } from '../../lib/describe-error.ts';
import { defineTaskClass } from '../task-class.ts';

const DEFAULT_KEEP = 7;
/** The same numbers as text, as old callers may send them. */
const KEEP_TEXT = /^0*([1-9]\d{0,3}|10000)$/;
/** The rest of the work is the check of what was written. */
const WRITING_PART = 0.7;
const FOUR_HOURS_SECONDS = 14_400;

/** The name that an attempt was about to give to its file. */
const checkpointSchema = z.object({ file: z.string() });

interface BackupTaskParts {
  /** At least one; the first is the default of tasks. */
  locations: readonly BackupLocation[];
  databaseUrl: string;
}

/**
 * Makes a backup at a location, removes older ones beyond the number to keep, and reports. The message: `Backup
 * slotkeeper-….zip made: 15 tables, 12345 rows, 1.2 MB; 2 older backups removed.` The file is renamed after it was
 * written, synced and verified, so a file with a final name is complete even if the process is killed. Files under
 * other names are removed by the next backup. Any number of backups may run at one location: no two share a file, and
 * removing an older one twice does no harm.
 */
export function backupTask({ locations, databaseUrl }: BackupTaskParts) {
  const names = locations.map(({ name }) => name);
  const [first] = locations;
  return defineTaskClass({
    name: '\\scheduler\\Tasks\\BackupTask',
    title: 'Make a backup',
    description: 'Makes a backup of everything at a location, and removes the oldest of those that it has made there.',
    data: z.looseObject({
      location: z
        .enum(names, { error: ({ input }) => `must be one of ${names.join(', ')}, got ${shown(input)}` })
        .nullish()
        .describe(`The name of the location, as the server's settings have it. ${first?.name} unless given.`),
      keep: z
        .union(
          [
            z.int(notKept).min(1, notKept).max(MAX_KEEP, notKept),
            z.string(notKept).trim().regex(KEEP_TEXT, notKept).transform(Number),
          ],
          notKept,
        )
        .nullish()
        .describe(
          `How many backups to keep at the location, the new one among them. ${DEFAULT_KEEP} unless given; not fewer than the server's settings keep there.`,
        ),
    }),
    defaults: { timeoutSeconds: FOUR_HOURS_SECONDS, retry: { attempts: 3, delaySeconds: 60 } },
    async run({ data, run, em, signal, log, progress, checkpoint }) {
      const location = locations.find(({ name }) => name === data.location) ?? first;
      if (location === undefined) throw new Error('no location for backups is set');
      const { folder } = location;
      const { uuid } = await readInstallation(em);
      return atLocation(location, async () => {
        await makeFolder(folder);
        const earlier = await findEarlier(folder, run.checkpoint, signal, log);
        const made = earlier ?? (await make());
        const keep = data.keep ?? DEFAULT_KEEP;
        if (keep < location.keepAtLeast)
          log(`${location.keepAtLeast} backups are kept, not ${keep}: the minimum of the location`);
        const removed = await removeOlder(folder, uuid, made.file, Math.max(keep, location.keepAtLeast));
        return report(made, await stat(join(folder, made.file)), removed);
      });

      async function make(): Promise<Made> {
        await removeDead(em, folder, uuid, run.id);
        const unfinished = unfinishedName(uuid, run.id, randomBytes(8).toString('hex'));
        const path = join(folder, unfinished);
        try {
          await writeBackup(em, databaseUrl, path, { signal, progress: (part) => progress(part * WRITING_PART) });
          const check = (part: number) => progress(WRITING_PART + part * (1 - WRITING_PART));
          const manifest = await verifyBackup(path, { signal, progress: check });
          const file = finishedName(uuid, manifest.createdAt, run.id);
          // Refused to an attempt that was lost; and the next attempt of the run, if there is one, looks for this file.
          await checkpoint(async () => ({ file }) satisfies z.infer<typeof checkpointSchema>);
          signal.throwIfAborted();
          await publish(folder, unfinished, file);
          return { file, manifest };
        } finally {
          await rm(path, { force: true });
        }
      }
    },
  });
}

const notKept = {
  error: ({ input }: { input: unknown }) => `must be a whole number from 1 to ${MAX_KEEP}, got ${shown(input)}`,
};

interface Made {
  file: string;
  manifest: Manifest;
}

function shown(input: unknown): string {
  return JSON.stringify(input).slice(0, 80);
}

/** The file that an earlier attempt of this run has made, if it is there and whole. */
async function findEarlier(
  folder: string,
  checkpoint: unknown,
  signal: AbortSignal,
  log: (message: string) => void,
): Promise<Made | null> {
  const parsed = checkpointSchema.safeParse(checkpoint);
  if (!parsed.success) return null;
  const { file } = parsed.data;
  const path = join(folder, file);
  if ((await stat(path).catch(() => null)) === null) return null;
  try {
    const manifest = await verifyBackup(path, { signal });
    log(`an earlier attempt has made ${file}`);
    return { file, manifest };
  } catch (error) {
    signal.throwIfAborted();
    log(`an earlier attempt has made ${file}, which is of no use: ${publicMessage(error)}`);
    return null;
  }
}

/**
 * Removes unfinished files of ended attempts: those of runs that are not RUNNING, and those of this run, of which only
 * this attempt counts. An attempt that was wrongly considered dead loses its file, and could not be settled anyway.
 */
async function removeDead(em: EntityManager, folder: string, installation: string, ownRun: number): Promise<void> {
  const unfinished = await listUnfinished(folder, installation);
  if (unfinished.length === 0) return;
  const { rows } = await sql<{ id: number }>`
    select id from run where state = 'RUNNING' and id = any(${unfinished.map(({ runId }) => runId)}) and id <> ${ownRun}
  `.execute(em.getKysely());
  const running = new Set(rows.map(({ id }) => id));
  for (const { runId, name } of unfinished) if (!running.has(runId)) await rm(join(folder, name), { force: true });
}

/** Errors of the system name paths; messages for users name the location instead. */
async function atLocation<Result>({ name }: BackupLocation, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error && 'path' in error && 'errno' in error)) throw error;
    throw new Error(`The location ${name} cannot be used: ${getSystemErrorMessage(Number(error.errno))}.`);
  }
}

function report({ file, manifest }: Made, { size }: { size: number }, removed: number): string {
  const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
  const megabytes = (size / 1_000_000).toFixed(1);
  const older = removed === 1 ? '1 older backup' : `${removed} older backups`;
  return `Backup ${file} made: ${manifest.tables.length} tables, ${rows} rows, ${megabytes} MB; ${older} removed.`;
}
