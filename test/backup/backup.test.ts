// A backup from the task to a copy that runs; failures are in backup-restore.long.test.ts.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseLocations } from '../../src/backup/locations.ts';
import { HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { BACKUP, command } from '../support/backups.ts';
import { contentsOf } from '../support/contents.ts';
import { EMPTY, type TestDatabase, testDatabase } from '../support/database.ts';

let folder: string;
let original: TestDatabase;
let copy: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slotkeeper-backup-'));
  original = await testDatabase();
  copy = await testDatabase(EMPTY);
  const settings = {
    BACKUP_LOCATIONS: parseLocations(`disk=${folder},safe=${join(folder, 'safe')}:keepAtLeast=2`) ?? [],
  };
  app = await startTestApp(original.url, { settings });
});

afterAll(async () => {
  await app?.stop();
  await original?.close();
  await copy?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  state: string;
  message: string;
  events: { edges: { node: { message: string | null } }[] };
}

async function addAndRun(className: string, data: object): Promise<Ended> {
  const { addTask } = await app.query<{ addTask: { task: { id: string } } }>(
    `mutation ($className: String!, $data: JSON) {
      addTask(input: { name: "n", className: $className, data: $data, repeatItems: [{ hour: 4 }] }) { task { id } } }`,
    { className, data },
  );
  const { executeTask } = await app.query<{ executeTask: { run: Ended } }>(
    `mutation ($id: ID!) { executeTask(input: { task: { id: $id }, waitSeconds: 60 }) {
      run { state message events(filter: { types: [LOG] }) { edges { node { message } } } } } }`,
    { id: addTask.task.id },
  );
  return executeTask.run;
}

test('a location keeps at least as many backups as its setting says, whatever a task asks for', async () => {
  const keeps = [3, 1, 1];
  const runs: Ended[] = [];
  for (const keep of keeps) runs.push(await addAndRun(BACKUP, { location: 'safe', keep }));
  const files = runs.map(({ message }) => message.split(' ')[1]);
  expect(runs.map(({ message }) => /(\d+) older/.exec(message)?.[1])).toEqual(['0', '0', '1']);
  expect((await readdir(join(folder, 'safe'))).sort()).toEqual(files.slice(1).sort());
  const told = '2 backups are kept, not 1: the minimum of the location';
  expect(runs.map(({ events }) => events.edges.map(({ node }) => node.message))).toEqual([[], [told], [told]]);
});

test('a backup is made, checked and restored; the copy is held until it is resumed, and then runs tasks', async () => {
  await app.query('mutation { addIpBlocks(input: { cidrs: ["10.0.0.0/24"] }) { ipBlocks { id } } }');
  await addAndRun(HOLDING, { holding_days: 1 });
  const { state, message } = await addAndRun(BACKUP, { location: 'disk', keep: 2 });
  expect({ state, message }).toMatchObject({
    state: 'SUCCEEDED',
    message: expect.stringMatching(/^Backup \S+\.zip made/),
  });
  const path = join(folder, message.split(' ')[1] ?? '');
  await app.stop();

  const changed = join(folder, 'changed.zip');
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1);
  await writeFile(changed, bytes);
  expect(await command('verify-backup', [changed])).toMatchObject({ code: 1 });
  expect(await command('verify-backup', [path])).toMatchObject({
    code: 0,
    output: expect.stringContaining('is intact'),
  });

  expect(await command('restore', [path], { DATABASE_URL: copy.url })).toMatchObject({ code: 0 });

  app = await startTestApp(copy.url);
  const [before, after] = [await contentsOf(original.orm), await contentsOf(copy.orm)];
  for (const table of ['app_user', 'api_key', 'repeat_item', 'schedule_version', 'ip_block']) {
    expect(after[table], table).toEqual(before[table]);
  }
  const held = () => app.query<{ installation: { heldSince: string | null } }>('{ installation { heldSince } }');
  expect((await held()).installation.heldSince).not.toBeNull();
  await app.query('mutation { resumeInstallation { installation { heldSince } } }');
  expect(await addAndRun(HOLDING, { holding_days: 1 })).toMatchObject({ state: 'SUCCEEDED' });
});
