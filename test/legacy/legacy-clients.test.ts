// Clients of the old API, as their users wrote them, live through the whole life of a task on a real port.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ADMIN, HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { hasPhp } from '../support/php.ts';

const fileOf = (name: string) => fileURLToPath(new URL(`../support/${name}`, import.meta.url));
const HAS_PHP = hasPhp('curl');
const REASON = HAS_PHP ? '' : ' (skipped: there is no php with curl here; Debian has it in php-cli and php-curl)';

let database: TestDatabase;
let app: TestApp;

beforeEach(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url);
});

afterEach(async () => {
  await app?.stop();
  await database?.close();
});

interface Call {
  query: Record<string, string>;
  body?: string;
}

const scheduler = (action: string, rest: Record<string, string> = {}) => ({ target: 'scheduler', action, ...rest });

const NAME = 'Größe & "Backup" / 50% + 1';
const CALLS: Call[] = [
  {
    query: scheduler('addTask'),
    body: JSON.stringify({
      user_id: 1,
      name: NAME,
      class_name: HOLDING,
      data: { holding_days: 0 },
      active: true,
      repeat_items: [{ repeat_start: '2015-05-06', repeat_weekday: 4, repeat_hour: 20 }],
    }),
  },
  { query: scheduler('getTasks') },
  {
    query: scheduler('updateTask', {
      id: '1',
      user_id: '1',
      name: `${NAME} +`,
      class_name: HOLDING,
      active: '0',
      repeat_weekday: '*',
      repeat_hour: '08',
      repeat_minute: '30',
    }),
  },
  { query: scheduler('executeTask', { taskId: '1' }) },
  { query: scheduler('getTaskHistory', { taskId: '1' }) },
  { query: scheduler('deleteTask', { taskId: '1' }) },
  { query: scheduler('getTasks') },
  { query: scheduler('deleteTask', { taskId: '1' }) },
];

// As json_encode spells the name, inside a message and outside.
const SHOWN = 'Gr\\u00f6\\u00dfe & \\"Backup\\" \\/ 50% + 1';
const DONE = 'Holding tank processed. 0 IPv4 and 0 IPv6 blocks moved to the available pool.';
const historyRow = (message: string) =>
  `{"log_id":"N","time":"T","log_level":"6","user_id":"1","username":"admin","log_category":"System","message":"${message}","ip":null}`;
const REPLIES = [
  `200 {"success":1,"message":"Task \\"${SHOWN}\\" (1) added"}`,
  `200 {"success":1,"data":[{"id":"1","user_id":"1","name":"${SHOWN}","class_name":"\\\\scheduler\\\\Tasks\\\\ProcessHoldingTask","active":true,"data":{"holding_days":0},"last_run":null,"repeat_items":[{"id":"1","task_id":"1","repeat_start":"2015-05-06","repeat_end":null,"repeat_interval":null,"repeat_year":"*","repeat_month":"*","repeat_day":"*","repeat_week":"*","repeat_weekday":"4","repeat_hour":"20","repeat_minute":"0"}]}]}`,
  `200 {"success":1,"message":"Task \\"${SHOWN} +\\" (1) updated"}`,
  `200 {"success":1,"message":"${DONE} ","data":null}`,
  `200 {"success":1,"data":[${[
    `task_id=1 task=${SHOWN} + action=finished message=${DONE}`,
    `Task \\"${SHOWN} +\\" (1) updated`,
    `Task \\"${SHOWN}\\" (1) added`,
  ]
    .map(historyRow)
    .join(',')}]}`,
  `200 {"success":1,"message":"Task \\"${SHOWN} +\\" (1) deleted","data":null}`,
  '200 {"success":1,"data":[]}',
  '200 {"success":0,"message":"taskId: no task has the id 1"}',
];

/** What the client printed, a line a call. */
async function run(command: string, client: string): Promise<string[]> {
  const child = spawn(command, [fileOf(client), `${app.address}/api/v1/api.php`, ADMIN.key, ADMIN.secret], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const closed = once(child, 'close');
  child.stdin.end(CALLS.map((call) => `${JSON.stringify(call)}\n`).join(''));
  await closed;
  // Numbers and times of the log are the only things that differ from run to run.
  return output
    .replace(/"log_id":"\d+","time":"[\d: -]+"/g, '"log_id":"N","time":"T"')
    .split('\n')
    .slice(0, -1);
}

test.skipIf(!HAS_PHP)(`a client in PHP with curl${REASON}`, async () => {
  expect(await run('php', 'client.php')).toEqual(REPLIES);
});

test('a client in Node', async () => {
  expect(await run(process.execPath, 'client.mjs')).toEqual(REPLIES);
});
