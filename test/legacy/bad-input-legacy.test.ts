// Input that cannot be right, in the old API: an envelope that names the parameter, and nothing is stored.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { signedQuery } from '../../src/legacy/signature.ts';
import { ADMIN, HOLDING, type TestApp } from '../support/app.ts';
import { type StillDatabase, startStill } from '../support/contents.ts';
import { overLegacy, signedCall } from '../support/doors.ts';

let still: StillDatabase;
let app: TestApp;

beforeAll(async () => {
  still = await startStill();
  app = still.app;
});

afterEach(() => still.expectUnchanged());

afterAll(() => still?.stop());

const hundredAndOne = (item: object) => Array.from({ length: 101 }, () => item);

/** What is wrong, the fields that differ from a good task's, and how the message begins. */
const LEGACY_TASKS: [string, object, string, ...string[]][] = [
  ['no number as the user', { user_id: 'x' }, 'user_id: must be ', ', got "x"'],
  ['a user that there is not', { user_id: 99 }, 'user_id: ', 'must be the id of an existing user, got 99'],
  ['no name', { name: undefined }, 'name: must be ', ', got nothing'],
  ['an empty name', { name: '' }, 'name: must be ', ', got ""'],
  ['a NUL in the name', { name: 'a\0b' }, 'name: must be ', ', got "a\\u0000b"'],
  [
    'an unknown class',
    { class_name: '\\x' },
    'class_name: ',
    'must be an available task class',
    ', got "\\x"',
    HOLDING,
  ],
  ['no flag as active', { active: 'yes' }, 'active: must be ', ', got "yes"'],
  ['data that is no object', { data: '5' }, 'data: must be a JSON object', ', got "5"'],
  ['data that is no JSON', { data: '{"a":' }, 'data: must be a JSON object', ', got "{\\"a\\":"'],
  ['data that the class cannot use', { data: '{"holding_days":-1}' }, 'data', 'holding_days'],
  ['no list as the items', { repeat_items: 'x' }, 'repeat_items: must be ', ', got "x"'],
  [
    'an impossible date',
    { repeat_items: [{ repeat_start: '2015-02-30' }] },
    'repeat_items[0][repeat_start]: must be ',
    ', got "2015-02-30"',
  ],
  ['a rule for 30 February', { repeat_items: [{ repeat_month: 2, repeat_day: 30 }] }, 'repeat_items[0][repeat_day]'],
  [
    'hour 24',
    { repeat_items: [{ repeat_hour: 24 }] },
    'repeat_items[0][repeat_hour]: must be ',
    ', got ',
    '24',
    '0 to 23',
  ],
  [
    'an end before its start',
    { repeat_items: [{ repeat_start: '2026-02-03', repeat_end: '2026-02-02' }] },
    'repeat_items[0][repeat_end]',
    '2026-02-03',
  ],
  ['101 items', { repeat_items: hundredAndOne({ repeat_hour: 1 }) }, 'repeat_items', '101', '100'],
];

/** As PHP's http_build_query. */
function form(fields: object, prefix = ''): string {
  const pairs = Object.entries(fields).filter(([, value]) => value !== undefined);
  return pairs
    .map(([key, value]) => {
      const name = prefix === '' ? key : `${prefix}[${key}]`;
      return typeof value === 'object' ? form(value, name) : `${name}=${encodeURIComponent(value)}`;
    })
    .join('&');
}

const GOOD = { user_id: 1, name: 'Task', class_name: HOLDING, active: 1, repeat_items: [{ repeat_hour: 8 }] };

const LEGACY_DOORS = {
  'addTask as JSON': (fields: object) => postLegacy('addTask', JSON.stringify(fields), 'application/json'),
  'addTask as a form': (fields: object) => postLegacy('addTask', form(fields), 'application/x-www-form-urlencoded'),
  'updateTask by GET': (fields: object) => overLegacy(app.address, signedCall(`updateTask&id=1&${form(fields)}`)),
};

function postLegacy(action: string, body: string, contentType: string) {
  const init = { method: 'POST', body, headers: { 'content-type': contentType } };
  return overLegacy(app.address, signedCall(action), init);
}

describe.each(Object.entries(LEGACY_DOORS))('the old API, %s,', (_door, send) => {
  test.each(LEGACY_TASKS)('refuses %s', async (_what, fields, start, ...named) => {
    const { status, reply } = await send({ ...GOOD, ...fields });
    expect({ status, success: reply.success, keys: Object.keys(reply) }).toEqual({
      status: 200,
      success: 0,
      keys: ['success', 'message'],
    });
    expect(reply.message?.slice(0, start.length)).toBe(start);
    for (const name of named) expect(reply.message).toContain(name);
  });
});

describe('the old API', () => {
  test.each([
    ['target=scheduler&action=nonsense', 'action: must be one of addTask, updateTask, deleteTask,', ', got "nonsense"'],
    ['target=scheduler', 'action: must be one of addTask', ', got nothing'],
    ['target=nonsense&action=getTasks', 'target: must be scheduler, with the actions addTask', ', got "nonsense"'],
    ['', 'target: must be ', ', got nothing'],
    ['target=scheduler&action=addTask', 'addTask: the method must be POST, got GET'],
    ['target=scheduler&action=executeTask', 'taskId: must be ', ', got nothing'],
    ['target=scheduler&action=executeTask&taskId=x', 'taskId: must be ', ', got "x"'],
    ['target=scheduler&action=executeTask&taskId[]=1', 'taskId: must be ', ', got an object or array'],
    ['target=scheduler&action=executeTask&taskId=99', 'taskId: no task has the id 99'],
    ['target=scheduler&action=executeTask&taskId=2147483648', 'taskId: must be ', ', got "2147483648"'],
    ['target=scheduler&action=deleteTask&taskId=99', 'taskId: no task has the id 99'],
    ['target=scheduler&action=getTaskHistory&taskId=99', 'taskId: no task has the id 99'],
    [`target=scheduler&action=updateTask&id=99&${form(GOOD)}`, 'id: no task has the id 99'],
  ])('answers %s with what is wrong', async (query, start, got = '') => {
    const { status, reply } = await overLegacy(app.address, signedQuery(query, ADMIN.key, ADMIN.secret));
    expect({ status, success: reply.success }).toEqual({ status: 200, success: 0 });
    expect(reply.message?.slice(0, start.length)).toBe(start);
    expect(reply.message?.endsWith(got)).toBe(true);
  });

  test.each([
    ['malformed JSON', '{"user_id":', 'application/json'],
    ['JSON that is no object', '[1]', 'application/json'],
    [
      'a multipart form without its end',
      '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1',
      'multipart/form-data; boundary=x',
    ],
  ])('answers a body of %s with what is wrong', async (_what, body, contentType) => {
    const { status, reply } = await postLegacy('addTask', body, contentType);
    expect({ status, success: reply.success }).toEqual({ status: 200, success: 0 });
    expect(reply.message).not.toContain('our side');
  });

  test('refuses a call whose hash or secret is wrong, or that has none', async () => {
    const good = signedCall('deleteTask&taskId=1');
    const calls = [
      good.replace(/hash=.*/, 'hash=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='),
      good.replace('taskId=1', 'taskId=2'),
      signedCall('deleteTask&taskId=1', { key: 'admin-key', secret: 'wrong' }),
      signedCall('deleteTask&taskId=1', { key: 'nobody', secret: 'admin-secret' }),
      'target=scheduler&action=deleteTask&taskId=1&apiKey=admin-key',
      'target=scheduler&action=deleteTask&taskId=1',
    ];
    for (const call of calls) {
      const { status, reply } = await overLegacy(app.address, call);
      expect({ status, reply }).toEqual({
        status: 401,
        reply: { success: 0, message: 'Authentication failed: apiKey and hash are missing or wrong.' },
      });
    }
  });
});
