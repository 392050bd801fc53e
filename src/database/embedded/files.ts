// File operations that node:fs lacks.
import { chmod, lchown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The owner of an account's files. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

async function* walk(path: string): AsyncGenerator<{ path: string; mode: number; isLink: boolean }> {
  const found = await lstat(path);
  yield { path, mode: found.mode, isLink: found.isSymbolicLink() };
  if (!found.isDirectory()) return;
  for (const name of await readdir(path)) yield* walk(join(path, name));
}

/** Changes the owner of a folder and everything in it; links are not followed. */
export async function giveTo(owner: Owner, folder: string): Promise<void> {
  for await (const { path } of walk(folder)) await lchown(path, owner.uid, owner.gid);
}

/** Like `chmod -R a+rX`, whatever the umask was. */
export async function letEveryoneRead(folder: string): Promise<void> {
  for await (const { path, mode, isLink } of walk(folder)) {
    if (!isLink) await chmod(path, mode | (mode & 0o111 ? 0o555 : 0o444));
  }
}
