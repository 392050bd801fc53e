// The examples of the page that the old API was documented on, replayed on a real port.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signedQuery } from '../../src/legacy/signature.ts';
import { ADMIN, HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';

const USER_ID = 31;

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url);
  await database.orm.em
    .getConnection()
    .execute(`insert into app_user (id, name, role) values (${USER_ID}, 'usernamehere', 'OPERATOR')`);
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

function post(query: string, parameters: object): Promise<string> {
  return app.legacy(query, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(parameters),
  });
}

/** Thursday to Sunday at eight in the evening, as on the page. */
const fourItems = ['4', '5', '6', '0'].map((weekday) => ({
  repeat_start: '2015-05-06',
  repeat_weekday: weekday,
  repeat_hour: '20',
  repeat_minute: '0',
}));

function itemRow(id: number, weekday: string): string {
  return `{"id":"${id}","task_id":"1","repeat_start":"2015-05-06","repeat_end":null,"repeat_interval":null,"repeat_year":"*","repeat_month":"*","repeat_day":"*","repeat_week":"*","repeat_weekday":"${weekday}","repeat_hour":"20","repeat_minute":"0"}`;
}

const items = ['4', '5', '6', '0'].map((weekday, index) => itemRow(index + 1, weekday)).join(',');
const CLASS_IN_JSON = '\\\\scheduler\\\\Tasks\\\\ProcessHoldingTask';

const taskRow = (lastRun: string) =>
  `{"id":"1","user_id":"31","name":"Process Holding Tank","class_name":"${CLASS_IN_JSON}","active":true,"data":null,"last_run":${lastRun},"repeat_items":[${items}]}`;

describe('the examples of the old page, one after the other', () => {
  test('a server without tasks answers with an empty list', async () => {
    expect(await app.legacy('target=scheduler&action=getTasks')).toBe('{"success":1,"data":[]}');
  });

  test('addTask takes the four items in a POST', async () => {
    const reply = await post('target=scheduler&action=addTask', {
      user_id: USER_ID,
      name: 'Process Holding Tank',
      class_name: HOLDING,
      data: {},
      active: true,
      repeat_items: fourItems,
    });
    expect(reply).toBe('{"success":1,"message":"Task \\"Process Holding Tank\\" (1) added"}');
  });

  test('getTasks shows the task in the shape of the page, to the byte', async () => {
    const reply = await app.legacy('target=scheduler&action=getTasks');
    expect(reply).toBe(`{"success":1,"data":[${taskRow('null')}]}`);
  });

  test('executeTask waits for the run and gives its message, the blank at its end included', async () => {
    const reply = await app.legacy('target=scheduler&action=executeTask&taskId=1');
    expect(reply).toBe(
      '{"success":1,"message":"Holding tank processed. 0 IPv4 and 0 IPv6 blocks moved to the available pool. ","data":null}',
    );
  });

  test('the history shows what was done, newest first, and getTasks the time of the last run', async () => {
    const reply = await app.legacy('target=scheduler&action=getTaskHistory&taskId=1');
    const { data } = JSON.parse(reply) as { data: { log_id: string; time: string }[] };
    const [finished, added] = data;
    expect(Number(finished?.log_id)).toBeGreaterThan(Number(added?.log_id));
    expect(finished?.time).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    const row = (entry: typeof finished, message: string) =>
      `{"log_id":"${entry?.log_id}","time":"${entry?.time}","log_level":"6","user_id":"1","username":"admin","log_category":"System","message":"${message}","ip":null}`;
    expect(reply).toBe(
      `{"success":1,"data":[${row(finished, 'task_id=1 task=Process Holding Tank action=finished message=Holding tank processed. 0 IPv4 and 0 IPv6 blocks moved to the available pool.')},${row(added, 'Task \\"Process Holding Tank\\" (1) added')}]}`,
    );
    expect(await app.legacy('target=scheduler&action=getTasks')).toBe(
      `{"success":1,"data":[${taskRow(`"${finished?.time}"`)}]}`,
    );
  });

  test('updateTask takes plain GET parameters and leaves alone what it does not name', async () => {
    const name = encodeURIComponent('New "Task" / ä');
    const parameters = `id=1&user_id=31&name=${name}&class_name=${encodeURIComponent(HOLDING)}&active=1`;
    const reply = await app.legacy(`target=scheduler&action=updateTask&${parameters}`);
    expect(reply).toBe(
      '{"success":1,"message":"Task \\"New \\"Task\\" \\/ \\u00e4\\" (1) updated"}'.replaceAll(
        '\\"Task\\"',
        '\\"Task\\"',
      ),
    );
    const tasks = await app.legacy('target=scheduler&action=getTasks');
    expect(tasks).toContain('"name":"New \\"Task\\" \\/ \\u00e4"');
    expect(tasks).toContain(items);
  });

  test('deleteTask says what it deleted; the task leaves the list and its history remains', async () => {
    const reply = await app.legacy('target=scheduler&action=deleteTask&taskId=1');
    expect(reply).toBe('{"success":1,"message":"Task \\"New \\"Task\\" \\/ \\u00e4\\" (1) deleted","data":null}');
    expect(await app.legacy('target=scheduler&action=getTasks')).toBe('{"success":1,"data":[]}');
    const history = await app.legacy('target=scheduler&action=getTaskHistory&taskId=1');
    expect(history).toContain('(1) deleted');
    expect(history).toContain('Task \\"Process Holding Tank\\" (1) added');
  });

  test('an error is a 200 with success 0 and no data', async () => {
    const signed = signedQuery('target=scheduler&action=executeTask&taskId=99', ADMIN.key, ADMIN.secret);
    const response = await fetch(`${app.address}/api/v1/api.php?${signed}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    const body = await response.text();
    expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(body)));
    expect(body).toMatch(/^\{"success":0,"message":".*taskId.*99.*"\}$/);
  });
});
