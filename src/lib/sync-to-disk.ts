import { open } from 'node:fs/promises';

/** Makes the content of a file, or the names in a folder, survive a power failure. */
export async function syncToDisk(path: string): Promise<void> {
  // Windows cannot open a folder; its file system journals names by itself.
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
