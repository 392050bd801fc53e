import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { Kysely } from 'kysely';
import { isConnectionLost } from '../database/connection-lost.ts';
import type { ReadTables } from '../database/rows.ts';
import { readSnapshot } from '../database/snapshot.ts';
import { codeOf, reasonOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { syncToDisk } from '../lib/sync-to-disk.ts';
import { FORMAT, toFile } from './definition.ts';
import { readStoredTasks } from './stored-tasks.ts';

/**
 * Writes all tasks as of one instant: the same tasks give the same bytes. A given stream stays open. Everything is
 * written to a temporary file first: a slow reader may take hours, which no transaction should, and gets nothing of an
 * export that fails.
 */
export async function writeTasks(em: EntityManager, out: NodeJS.WritableStream): Promise<void> {
  const handle = await openUnnamed();
  try {
    await copyTasks(em, handle, `A file in ${tmpdir()}`);
    await pipeline(handle.createReadStream({ start: 0, autoClose: false }), out, { end: false });
  } catch (error) {
    if (codeOf(error) !== 'EPIPE') throw error;
    throw new OperatorError('Whoever reads the tasks has gone before all were written.');
  } finally {
    await handle.close();
  }
}

/** The same into a file, which is there as a whole or as it was before. */
export async function writeTasksFile(em: EntityManager, path: string): Promise<void> {
  const unfinished = `${path}.${randomUUID()}.partial`;
  try {
    const handle = await whereWritten(path, () => open(unfinished, 'wx'));
    try {
      await copyTasks(em, handle, path);
      await whereWritten(path, () => handle.sync());
    } finally {
      await handle.close();
    }
    await whereWritten(path, async () => {
      await rename(unfinished, path);
      await syncToDisk(dirname(path));
    });
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** A file that is gone with this process, however that ends: tasks are not for everyone to read. */
async function openUnnamed(): Promise<FileHandle> {
  const path = join(tmpdir(), `slotkeeper-${randomUUID()}`);
  return whereWritten(`A file in ${tmpdir()}`, async () => {
    const handle = await open(path, 'wx+', 0o600);
    await rm(path);
    return handle;
  });
}

/** Tells what fails of the database from what fails of the file, which is `called` so. */
async function copyTasks(em: EntityManager, to: FileHandle, called: string): Promise<void> {
  try {
    await readSnapshot(em, async (database) => {
      for await (const text of textOf(database)) await whereWritten(called, () => to.appendFile(text));
    });
  } catch (error) {
    if (!isConnectionLost(error)) throw error;
    throw new OperatorError(`The connection to the database was lost (${reasonOf(error)}): export again.`);
  }
}

async function whereWritten<Result>(called: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw new OperatorError(`${called} cannot be written: ${reasonOf(error)}`);
  }
}

/** Few writes, though tasks are many. */
const PIECE = 64 * 1024;

/** What JSON.stringify makes of all of it with two spaces, and a newline. */
async function* textOf(database: Kysely<ReadTables>): AsyncGenerator<string, void, undefined> {
  const { uuid } = await database.selectFrom('installation').select('uuid').executeTakeFirstOrThrow();
  let piece = `{\n  "slotkeeper": ${FORMAT},\n  "installation": "${uuid}",\n  "tasks": [`;
  let isFirst = true;
  for await (const task of readStoredTasks(database)) {
    const text = JSON.stringify(toFile(task), null, 2).replaceAll('\n', '\n    ');
    piece += `${isFirst ? '' : ','}\n    ${text}`;
    isFirst = false;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  yield `${piece}${isFirst ? ']\n}\n' : '\n  ]\n}\n'}`;
}
