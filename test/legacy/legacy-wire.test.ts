// What old callers put on the wire and what they get back, compared to the byte, over a real port.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sign } from '../../src/credentials/signature.ts';
import { ADMIN, HOLDING, startTestApp, type TestApp } from '../support/app.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { rows } from '../support/races.ts';
import { sendRaw, type WireRequest, written } from '../support/wire.ts';

const PATH = '/api/v1/api.php';
/** The example that the old documentation publishes. */
const PUBLISHED = {
  key: '32-5DAYTJQY2TZHOFOB',
  secret: '48b278ec873bda4738923dbc467f8669',
  query: 'target=ipam&action=get&type=IP&mask=24&apiKey=32-5DAYTJQY2TZHOFOB',
  hash: 'yneSFMyxPPe+3W4IOkVp50K3VStatBcRRak+2ygDUWQ=',
};
const NO_CALLER = '{"success":0,"message":"Authentication failed: apiKey and hash are missing or wrong."}';
const UNKNOWN_TARGET =
  '{"success":0,"message":"target: must be scheduler, with the actions addTask, updateTask, deleteTask, executeTask, getTaskHistory, getTasks, got \\"ipam\\""}';
const ROW =
  '{"id":"1","user_id":"1","name":"N","class_name":"\\\\scheduler\\\\Tasks\\\\ProcessHoldingTask","active":false,"data":null,"last_run":null,"repeat_items":[]}';
const TASKS = `{"success":1,"data":[${ROW}]}`;

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await testDatabase();
  app = await startTestApp(database.url, { settings: { ROLE: 'gateway', LEGACY_PREFIX: ['/6c_3'] } });
  await app.query('mutation ($input: ImportApiKeyInput!) { importApiKey(input: $input) { apiKey { key } } }', {
    input: { key: PUBLISHED.key, secret: PUBLISHED.secret, userLegacyId: 31, userName: 'usernamehere' },
  });
  await app.query(
    'mutation ($name: String!) { addTask(input: { name: "N", className: $name, active: false }) { task { id } } }',
    {
      name: HOLDING,
    },
  );
});

afterAll(async () => {
  await app?.stop();
  await database?.close();
});

const send = (request: WireRequest) => sendRaw(app.address, written(request));

/** The query as an old client sends it: the hash appended raw. */
function signed(query: string, encode = (hash: string) => hash): string {
  const text = `${query}${query === '' ? '' : '&'}apiKey=${ADMIN.key}`;
  return `${text}&hash=${encode(sign(ADMIN.secret, text))}`;
}
const target = (query: string, path = PATH) => `${path}?${signed(query)}`;
const GET_TASKS = 'target=scheduler&action=getTasks';
const JSON_TYPE = { 'Content-Type': 'application/json' };
const FORM_TYPE = { 'Content-Type': 'application/x-www-form-urlencoded' };
const CREDENTIALS = `Basic ${Buffer.from(`${ADMIN.key}:${ADMIN.secret}`).toString('base64')}`;

describe('the published example of a signature', () => {
  const { query, hash } = PUBLISHED;
  test.each([
    ['as it is', `${query}&hash=${hash}`],
    ['with its hash URL-encoded', `${query}&hash=${encodeURIComponent(hash)}`],
    ['with blanks in the place of +', `${query}&hash=${hash.replaceAll('+', '%20')}`],
    ['with anything after its hash', `${query}&hash=${hash}&target=scheduler&action=getTasks`],
    ['with a second hash', `${query}&hash=${hash}&hash=AAAA`],
    ['with a fragment', `${query}&hash=${hash}#&target=scheduler`],
  ])('gets in %s, and only what is signed is read', async (_what, sent) => {
    expect(await send({ target: `${PATH}?${sent}` })).toMatchObject({ status: 200, body: UNKNOWN_TARGET });
  });

  test.each([
    ['a changed byte', `${query.replace('mask=24', 'mask=25')}&hash=${hash}`],
    ['a changed byte of the hash', `${query}&hash=z${hash.slice(1)}`],
    ['reordered parameters', `action=get&target=ipam&type=IP&mask=24&apiKey=${PUBLISHED.key}&hash=${hash}`],
    ['an empty hash', `${query}&hash=`],
    ['a hash that is too short', `${query}&hash=${hash.slice(0, -2)}`],
    ['a hash that is too long', `${query}&hash=${hash}A`],
    ['the right hash only second', `${query}&hash=AAAA&hash=${hash}`],
    ['no hash', query],
    ['another key', `${query.replace(PUBLISHED.key, ADMIN.key)}&hash=${hash}`],
    ['the hash before what it signs', `hash=${hash}&${query}`],
  ])('does not get in with %s', async (_what, sent) => {
    const { status, body, headers } = await send({ target: `${PATH}?${sent}` });
    expect({ status, body }).toEqual({ status: 401, body: NO_CALLER });
    expect(headers).not.toHaveProperty('www-authenticate');
  });

  test('does not get in with a wrong hash though the header is right', async () => {
    const request = { target: `${PATH}?${query}&hash=AAAA`, headers: { Authorization: CREDENTIALS } };
    expect((await send(request)).status).toBe(401);
  });
});

const ITEM_CHUNKS = '1\r\n{\r\n2\r\n"t\r\n9\r\naskId":1}\r\n0\r\n\r\n';

describe('a call is answered', () => {
  test.each<[string, () => WireRequest, string]>([
    ['by GET', () => ({ target: target(GET_TASKS) }), TASKS],
    ['by POST', () => ({ method: 'POST', target: target(GET_TASKS) }), TASKS],
    ['with target and action in any case', () => ({ target: target('target=SCHEDULER&action=GETTASKS') }), TASKS],
    ['with the parameters in another order', () => ({ target: target('action=getTasks&target=scheduler') }), TASKS],
    ['with a parameter twice, the last of which counts', () => ({ target: target(`action=x&${GET_TASKS}`) }), TASKS],
    ['with an unknown parameter', () => ({ target: target(`${GET_TASKS}&a[b][]=c`) }), TASKS],
    ['under two slashes', () => ({ target: target(GET_TASKS, `/${PATH}`) }), TASKS],
    ['under a slash at the end', () => ({ target: target(GET_TASKS, `${PATH}/`) }), TASKS],
    ['under a prefix', () => ({ target: target(GET_TASKS, `/6c_3${PATH}`) }), TASKS],
    ['over HTTP/1.0 without a Host', () => ({ target: target(GET_TASKS), version: '1.0' }), TASKS],
    [
      'with Basic credentials',
      () => ({ target: `${PATH}?${GET_TASKS}`, headers: { Authorization: CREDENTIALS } }),
      TASKS,
    ],
    [
      'with Bearer credentials',
      () => ({ target: `${PATH}?${GET_TASKS}`, headers: { Authorization: `Bearer ${ADMIN.key}.${ADMIN.secret}` } }),
      TASKS,
    ],
    [
      'with everything in a form',
      () => ({ method: 'POST', target: target(''), headers: FORM_TYPE, body: GET_TASKS }),
      TASKS,
    ],
    [
      'with an empty JSON body',
      () => ({ method: 'POST', target: target(GET_TASKS), headers: JSON_TYPE, body: '' }),
      TASKS,
    ],
    [
      'with JSON that is called a form, after blanks and a BOM',
      () => ({
        method: 'POST',
        target: target('target=scheduler&action=getTaskHistory'),
        headers: FORM_TYPE,
        body: '\ufeff {"taskId":"99"}',
      }),
      '{"success":0,"message":"taskId: no task has the id 99"}',
    ],
    [
      'to a client that expects 100-continue',
      () => ({
        method: 'POST',
        target: target('target=scheduler&action=getTaskHistory'),
        headers: { ...JSON_TYPE, Expect: '100-continue' },
        body: '{"taskId":98}',
      }),
      '{"success":0,"message":"taskId: no task has the id 98"}',
    ],
    [
      'to a client that sends its body in chunks',
      () => ({
        method: 'POST',
        target: target('target=scheduler&action=executeTask'),
        headers: { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' },
        body: ITEM_CHUNKS.replace('9\r\naskId":1}', 'a\r\naskId":97}'),
      }),
      '{"success":0,"message":"taskId: no task has the id 97"}',
    ],
    [
      'where a body tries to change the action of the query',
      () => ({
        method: 'POST',
        target: target(GET_TASKS),
        headers: JSON_TYPE,
        body: '{"action":"deleteTask","taskId":1}',
      }),
      TASKS,
    ],
    [
      'whose body wins over the query',
      () => ({
        method: 'POST',
        target: target('target=scheduler&action=deleteTask&taskId=1'),
        headers: FORM_TYPE,
        body: 'taskId=96',
      }),
      '{"success":0,"message":"taskId: no task has the id 96"}',
    ],
    [
      'with a number that has zeros and blanks',
      () => ({ target: target('target=scheduler&action=deleteTask&taskId=+095%20') }),
      '{"success":0,"message":"taskId: no task has the id 95"}',
    ],
  ])('%s', async (_what, request, body) => {
    const reply = await send(request());
    expect(reply.body).toBe(body);
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toBe('application/json');
    expect(reply.headers['content-length']).toBe(String(body.length));
  });
});

describe('a call is refused with status 200 and what would be accepted', () => {
  const deep = `a${'[b]'.repeat(65)}=1`;
  const many = Array.from({ length: 1_001 }, (_, index) => `p${index}=`).join('&');
  test.each<[string, () => WireRequest, string]>([
    [
      'a method that is none',
      () => ({ method: 'PUT', target: target(GET_TASKS) }),
      'getTasks: the method must be GET or POST, got PUT',
    ],
    [
      'addTask by GET',
      () => ({ target: target('target=scheduler&action=addTask') }),
      'addTask: the method must be POST, got GET',
    ],
    ['65 levels', () => ({ target: target(`${GET_TASKS}&${deep}`) }), '64'],
    ['1001 pairs', () => ({ method: 'POST', target: target(GET_TASKS), headers: FORM_TYPE, body: many }), '1000'],
    [
      'malformed JSON',
      () => ({ method: 'POST', target: target(GET_TASKS), headers: JSON_TYPE, body: '{"a":' }),
      'the body must be a single JSON object',
    ],
    [
      'a list',
      () => ({ method: 'POST', target: target(GET_TASKS), headers: JSON_TYPE, body: '[1]' }),
      'must be a single JSON object',
    ],
    [
      // Said as soon as its length is known; a client that goes on sending may find the connection closed.
      'a body of more than 8 MiB',
      () => ({
        method: 'POST',
        target: target(GET_TASKS),
        headers: { ...FORM_TYPE, 'Content-Length': String(8 * 1024 * 1024 + 1) },
        body: 'a=',
      }),
      'body is too large',
    ],
    [
      'a page of another site',
      () => ({ target: target(GET_TASKS), headers: { 'Sec-Fetch-Site': 'cross-site' } }),
      'Cross-site calls',
    ],
  ])('%s', async (_what, request, part) => {
    const { status, headers, body } = await send(request());
    expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'application/json' });
    expect(JSON.parse(body)).toEqual({ success: 0, message: expect.stringContaining(part) });
  });
});

test('64 levels and 1000 pairs pass, and so does a body of almost 8 MiB', async () => {
  const pairs = Array.from({ length: 996 }, (_, index) => `p${index}=`).join('&');
  const query = `${GET_TASKS}&a${'[b]'.repeat(64)}=1`;
  const big = `a=${'x'.repeat(8 * 1024 * 1024 - 3)}`;
  expect((await send({ target: target(query) })).body).toBe(TASKS);
  expect((await send({ method: 'POST', target: target(GET_TASKS), headers: FORM_TYPE, body: pairs })).body).toBe(TASKS);
  expect((await send({ method: 'POST', target: target(GET_TASKS), headers: FORM_TYPE, body: big })).body).toBe(TASKS);
});

test.each(['HEAD', 'OPTIONS'])('%s executes nothing', async (method) => {
  const { status } = await send({ method, target: target('target=scheduler&action=deleteTask&taskId=1') });
  expect(status).toBeLessThan(300);
  expect(await rows(database.orm.em, 'select deleted_at from task where id = 1')).toEqual([{ deleted_at: null }]);
});

test('a path in other letters is a 404, and nothing ever redirects', async () => {
  for (const path of [PATH.toUpperCase(), '/api/v1/API.php', '/api/v2/api.php', '/6c_4/api/v1/api.php']) {
    expect((await send({ target: target(GET_TASKS, path) })).status).toBe(404);
  }
});

describe('a form is read as PHP reads it, and shown as PHP writes it', () => {
  test.each([
    ['data[b]=c&data[]=d', '{"b":"c","0":"d"}'],
    ['data[x][]=1&data[x][]=2', '{"x":["1","2"]}'],
    ['data[a]=1&data[a]=2', '{"a":"2"}'],
    ['data[c.d]=1&data[e f]=2', '{"c.d":"1","e f":"2"}'],
    ['data[ ]=1', '["1"]'],
    ['data[j]k=5', '{"j":"5"}'],
    ['data%5Bm%5D=%2B+x%20%C3%A4%2F', '{"m":"+ x \\u00e4\\/"}'],
    ['data[5]=a&data[]=b&data[05]=c', '{"5":"a","6":"b","05":"c"}'],
    ['data[n]=a;data[o]=b', '{"n":"a;data[o]=b"}'],
    ['data[f]=1&data[f][g]=2', '{"f":{"g":"2"}}'],
    // None of these is the parameter data.
    ['data[l=5', 'null'],
    ['data[a%00b]=1', 'null'],
    ['[data]=1', 'null'],
    ['Data[a]=1', 'null'],
    ['data', 'null'],
  ])('%s', async (fields, shown) => {
    const task = `user_id=1&name=Form&class_name=${encodeURIComponent(HOLDING)}&active=1&repeat_hour=8`;
    const body = `${task}&${fields}`;
    const added = (
      await send({ method: 'POST', target: target('target=scheduler&action=addTask'), headers: FORM_TYPE, body })
    ).body;
    const id = /\((\d+)\) added/.exec(added)?.[1];
    expect((await send({ target: target(GET_TASKS) })).body).toContain(`"active":true,"data":${shown},"last_run":null`);
    await send({ target: target(`target=scheduler&action=deleteTask&taskId=${id}`) });
  });
});

describe('a row of getTasks', () => {
  const DATA = [
    '{"location":"\\/backups","keep":3,"x":{"y":[1,2.5,"z"],"e":[]}}',
    '{"5":"five","1":"one"}',
    '["first",{"a":null}]',
    '{"big":9223372036854775807,"bigger":1.0e+25,"tiny":1.0e-7,"umlaut":"\\u00e4\\ud83d\\ude00"}',
  ];
  test.each(DATA)('may be posted back to updateTask as it is, with the data %s', async (data) => {
    const name = 'B\\u00e4ckup \\/ "1"';
    const added = await app.legacy('target=scheduler&action=addTask', {
      method: 'POST',
      headers: JSON_TYPE,
      body: `{"user_id":1,"name":${JSON.stringify('Bäckup / "1"')},"class_name":${JSON.stringify(HOLDING)},"active":true,"data":${data},"repeat_items":[{"repeat_weekday":"*","repeat_hour":"08","repeat_minute":"*"}]}`,
    });
    const id = /\((\d+)\) added/.exec(added)?.[1];
    const list = await app.legacy(GET_TASKS);
    const row = new RegExp(`\\{"id":"${id}",.*\\}(?=\\]\\}$)`).exec(list)?.[0] ?? '';
    expect(row).toContain(`"data":${data},`);
    expect(row).toContain(name.replaceAll('"', '\\"'));
    expect(row).toContain('"repeat_weekday":"*","repeat_hour":"8","repeat_minute":"*"');
    const updated = await app.legacy('target=scheduler&action=updateTask', {
      method: 'POST',
      headers: FORM_TYPE,
      body: row,
    });
    expect(updated).toBe(`{"success":1,"message":"Task \\"${name.replaceAll('"', '\\"')}\\" (${id}) updated"}`);
    const withoutIds = (text: string) => text.replace(/"id":"\d+","task_id"/g, '"task_id"');
    expect(withoutIds(await app.legacy(GET_TASKS))).toBe(withoutIds(list));
    await app.legacy(`target=scheduler&action=deleteTask&taskId=${id}`);
  });
});
