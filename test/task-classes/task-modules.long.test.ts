// TASK_MODULES, as an operator uses it: files, folders and packages that a process loads when it starts.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CHILD_ENVIRONMENT } from '../support/child-environment.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { readPage } from '../support/markdown.ts';
import { startProcess } from '../support/process.ts';

const LOAD = fileURLToPath(new URL('../support/load-modules.ts', import.meta.url));
const execute = promisify(execFile);

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await testDatabase();
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-modules-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await database?.close();
});

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  return path;
}

/** The example of the documentation, to the letter. */
async function documentedExample(): Promise<string> {
  const [example] = (await readPage('docs/task-classes.md')).code.filter(({ language }) => language === 'ts');
  if (example === undefined) throw new Error('the page has no example');
  return example.text;
}

test('the example of the documentation, written to a file outside the project, runs for GraphQL and for old callers', async () => {
  const path = await write('greet-task.ts', await documentedExample());
  const app = await startProcess(database.url, { TASK_MODULES: path });
  try {
    const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
      `mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }`,
      { input: { name: 'Greet', className: '\\example\\Tasks\\GreetTask', data: { who: 'world' } } },
    );
    const { executeTask } = await app.query<{ executeTask: { run: object } }>(
      `mutation ($id: ID!) { executeTask(input: { task: { id: $id }, waitSeconds: 20 }) { run { state message } } }`,
      { id: addTask.task.id },
    );
    expect(executeTask.run).toEqual({ state: 'SUCCEEDED', message: 'Hello, world.' });
    const body = {
      user_id: 1,
      name: 'Nobody',
      class_name: '\\example\\Tasks\\GreetTask',
      data: { who: 'nobody' },
      active: false,
      repeat_items: [{ repeat_hour: 4 }],
    };
    await app.legacy('target=scheduler&action=addTask', { method: 'POST', body: JSON.stringify(body) });
    const reply = await app.legacy('target=scheduler&action=executeTask&taskId=2');
    expect(JSON.parse(reply)).toMatchObject({ success: 0, message: 'There is nobody to greet.' });
  } finally {
    await app.stop();
  }
});

const CLASS = (name: string) => `
  export const named = defineTaskClass({
    name: ${JSON.stringify(name)}, title: 't', description: 'd', data: z.looseObject({}), run: async () => 'ran',
  });`;
const IMPORT = `import { defineTaskClass, z } from 'slotkeeper';`;

test('a module that does not load, has no class or repeats a name ends the start with a sentence that says so', async () => {
  const empty = await write('empty.ts', `export const named = { name: '\\\\a\\\\B', run: async () => 'ran' };`);
  const broken = await write('broken.ts', `${IMPORT} export const = 1;`);
  const bad = await write('bad.ts', `${IMPORT}${CLASS('Bad')}`);
  const once = await write('once.js', `${IMPORT}${CLASS('\\a\\B')}`);
  const twice = await write('twice/index.mjs', `${IMPORT}${CLASS('\\a\\B')}`);
  const holding = await write('holding.ts', `${IMPORT}${CLASS('\\scheduler\\Tasks\\ProcessHoldingTask')}`);
  const typed = await write('node_modules/typed/index.ts', `${IMPORT}${CLASS('\\a\\C')}`);
  const cases = [
    [
      'no-such-package',
      /^TASK_MODULES: no-such-package cannot be loaded: Cannot find package .*; the name of a file begins/,
    ],
    [empty, /^TASK_MODULES: \S+empty\.ts must export a task class that defineTaskClass returned, got none/],
    [broken, /^TASK_MODULES: \S+broken\.ts cannot be loaded: .*Unexpected token/],
    [
      bad,
      /^TASK_MODULES: \S+bad\.ts cannot be loaded: the name of a task class must be a PHP name with its namespace, .*, got "Bad"/,
    ],
    [typed, /^TASK_MODULES: \S+typed\/index\.ts cannot be loaded: a package below node_modules is to be published as/],
    [`${once},${twice}`, /^TASK_MODULES: there are two task classes named \\a\\B\.$/],
  ] as const;
  const lists = cases.map(([names]) => names);
  const { stdout } = await execute(process.execPath, [LOAD, ...lists], { env: CHILD_ENVIRONMENT });
  const messages = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as string);
  for (const [index, [, message]] of cases.entries()) expect(messages[index]).toMatch(message);

  const starts = [
    [join(folder, 'nowhere.ts'), /: TASK_MODULES: \S+nowhere\.ts cannot be loaded: ENOENT/],
    [holding, /: TASK_MODULES: there are two task classes named \\scheduler\\Tasks\\ProcessHoldingTask\./],
    [`${once},,`, /TASK_MODULES must be a list of files and packages, separated by commas/],
  ] as const;
  for (const [modules, message] of starts) {
    await expect(startProcess(database.url, { TASK_MODULES: modules }), modules).rejects.toThrow(message);
  }
});
