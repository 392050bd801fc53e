import { randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { EntityManager } from '@mikro-orm/postgresql';
import { syncToDisk } from '../database/embedded/files.ts';
import { readSnapshot } from '../database/snapshot.ts';
import { codeOf, reasonOf, StartupError } from '../database/startup-error.ts';
import { FORMAT, toFile } from './definition.ts';
import { readStoredTasks } from './stored-tasks.ts';

/** Writes all tasks as of one moment: the same tasks are the same bytes. A stream that is given stays open. */
export async function writeTasks(em: EntityManager, out: NodeJS.WritableStream): Promise<void> {
  try {
    await readSnapshot(em, (database) => pipeline(textOf(readStoredTasks(database)), out, { end: false }));
  } catch (error) {
    if (codeOf(error) !== 'EPIPE') throw error;
    throw new StartupError('Whoever reads the tasks has gone before all were written.');
  }
}

/** The same into a file, which is there as a whole or as it was before. */
export async function writeTasksFile(em: EntityManager, path: string): Promise<void> {
  const unfinished = `${path}.${randomUUID()}.partial`;
  try {
    const handle = await open(unfinished, 'wx');
    const out = handle.createWriteStream({ flush: true });
    await readSnapshot(em, (database) => pipeline(textOf(readStoredTasks(database)), out));
    await rename(unfinished, path);
    await syncToDisk(dirname(path));
  } catch (error) {
    await rm(unfinished, { force: true });
    if (codeOf(error)?.startsWith('E')) throw new StartupError(`${path} cannot be written: ${reasonOf(error)}`);
    throw error;
  }
}

/** What JSON.stringify makes of all of it with two spaces, and a newline. */
async function* textOf(tasks: ReturnType<typeof readStoredTasks>): AsyncGenerator<string, void, undefined> {
  yield `{\n  "slotkeeper": ${FORMAT},\n  "tasks": [`;
  let isFirst = true;
  for await (const task of tasks) {
    const text = JSON.stringify(toFile(task), null, 2).replaceAll('\n', '\n    ');
    yield `${isFirst ? '' : ','}\n    ${text}`;
    isFirst = false;
  }
  yield isFirst ? ']\n}\n' : '\n  ]\n}\n';
}
