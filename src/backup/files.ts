// The files of a location: what they are called, which of them go, and how one gets its name.
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncToDisk } from '../lib/sync-to-disk.ts';

/** Told by its first characters in file names; two installations that share a folder leave each other's files alone. */
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

/** `unique` tells apart the attempts of a run, of which one that was taken for dead may go on for a while. */
export function unfinishedName(installation: string, runId: number, unique: string): string {
  return `.slotkeeper-${shortened(installation)}-${runId}-${unique}.partial`;
}

export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

/** The runs of this installation that have unfinished files here, and the files. */
export async function listUnfinished(folder: string, installation: string): Promise<{ runId: number; name: string }[]> {
  return (await readdir(folder)).flatMap((name) => {
    const [, owner, runId] = UNFINISHED.exec(name) ?? [];
    return owner === shortened(installation) ? [{ runId: Number(runId), name }] : [];
  });
}

/** Gives a file its final name; from then on it is there after a power cut, too. */
export async function publish(folder: string, unfinished: string, finished: string): Promise<void> {
  await rename(join(folder, unfinished), join(folder, finished));
  await syncToDisk(folder);
}

/** Removes all finished backups of this installation but `current` and the newest others; returns how many went. */
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

/** The newest first; of the same second the later run. */
function byAge(left: string, right: string): number {
  const [, , leftTime = '', leftRun = ''] = FINISHED.exec(left) ?? [];
  const [, , rightTime = '', rightRun = ''] = FINISHED.exec(right) ?? [];
  if (leftTime !== rightTime) return leftTime < rightTime ? 1 : -1;
  return Number(rightRun) - Number(leftRun);
}
