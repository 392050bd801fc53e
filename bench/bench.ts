// All subjects in turn, or those that are named: `npm run bench -- [SUBJECT…] [--smoke] [--rounds N] [--seconds N]`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { SMOKE } from './support/report.ts';

const SUBJECTS = new URL('./subjects/', import.meta.url);
const RESULTS = new URL('./results/', import.meta.url);

async function run(command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
}

/** The peers are installed where they are not, or are others than the lock file names. */
async function installPeers(): Promise<void> {
  const changed = async (file: string) => (await stat(new URL(file, import.meta.url))).mtimeMs;
  const installed = await changed('node_modules/.package-lock.json').catch(() => 0);
  if (installed < (await changed('package-lock.json'))) {
    await run('npm', ['ci', '--prefix', fileURLToPath(new URL('.', import.meta.url))]);
  }
}

const known = (await readdir(SUBJECTS)).map((file) => file.replace('.ts', '')).toSorted();
const given = process.argv.slice(2);
const optionsFrom = given.findIndex((argument) => argument.startsWith('--'));
const [named, options] = optionsFrom === -1 ? [given, []] : [given.slice(0, optionsFrom), given.slice(optionsFrom)];
const unknown = named.filter((name) => !known.includes(name));
if (unknown.length > 0) throw new Error(`there is no subject ${unknown.join(', ')}; there are ${known.join(', ')}`);

await installPeers();
for (const name of named.length > 0 ? named : known) {
  await run(process.execPath, [fileURLToPath(new URL(`${name}.ts`, SUBJECTS)), ...options]);
}

if (!SMOKE) {
  const files = (await readdir(RESULTS)).filter((file) => file.endsWith('.md') && file !== 'README.md').toSorted();
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, RESULTS), 'utf8')));
  const head = '# Results\n\nWritten by `npm run bench`; how to read them is in ../README.md.\n\n';
  await writeFile(new URL('README.md', RESULTS), head + texts.join('\n'));
}
