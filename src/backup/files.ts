// The backup files of a location: their names, publication and removal.
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncToDisk } from '../lib/sync-to-disk.ts';

/**
 * File names hold the first characters of the installation's uuid; installations that share a folder ignore each
 * other's files.
 */
const INSTALLATION_CHARACTERS = 8;
const FINISHED = /^slotkeeper-([0-9a-f]{8})-(\d{8}T\d{6}Z)-(\d+)\.zip$/;
const UNFINISHED = /^\.slotkeeper-([0-9a-f]{8})-(\d+)-[0-9a-f]+\.partial$/;

function shortened(installation: string): string {
  return installation.slice(0, INSTALLATION_CHARACTERS);
}

/** `createdAt` as in the manifest. */
export function finishedName(installation: string, createdAt: string, runId: number): string {
  const time = createdAt.replace(/\.\d+/, '').replaceAll(/[-:]/g, '');
  return `slotkeeper-${shortened(installation)}-${time}-${runId}.zip`;
}

/** `unique` distinguishes the attempts of a run: one that was believed dead may still be writing. */
export function unfinishedName(installation: string, runId: number, unique: string): string {
  return `.slotkeeper-${shortened(installation)}-${runId}-${unique}.partial`;
}

export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

/** The unfinished files of this installation in the folder, with their runs. */
export async function listUnfinished(folder: string, installation: string): Promise<{ runId: number; name: string }[]> {
  return (await readdir(folder)).flatMap((name) => {
    const [, owner, runId] = UNFINISHED.exec(name) ?? [];
    return owner === shortened(installation) ? [{ runId: Number(runId), name }] : [];
  });
}

/** Gives a file its final name; once this resolves, the file survives a power failure. */
export async function publish(folder: string, unfinished: string, finished: string): Promise<void> {
  await rename(join(folder, unfinished), join(folder, finished));
  await syncToDisk(folder);
}

/**
 * Removes the finished backups of this installation except `current` and the newest `keep - 1` others; returns how
 * many.
 */
export async function removeOlder(
  folder: string,
  installation: string,
  current: string,
  keep: number,
): Promise<number> {
  const others = (await readdir(folder)).filter(
    (name) => name !== current && FINISHED.exec(name)?.[1] === shortened(installation),
  );
  const old = others.sort(byAge).slice(keep - 1);
  for (const name of old) await rm(join(folder, name), { force: true });
  return old.length;
}

/** Newest first; within the same second, the later run first. */
function byAge(left: string, right: string): number {
  const [, , leftTime = '', leftRun = ''] = FINISHED.exec(left) ?? [];
  const [, , rightTime = '', rightRun = ''] = FINISHED.exec(right) ?? [];
  if (leftTime !== rightTime) return leftTime < rightTime ? 1 : -1;
  return Number(rightRun) - Number(leftRun);
}
