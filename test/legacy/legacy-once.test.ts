// Old calls with an Idempotency-Key, executeTask beyond its time, and who still calls: over real ports, on two apps.
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMIN, HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { overLegacy, signedCall } from '../support/doors.ts';
import { startProcess } from '../support/process.ts';
import { rows } from '../support/races.ts';
import { heldClass } from '../support/test-classes.ts';

const held = heldClass();
const lines: string[] = [];
let database: TestDatabase;
let app: TestApp;
let other: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, {
    taskClasses: [held.taskClass],
    settings: { LEGACY_EXECUTE_TIMEOUT: 1, LOG_LEVEL: 'info' },
    log: { write: (line) => lines.push(line) },
  });
  other = await startProcess(database.url, { ROLE: 'gateway' });
});

afterAll(async () => {
  await app?.stop();
  await other?.stop();
  await database?.close();
});

const TASK = { user_id: 1, name: 'Once', class_name: HOLDING, active: true, repeat_items: [{ repeat_hour: 8 }] };

function add(to: TestApp, key: string | null, task: object = TASK): Promise<string> {
  const headers = { 'content-type': 'application/json', ...(key === null ? {} : { 'idempotency-key': key }) };
  return to.legacy('target=scheduler&action=addTask', { method: 'POST', headers, body: JSON.stringify(task) });
}

async function call(to: TestApp, action: string, key?: string): Promise<string> {
  return to.legacy(
    `target=scheduler&action=${action}`,
    key === undefined ? {} : { headers: { 'idempotency-key': key } },
  );
}

const idOf = (reply: string) => Number(/\((\d+)\) added/.exec(reply)?.[1]);
const count = async (table: string) =>
  (await rows<{ n: number }>(database.orm.em, `select count(*)::int as n from ${table}`))[0]?.n;

describe('an Idempotency-Key', () => {
  test('has addTask done once, and the same call answered with the same bytes, on another process too', async () => {
    const first = await add(app, 'add');
    const tasks = await count('task');
    const id = idOf(first);
    // What the task is called by now makes no difference.
    await call(app, `updateTask&id=${id}&user_id=1&name=Renamed&class_name=${HOLDING}&active=1`);
    expect(await add(other, 'add')).toBe(first);
    expect(await add(app, 'add')).toBe(first);
    expect(await count('task')).toBe(tasks);
  });

  test('that was used for another call is refused, and that call does nothing', async () => {
    const before = await add(app, 'other');
    const tasks = await count('task');
    const refused =
      '{"success":0,"message":"Idempotency-Key: must be a new key for a new call, got \\"other\\", which was used for another call"}';
    expect(await add(app, 'other', { ...TASK, name: 'Another' })).toBe(refused);
    expect(await call(app, `deleteTask&taskId=${idOf(before)}`, 'other')).toBe(refused);
    expect(await count('task')).toBe(tasks);
    expect(await call(app, 'getTasks', 'other')).toContain('"success":1');
  });

  test('lets one of two calls at the same instant on two processes do the work, and both give the same bytes', async () => {
    for (let round = 0; round < 10; round += 1) {
      const tasks = (await count('task')) ?? 0;
      const replies = await Promise.all([app, other, app, other].map((to) => add(to, `race ${round}`)));
      expect(new Set(replies).size).toBe(1);
      expect(replies[0]).toContain('added');
      expect(await count('task')).toBe(tasks + 1);
    }
  });

  test('lets one of two different calls at the same instant do its work, and refuses the other', async () => {
    for (let round = 0; round < 10; round += 1) {
      const tasks = (await count('task')) ?? 0;
      const replies = await Promise.all([
        add(app, `clash ${round}`, { ...TASK, name: 'Left' }),
        add(other, `clash ${round}`, { ...TASK, name: 'Right' }),
      ]);
      expect(replies.filter((reply) => reply.includes('"success":1'))).toHaveLength(1);
      expect(replies.filter((reply) => reply.includes('was used for another call'))).toHaveLength(1);
      expect(await count('task')).toBe(tasks + 1);
    }
  });

  test('of a call that was refused is free for the corrected call', async () => {
    expect(await add(app, 'corrected', { ...TASK, class_name: 'none' })).toContain('"success":0');
    expect(await add(app, 'corrected')).toContain('"success":1');
  });

  test('deletes and updates once', async () => {
    const id = idOf(await add(app, null));
    const update = `updateTask&id=${id}&user_id=1&name=Later&class_name=${HOLDING}&active=0`;
    const updated = await call(app, update, 'update');
    await call(app, `updateTask&id=${id}&user_id=1&name=Latest&class_name=${HOLDING}&active=0`);
    expect(await call(other, update, 'update')).toBe(updated);
    expect(await call(app, 'getTasks')).toContain('"Latest"');
    const deleted = await call(app, `deleteTask&taskId=${id}`, 'delete');
    expect(deleted).toBe(`{"success":1,"message":"Task \\"Latest\\" (${id}) deleted","data":null}`);
    expect(await call(other, `deleteTask&taskId=${id}`, 'delete')).toBe(deleted);
    expect(await call(other, `deleteTask&taskId=${id}`)).toContain('"success":0');
  });

  test('executes a task once, even if the caller repeats the call during the run', async () => {
    const id = await addHeld();
    const first = call(app, `executeTask&taskId=${id}`, 'execute');
    const attempt = await held.next();
    const goesOn = await first;
    expect(goesOn).toMatch(
      /^\{"success":1,"message":"Run \S+ of task .* is not finished yet and goes on; [^"]+","data":null\}$/,
    );
    expect(await call(app, `executeTask&taskId=${id}`, 'execute')).toBe(goesOn);
    attempt.succeed('done');
    expect(held.begunCount()).toBe(0);
    expect(await rows(database.orm.em, 'select count(*)::int as n from run where task_id = ?', [id])).toEqual([
      { n: 1 },
    ]);
  });

  test('is forgotten after 24 hours', async () => {
    const first = await add(app, 'old');
    for (const table of ['legacy_reply', 'idempotency_key']) {
      await rows(database.orm.em, `update ${table} set created_at = now() - interval '24 hours 1 second'`);
    }
    const again = await add(other, 'old');
    expect(again).toContain('"success":1');
    expect(again).not.toBe(first);
    expect(await add(app, 'old')).toBe(again);
  });

  test('that is too long is refused', async () => {
    expect(await add(app, 'k'.repeat(201))).toBe(
      '{"success":0,"message":"Idempotency-Key: must have at most 200 characters, got 201"}',
    );
  });
});

async function addHeld(): Promise<number> {
  return idOf(await add(app, null, { ...TASK, class_name: held.taskClass.name, repeat_items: [] }));
}

describe('executeTask', () => {
  const stateOf = async (id: number) =>
    (await rows<{ state: string }>(database.orm.em, 'select state from run where task_id = ?', [id])).map(
      ({ state }) => state,
    );

  test('answers on a gateway with what another process made of the run', async () => {
    const id = await addHeld();
    const reply = call(other, `executeTask&taskId=${id}`);
    (await held.next()).succeed('made elsewhere');
    expect(await reply).toBe('{"success":1,"message":"made elsewhere","data":null}');
    const failing = call(other, `executeTask&taskId=${id}`);
    (await held.next()).fail('No such location');
    expect(await failing).toBe('{"success":0,"message":"No such location"}');
  });

  test('names the run that exceeds the time limit of the call, and the run ends normally', async () => {
    const id = await addHeld();
    const reply = call(app, `executeTask&taskId=${id}`);
    const attempt = await held.next();
    const run = /Run (\S+) of task \\"Once\\" /.exec(await reply)?.[1]?.replaceAll('\\/', '/');
    const found = await app.query<{ run: { state: string } }>('query ($id: ID!) { run(id: $id) { state } }', {
      id: run,
    });
    expect(found.run.state).toBe('RUNNING');
    attempt.succeed('in the end');
    await expect.poll(() => call(app, `getTaskHistory&taskId=${id}`)).toContain('message=in the end');
  });

  test('continues when its caller hangs up', async () => {
    const id = await addHeld();
    const hung = request(`${app.address}/api/v1/api.php?${signedCall(`executeTask&taskId=${id}`)}`);
    const closed = new Promise((resolve) => hung.once('close', resolve));
    hung.on('error', () => undefined);
    hung.end();
    const attempt = await held.next();
    hung.destroy();
    await closed;
    attempt.succeed('nobody listens');
    await expect.poll(() => stateOf(id)).toEqual(['SUCCEEDED']);
  });
});

describe('who still calls', () => {
  interface Caller {
    apiKey: { key: string; user: { name: string } };
    action: string;
    calls: number;
    lastCalledAt: string;
  }
  const callers = async () => {
    const document = '{ legacyCallers { apiKey { key user { name } } action calls lastCalledAt } }';
    return (await app.query<{ legacyCallers: Caller[] }>(document)).legacyCallers;
  };

  test('is counted by key and action over all processes, and shown to an admin', async () => {
    const counted = { key: 'counted', secret: 'secret' };
    await app.query('mutation ($input: ImportApiKeyInput!) { importApiKey(input: $input) { apiKey { key } } }', {
      input: { ...counted, userLegacyId: 31, userName: 'usernamehere' },
    });
    const begin = Date.now();
    for (const { address } of [app, other, app]) {
      await overLegacy(address, signedCall('getTaskHistory&taskId=1', counted));
      await overLegacy(address, signedCall('nonsense', counted));
    }
    await overLegacy(app.address, signedCall('gettasks', counted));
    const known = async () => (await callers()).filter(({ apiKey }) => apiKey.key === counted.key);
    const calls = async () => Object.fromEntries((await known()).map(({ action, calls }) => [action, calls]));
    await expect.poll(calls).toEqual({ getTaskHistory: 3, getTasks: 1, unknown: 3 });
    for (const { apiKey, lastCalledAt } of await known()) {
      expect(apiKey.user.name).toBe('usernamehere');
      expect(new Date(lastCalledAt).getTime()).toBeGreaterThanOrEqual(begin - 1_000);
    }
  });

  test('is in the log, with what was called and how it ended, and without any secret', async () => {
    lines.length = 0;
    await call(app, 'getTasks');
    await call(app, 'deleteTask&taskId=0');
    await overLegacy(app.address, 'target=scheduler&action=getTasks&apiKey=stranger&hash=AAAA');
    const calls = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'old call');
    expect(calls).toEqual([
      expect.objectContaining({
        apiKey: ADMIN.key,
        action: 'getTasks',
        outcome: 'success',
        milliseconds: expect.any(Number),
      }),
      expect.objectContaining({ apiKey: ADMIN.key, action: 'deleteTask', outcome: 'error' }),
      expect.objectContaining({ apiKey: 'stranger', action: null, outcome: 'unauthenticated' }),
    ]);
    expect(lines.join('')).not.toMatch(/admin-secret|hash/);
  });
});
