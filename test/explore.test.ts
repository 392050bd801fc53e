import { test } from 'vitest';
import { HOLDING, startTestApp } from './support/app.ts';
import { testDatabase } from './support/database.ts';
import * as doors from './support/doors.ts';
test('x', async () => {
  const database = await testDatabase();
  const app = await startTestApp(database.url);
  const a = app.address;
  const log = (n: string, v: unknown) => process.stdout.write(`${n}: ${typeof v === 'string' ? v : JSON.stringify(v)}\n`);
  await app.query('mutation($c:String!){addTask(input:{name:"a",className:$c}){task{id}}}', { c: HOLDING });
  const add = (input: object) => ({ query: 'mutation ($input: AddTaskInput!) { addTask(input: $input) { task { id } } }', variables: { input: { name: 'n', className: HOLDING, ...input } } });
  const exec = (input: object) => ({ query: 'mutation ($input: ExecuteTaskInput!) { executeTask(input: $input) { run { id } } }', variables: { input } });
  const items = (...repeatItems: object[]) => add({ repeatItems });
  const cases: [string, doors.Operation][] = [
    ['wrong type', add({ name: 5 })],
    ['unknown class', add({ className: 'X' })],
    ['imposs', items({ start: '2015-02-30' })],
    ['30 feb', items({ month: 2, dayOfMonth: 30 })],
    ['h24', items({ hour: 24 })],
    ['ends', items({ start: '2015-02-03', end: '2015-02-01' })],
    ['noname', add({ name: undefined })],
    ['empty', add({ name: '' })],
    ['nul', add({ name: 'a\0b' })],
    ['lone', add({ name: 'a\ud800b' })],
    ['zone', add({ timeZone: 'Europe/Nowhere' })],
    ['101', items(...new Array(101).fill({ hour: 1 }))],
    ['data5', add({ data: 5 })],
    ['dataarr', add({ data: [1] })],
    ['both', add({ data: { a: 1 }, dataText: '{"b":1}' })],
    ['datakey', add({ data: { holding_days: -1 } })],
    ['dataText', add({ dataText: '{' })],
    ['datanul', add({ data: { a: 'x\0' } })],
    ['dataloneS', add({ data: { a: 'x\ud800' } })],
    ['unknown field in', add({ nonsense: 1 })],
    ['unknown field', { query: '{ nonsense }' }],
    ['malformed', { query: '{ viewer { ' }],
    ['unknown task', exec({ task: { legacyId: 99 } })],
    ['huge task', exec({ task: { legacyId: 2 ** 31 } })],
    ['huge gid', exec({ task: { id: Buffer.from('Task:999999999999').toString('base64') } })],
    ['task str', exec({ task: { id: 'xx' } })],
    ['both by', exec({ task: { id: 'xx', legacyId: 1 } })],
    ['wait-', exec({ task: { legacyId: 1 }, waitSeconds: -1 })],
    ['wait+', exec({ task: { legacyId: 1 }, waitSeconds: 601 })],
    ['run', { query: 'mutation { cancelRun(input: {run: "UnVuOjk5"}) { run { id } } }' }],
    ['retry', { query: 'mutation { retryRun(input: {run: "UnVuOjk5"}) { run { id } } }' }],
    ['run id', { query: 'mutation { cancelRun(input: {run: "zz"}) { run { id } } }' }],
    ['after', { query: '{ tasks(after: "zz") { edges { cursor } } }' }],
    ['first-', { query: '{ tasks(first: -1) { edges { cursor } } }' }],
    ['first501', { query: '{ tasks(first: 501) { edges { cursor } } }' }],
    ['owner', add({ ownerLegacyId: 99 })],
    ['class null', add({ className: null })],
    ['policy', add({ policy: { timeoutSeconds: 0 } })],
    ['ref', { query: 'subscription { runEvents(after: "zz") { cursor } }' }],
    ['refrun', { query: 'subscription { runEvents(run: "zz") { cursor } }' }],
    ['reftask', { query: 'subscription { runEvents(task: "VGFzazo5OQ==") { nonsense } }' }],
    ['two ops', { query: 'query A { viewer { id } } query B { viewer { id } }' }],
    ['varmissing', { query: 'query A($a: Int!) { tasks(first: $a) { edges { cursor } } }' }],
  ];
  for (const [name, op] of cases) {
    if (op.query.startsWith('sub')) {
    } else {
      const r = await doors.postRaw(a, JSON.stringify(op), { authorization: app.authorization });
      log(`HTTP ${name}`, `${r.status} ${r.text}`);
    }
    log(`WS ${name}`, await doors.overSocket(a, op, app.authorization).catch((e) => `${e} ${e.code} ${e.reason}`));
    if (op.query.startsWith('sub') || op.query.startsWith('{')) {
      const r = await doors.overEventSource(a, op, { authorization: app.authorization });
      log(`SSE ${name}`, `${r.status} ${r.headers.get('content-type')} ${r.text}`);
    }
  }
  for (const body of ['{', '[]', 'null', '"x"', '', '{}', '{"query":5}', '{"query":"{viewer{id}}","variables":5}', '[{"query":"{viewer{id}}"}]']) {
    const r = await doors.postRaw(a, body, { authorization: app.authorization });
    log(`raw ${body}`, `${r.status} ${r.text}`);
  }
  const r = await doors.postRaw(a, 'x', { authorization: app.authorization, 'content-type': 'text/weird' });
  log('ct', `${r.status} ${r.text}`);
  const g = await doors.overEventSource(a, exec({ task: { legacyId: 1 } }), { authorization: app.authorization });
  log('get mutation', `${g.status} ${g.text}`);
  const g2 = await doors.get(`${a}/graphql?query=${encodeURIComponent('{viewer{id}}')}&variables={`, { authorization: app.authorization });
  log('get badvars', `${g2.status} ${g2.text}`);
  const g3 = await doors.get(`${a}/graphql`, { authorization: app.authorization });
  log('get none', `${g3.status} ${g3.text}`);
  log('hist', (await doors.overLegacy(a, doors.signedCall('getTaskHistory&taskId=99'))).text);
  for (const q of ['executeTask&taskId=x', 'executeTask&taskId=99', 'executeTask', 'executeTask&taskId=4294967296', 'nonsense', 'addTask', 'updateTask&id=1&user_id=1&name=&class_name=x&active=1', 'updateTask&id=1&user_id=1&name=n&class_name=x&active=1', 'deleteTask&taskId=99', 'getTaskHistory&taskId=-1'])
    log(q, (await doors.overLegacy(a, doors.signedCall(q))).text);
  for (const p of ['/', '/x', '/metrics', '/healthz', '/readyz', '/graphql', '/api/v1/api.php', '/api/v1/', '/API/v1/api.php', '/graphql/', '/graphql/x', '//graphql']) {
    for (const method of ['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
      const r = await fetch(a + p, { method });
      log(`${method} ${p}`, `${r.status} ${(await r.text()).slice(0, 200)}`);
    }
  }
  await app.stop();
  await database.close();
});
