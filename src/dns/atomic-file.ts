// Atomic file writes: a file is complete at any moment, even if the process is killed.
// Not by write-file-atomic 8.0 or atomically 2.1: when a disk fills up, both put the part that fitted into the place of the
// old file and report no error, since they ignore how much one fs.write wrote. Neither syncs the folder, so that a power cut
// may bring back the old name; what a killed process leaves has names that the next one cannot know for its own; and each
// follows a symbolic link where this replaces it.
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf } from '../lib/describe-error.ts';
import { syncToDisk } from '../lib/sync-to-disk.ts';

/** Names of files that are not renamed yet; the next push removes those of a killed process. */
export const TEMPORARY = /^\.slotkeeper-[0-9a-f]{16}\.tmp$/;

/** Replaces the file atomically. The new content is synced before the rename, and the folder after it. */
export async function writeAtomically(file: string, text: string): Promise<void> {
  const temporary = join(dirname(file), `.slotkeeper-${randomBytes(8).toString('hex')}.tmp`);
  try {
    // The name server has another user and only reads.
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncToDisk(dirname(file));
}

/** The text of a file; null if it does not exist. */
export async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}
